/** The sentences of a monthly report, in the three languages. Facts come formatted. */
import type { Language } from '../formats.ts'
import { formatsFor } from '../formats.ts'

export type MonthWords = {
  readonly title: (month: string) => string
  readonly nothing: string
  readonly done: (maintenances: number) => string
  readonly falseAlarms: (count: number) => string
  readonly moved: (facts: { readonly live: number; readonly restart: number }) => string
  readonly pause: (longest: string) => string
  readonly pauseUnmeasured: string
  readonly overBudget: (count: number) => string
  readonly answered: (facts: { readonly share: string; readonly watched: string }) => string
  readonly notWatched: string
  readonly promise: (facts: { readonly share: string; readonly allowed: string }) => string
  readonly noPromise: string
  readonly spent: (facts: { readonly maintenance: string; readonly faults: string }) => string
  readonly spentUnknown: string
  readonly label: Record<
    | 'work'
    | 'availability'
    | 'when'
    | 'what'
    | 'pause'
    | 'ending'
    | 'promised'
    | 'measured'
    | 'byMaintenance'
    | 'byFaults'
    | 'unmeasured'
    | 'none'
    | 'ownPage'
    | 'how'
    | 'howText',
    string
  >
  readonly endings: Record<'done' | 'undone' | 'failed' | 'stuck' | 'running', string>
}

const en = formatsFor('en')
const fr = formatsFor('fr')
const es = formatsFor('es')

const ENGLISH: MonthWords = {
  title: (month) => `What was done for you in ${month}`,
  nothing: 'No maintenance touched your guests this month.',
  done: (count) =>
    en.count(count, {
      one: 'We did # maintenance on a machine that ran guests of yours.',
      other: 'We did # maintenances on machines that ran guests of yours.',
    }),
  falseAlarms: (count) =>
    en.count(count, {
      one: '# of them found nothing wrong: a false alarm.',
      other: '# of them found nothing wrong: false alarms.',
    }),
  moved: ({ live, restart }) =>
    `${[
      en.count(live, { one: 'Guests moved # time while they ran', other: 'Guests moved # times while they ran' }),
      ...(restart > 0
        ? [en.count(restart, { one: 'and were restarted # time', other: 'and were restarted # times' })]
        : []),
    ].join(', ')}.`,
  pause: (longest) => `The longest pause that the hypervisor measured was ${longest}.`,
  pauseUnmeasured: 'Nobody measured how long your guests paused.',
  overBudget: (count) =>
    en.count(count, { one: '# pause was longer than agreed.', other: '# pauses were longer than agreed.' }),
  answered: ({ share, watched }) =>
    `Our outside probe watched your guests for ${watched} in all and had an answer for ${share} of that.`,
  notWatched: 'Nobody measured from outside how your guests answered.',
  promise: ({ share, allowed }) => `We promise ${share}, which leaves ${allowed} a month for each guest.`,
  noPromise: 'No availability was agreed.',
  spent: ({ maintenance, faults }) =>
    `Without an answer, all guests together: ${maintenance} during maintenance, ${faults} otherwise.`,
  spentUnknown: 'How much of what was lost fell into maintenance was not measured.',
  label: {
    work: 'The work',
    availability: 'Promised and measured',
    when: 'When',
    what: 'What we saw',
    pause: 'Longest pause',
    ending: 'How it ended',
    promised: 'Promised',
    measured: 'Measured',
    byMaintenance: 'Without an answer during maintenance',
    byFaults: 'Without an answer otherwise',
    unmeasured: 'not measured',
    none: 'none agreed',
    ownPage: 'Each maintenance has a page of its own with all figures.',
    how: 'How we know',
    howText:
      'Pauses are the hypervisor’s own figures. Answers are counted by a probe outside the cluster; what it did not watch is not in the figures, neither as good nor as bad.',
  },
  endings: {
    done: 'done',
    undone: 'stopped and taken back',
    failed: 'refused before anything was touched',
    stuck: 'not all could be taken back',
    running: 'not finished',
  },
}

