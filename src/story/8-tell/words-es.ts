/** Spanish. */
import { formatsFor } from './formats.ts'
import type { PartWord, Span, Words } from './words.ts'

const { count, list, number } = formatsFor('es')

const PART: Record<PartWord, string> = {
  fan: 'El ventilador',
  psu: 'La fuente de alimentación',
  memory: 'El módulo de memoria',
  disk: 'El disco',
  part: 'La pieza',
  hardware: 'Hardware',
}

const spanText = ({ from, to, zone }: Span) =>
  to === undefined ? `desde las ${from} ${zone}` : `de ${from} a ${to} ${zone}`

export const SPANISH: Words = {
  saw: ({ part, partKind, node, class: kind, times, span }) => {
    const often = `${count(times, { one: 'una vez', other: '# veces' })}${span === undefined ? '' : ` en ${span}`}`
    const thing = `${PART[partKind]}${partKind === 'hardware' ? '' : ` ${part}`}`
    switch (kind) {
      case 'intermittent':
        return `${thing} del nodo ${node} dejó de funcionar ${often} y cada vez volvió a hacerlo.`
      case 'hard':
        return `${thing} del nodo ${node} falló.`
      case 'common-cause':
        return `Varias piezas del nodo ${node} dejaron de funcionar a la vez, ${often}.`
      case 'operator':
        return `Nuestros operadores hallaron un defecto del nodo ${node}: ${part}.`
      case 'threshold':
      case 'bmc':
        return `La supervisión del nodo ${node} avisó de un defecto: ${part}.`
    }
  },
  moved: ({ live, restart, offline, failed }) => {
    const did = [
      ...(live > 0
        ? [
            count(live, {
              one: 'movimos # de sus servidores virtuales en marcha',
              other: 'movimos # de sus servidores virtuales en marcha',
            }),
          ]
        : []),
      ...(restart > 0
        ? [
            count(restart, {
              one: 'reiniciamos # servidor virtual para moverlo',
              other: 'reiniciamos # servidores virtuales para moverlos',
            }),
          ]
        : []),
      ...(offline > 0
        ? [
            count(offline, {
              one: 'movimos # servidor virtual parado',
              other: 'movimos # servidores virtuales parados',
            }),
          ]
        : []),
    ]
    const tries =
      failed > 0 ? count(failed, { one: ' # traslado no se completó.', other: ' # traslados no se completaron.' }) : ''
    const text = list(did)
    return `${did.length > 0 ? `${text.charAt(0).toUpperCase()}${text.slice(1)}.` : 'No se movió ninguno de sus servidores virtuales.'}${tries}`
  },
  off: (span) => `El nodo estuvo apagado ${spanText(span)}.`,
  home: ({ home, all }) =>
    home === all
      ? count(all, {
          one: 'Su servidor virtual está donde estaba antes.',
          other: 'Sus # servidores virtuales están donde estaban antes.',
        })
      : count(home, {
          one: `# de ${number(all)} está donde estaba antes.`,
          other: `# de ${number(all)} están donde estaban antes.`,
        }),
  pause: ({ longest, unmeasured, all }) =>
    `La pausa más larga que midió el hipervisor fue de ${longest}.${
      unmeasured > 0
        ? ` Para ${number(unmeasured)} de ${count(all, { one: '# traslado', other: '# traslados' })} no dio ninguna cifra.`
        : ''
    }`,
  pauseUnmeasured: 'Nadie midió cuánto duraron las pausas de sus servidores virtuales.',
  restartUnmeasured: 'No se midió cuánto duró un reinicio.',
  probeClean: (interval) =>
    `Nuestra sonda externa preguntó cada ${interval} y no faltó ninguna respuesta; un corte más breve no lo ve.`,
  probeGap: ({ gap, interval, guest }) =>
    `Nuestra sonda externa, que pregunta cada ${interval}, vio un corte de ${gap} como máximo, en ${guest}.`,
  probeUnmeasured: 'Nuestra sonda externa no midió nada.',
  probePartly: ({ measured, all }) =>
    `Abarcó ${number(measured)} de ${count(all, { one: '# servidor virtual', other: '# servidores virtuales' })}.`,
  probeUnwatched: (moves) =>
    count(moves, {
      one: '# traslado no lo siguió hasta el final.',
      other: '# traslados no los siguió hasta el final.',
    }),
  overBudget: ({ count: times, longest, budget }) =>
    `${count(times, { one: '# pausa superó', other: '# pausas superaron' })} el límite acordado: ${longest}, con un límite de ${budget}.`,
  reduced: (span) => `El almacenamiento funcionó con redundancia reducida ${spanText(span)}.`,
  repair: ({ by, outcome, took }) => {
    const after = took === undefined ? '' : `, ${took} después del encargo`
    switch (outcome) {
      case 'repaired':
        return `${by} reparó el nodo${after}.`
      case 'nothing-found':
        return `${by} revisó el nodo y no encontró nada${after}. Lo contamos como falsa alarma.`
      case 'cannot':
        return `${by} no pudo reparar el nodo.`
    }
  },
  unverified: 'La comprobación posterior a la reparación no se superó.',
  ending: {
    done: '',
    undone: 'El trabajo se detuvo y se deshizo lo que habíamos cambiado.',
    failed: 'El trabajo se rechazó antes de tocar nada.',
    stuck: 'Una parte del trabajo no se pudo deshacer. Nuestro equipo está en ello.',
    running: 'El trabajo no ha terminado; así está ahora.',
  },
  nothingRemains: 'No queda nada pendiente para usted.',
  stake: (guests) =>
    count(guests, {
      one: 'Si el nodo hubiera fallado del todo, # servidor virtual suyo en marcha se habría parado con él, hasta su reinicio.',
      other:
        'Si el nodo hubiera fallado del todo, # servidores virtuales suyos en marcha se habrían parado con él, hasta su reinicio.',
    }),
  stakeRestart: ({ from, to, basis }) => `Un reinicio dura de ${from} a ${to} (base: ${basis}).`,
  stakeUnmeasured: 'Aquí no se ha medido cuánto dura un reinicio así.',
  stakeDoubt: 'Nadie puede saber si habría fallado.',
  label: {
    title: ({ node, date }) => `Mantenimiento del nodo ${node}, ${date}`,
    for: 'Para',
    simulated: 'Simulado',
    simulatedLong: 'Simulado: todas las cifras vienen de un laboratorio, no de un clúster real.',
    short: 'En breve',
    stake: 'Lo que estaba en juego',
    annex: 'En detalle',
    guests: 'Sus servidores virtuales (máquinas y contenedores)',
    when: 'Cuándo',
    way: 'Traslado',
    pause: 'Pausa',
    budget: 'límite',
    mode: { live: 'en marcha', restart: 'reiniciado', offline: 'parado' },
    failed: 'no se completó',
    open: 'resultado no registrado',
    unmeasured: 'no medida',
    whyUnmeasured: {
      'no-figure': 'el hipervisor no dio ninguna cifra',
      already: 'ya estaba hecho; nadie lo cronometró',
      'was-stopped': 'no estaba en marcha',
      'not-moved': 'se quedó donde estaba',
      restart: 'nadie cronometró el reinicio',
    },
    neverMoved: 'No se movió.',
    movedByOthers: 'También lo movieron otros.',
    probe: 'Nuestra sonda externa',
    probeNone: 'No medido: no hay lecturas de sus servidores virtuales.',
    lost: 'Sin respuesta',
    every: (interval) => `cada ${interval}`,
    gap: 'Corte más largo',
    gapNone: 'ninguno visto',
    guest: 'Servidor virtual',
    repair: 'La reparación',
    found: 'Hallado',
    did: 'Hecho',
    evidence: 'Cómo lo sabemos',
    evidenceText: ({ entries, maintenance }) =>
      `Todo lo anterior sale del diario del mantenimiento ${maintenance}, ${entries} entradas. Cada entrada sella la anterior; un cambio en cualquier parte cambiaría el último sello:`,
    lastHash: 'Último sello (SHA-256)',
    zone: ({ zone, short }) => `Todas las horas son ${zone === short ? zone : `de la zona ${zone} (${short})`}.`,
    chart: {
      timeline: 'Qué pasó y cuándo',
      away: 'Servidores virtuales trasladados',
      off: 'El nodo estuvo apagado',
      repair: 'Trabajo en el sitio',
      home: 'Servidores virtuales de vuelta',
      redundancy: 'Redundancia del almacenamiento',
      whole: 'Todas las copias presentes',
      reduced: 'Una copia menos',
      probe: 'Lo que vio la sonda externa',
      what: 'Qué',
      watched: 'Observado',
      moved: 'Trasladado',
      probeLegend:
        'Línea: observado. Pálido: el servidor virtual se trasladaba. Naranja: el corte más largo, más alto cuanto más largo.',
    },
    asTable: 'En una tabla',
    colon: ': ',
  },
}