const FRENCH: MonthWords = {
  title: (month) => `Ce qui a été fait pour vous en ${month}`,
  nothing: 'Aucune maintenance n’a touché vos serveurs virtuels ce mois-ci.',
  done: (count) =>
    fr.count(count, {
      one: 'Nous avons fait # maintenance sur une machine qui portait de vos serveurs virtuels.',
      other: 'Nous avons fait # maintenances sur des machines qui portaient de vos serveurs virtuels.',
    }),
  falseAlarms: (count) =>
    fr.count(count, {
      one: '# n’a rien trouvé d’anormal : une fausse alerte.',
      other: '# n’ont rien trouvé d’anormal : de fausses alertes.',
    }),
  moved: ({ live, restart }) =>
    `${[
      fr.count(live, { one: '# déplacement d’un serveur en marche', other: '# déplacements de serveurs en marche' }),
      ...(restart > 0 ? [fr.count(restart, { one: '# redémarrage', other: '# redémarrages' })] : []),
    ].join(', ')}.`,
  pause: (longest) => `La plus longue pause mesurée par l’hyperviseur a été de ${longest}.`,
  pauseUnmeasured: 'Personne n’a mesuré la durée des pauses de vos serveurs virtuels.',
  overBudget: (count) =>
    fr.count(count, {
      one: '# pause a dépassé la limite convenue.',
      other: '# pauses ont dépassé la limite convenue.',
    }),
  answered: ({ share, watched }) =>
    `Notre sonde extérieure a observé vos serveurs virtuels pendant ${watched} en tout et a reçu une réponse pour ${share} de ce temps.`,
  notWatched: 'Personne n’a mesuré de l’extérieur si vos serveurs virtuels répondaient.',
  promise: ({ share, allowed }) =>
    `Nous promettons ${share}, ce qui laisse ${allowed} par mois et par serveur virtuel.`,
  noPromise: 'Aucune disponibilité n’a été convenue.',
  spent: ({ maintenance, faults }) =>
    `Sans réponse, tous serveurs virtuels confondus : ${maintenance} pendant les maintenances, ${faults} en dehors.`,
  spentUnknown: 'La part perdue pendant les maintenances n’a pas été mesurée.',
  label: {
    work: 'Les travaux',
    availability: 'Promis et mesuré',
    when: 'Quand',
    what: 'Ce que nous avons vu',
    pause: 'Plus longue pause',
    ending: 'Comment cela s’est terminé',
    promised: 'Promis',
    measured: 'Mesuré',
    byMaintenance: 'Sans réponse pendant les maintenances',
    byFaults: 'Sans réponse en dehors',
    unmeasured: 'non mesuré',
    none: 'rien de convenu',
    ownPage: 'Chaque maintenance a sa propre page avec tous les chiffres.',
    how: 'Comment nous le savons',
    howText:
      'Les pauses sont les chiffres de l’hyperviseur lui-même. Les réponses sont comptées par une sonde hors de la grappe ; ce qu’elle n’a pas observé ne compte ni en bien ni en mal.',
  },
  endings: {
    done: 'terminée',
    undone: 'arrêtée et annulée',
    failed: 'refusée avant que rien ne soit touché',
    stuck: 'tout n’a pas pu être annulé',
    running: 'pas terminée',
  },
}

const SPANISH: MonthWords = {
  title: (month) => `Lo que se hizo por usted en ${month}`,
  nothing: 'Ningún mantenimiento tocó sus servidores virtuales este mes.',
  done: (count) =>
    es.count(count, {
      one: 'Hicimos # mantenimiento en una máquina que llevaba servidores virtuales suyos.',
      other: 'Hicimos # mantenimientos en máquinas que llevaban servidores virtuales suyos.',
    }),
  falseAlarms: (count) =>
    es.count(count, {
      one: '# no encontró nada: una falsa alarma.',
      other: '# no encontraron nada: falsas alarmas.',
    }),
  moved: ({ live, restart }) =>
    `${[
      es.count(live, { one: '# traslado de un servidor en marcha', other: '# traslados de servidores en marcha' }),
      ...(restart > 0 ? [es.count(restart, { one: '# reinicio', other: '# reinicios' })] : []),
    ].join(', ')}.`,
  pause: (longest) => `La pausa más larga que midió el hipervisor fue de ${longest}.`,
  pauseUnmeasured: 'Nadie midió cuánto duraron las pausas de sus servidores virtuales.',
  overBudget: (count) =>
    es.count(count, { one: '# pausa superó el límite acordado.', other: '# pausas superaron el límite acordado.' }),
  answered: ({ share, watched }) =>
    `Nuestra sonda externa observó sus servidores virtuales durante ${watched} en total y recibió respuesta en el ${share} de ese tiempo.`,
  notWatched: 'Nadie midió desde fuera si sus servidores virtuales respondían.',
  promise: ({ share, allowed }) => `Prometemos el ${share}, lo que deja ${allowed} al mes por servidor virtual.`,
  noPromise: 'No se acordó ninguna disponibilidad.',
  spent: ({ maintenance, faults }) =>
    `Sin respuesta, todos los servidores virtuales juntos: ${maintenance} durante mantenimientos, ${faults} fuera de ellos.`,
  spentUnknown: 'No se midió qué parte de lo perdido cayó en mantenimientos.',
  label: {
    work: 'Los trabajos',
    availability: 'Prometido y medido',
    when: 'Cuándo',
    what: 'Lo que vimos',
    pause: 'Pausa más larga',
    ending: 'Cómo terminó',
    promised: 'Prometido',
    measured: 'Medido',
    byMaintenance: 'Sin respuesta durante mantenimientos',
    byFaults: 'Sin respuesta fuera de ellos',
    unmeasured: 'no medido',
    none: 'nada acordado',
    ownPage: 'Cada mantenimiento tiene su propia página con todas las cifras.',
    how: 'Cómo lo sabemos',
    howText:
      'Las pausas son cifras del propio hipervisor. Las respuestas las cuenta una sonda fuera del clúster; lo que no observó no cuenta ni como bueno ni como malo.',
  },
  endings: {
    done: 'terminado',
    undone: 'detenido y deshecho',
    failed: 'rechazado antes de tocar nada',
    stuck: 'no todo se pudo deshacer',
    running: 'sin terminar',
  },
}

const WORDS: Record<Language, MonthWords> = { en: ENGLISH, fr: FRENCH, es: SPANISH }
export const monthWordsFor = (language: Language): MonthWords => WORDS[language]
