/** French. */
import { formatsFor } from './formats.ts'
import type { PartWord, Span, Words } from './words.ts'

const { count, list, number } = formatsFor('fr')

const PART: Record<PartWord, string> = {
  fan: 'Le ventilateur',
  psu: 'L’alimentation',
  memory: 'Le module mémoire',
  disk: 'Le disque',
  part: 'La pièce',
  hardware: 'Du matériel',
}

const spanText = ({ from, to, zone }: Span) =>
  to === undefined ? `depuis ${from} ${zone}` : `de ${from} à ${to} ${zone}`

export const FRENCH: Words = {
  saw: ({ part, partKind, node, class: kind, times, span }) => {
    const often = `${count(times, { one: 'une fois', other: '# fois' })}${span === undefined ? '' : ` en ${span}`}`
    const thing = `${PART[partKind]}${partKind === 'hardware' ? '' : ` ${part}`}`
    switch (kind) {
      case 'intermittent':
        return `${thing} du nœud ${node} a cessé de fonctionner ${often}, puis a repris à chaque fois.`
      case 'hard':
        return `${thing} du nœud ${node} a cessé de fonctionner.`
      case 'common-cause':
        return `Plusieurs pièces du nœud ${node} ont cessé de fonctionner ensemble, ${often}.`
      case 'operator':
        return `Nos opérateurs ont constaté un défaut du nœud ${node} : ${part}.`
      case 'threshold':
      case 'bmc':
        return `La surveillance du nœud ${node} a signalé un défaut : ${part}.`
    }
  },
  moved: ({ live, restart, offline, failed }) => {
    const did = [
      ...(live > 0
        ? [
            count(live, {
              one: 'déplacé # de vos serveurs virtuels en marche',
              other: 'déplacé # de vos serveurs virtuels en marche',
            }),
          ]
        : []),
      ...(restart > 0
        ? [
            count(restart, {
              one: 'redémarré # serveur virtuel pour le déplacer',
              other: 'redémarré # serveurs virtuels pour les déplacer',
            }),
          ]
        : []),
      ...(offline > 0
        ? [
            count(offline, {
              one: 'déplacé # serveur virtuel à l’arrêt',
              other: 'déplacé # serveurs virtuels à l’arrêt',
            }),
          ]
        : []),
    ]
    const tries =
      failed > 0
        ? count(failed, { one: ' # déplacement n’a pas abouti.', other: ' # déplacements n’ont pas abouti.' })
        : ''
    return `${did.length > 0 ? `Nous avons ${list(did)}.` : 'Aucun de vos serveurs virtuels n’a été déplacé.'}${tries}`
  },
  off: (span) => `Le nœud était éteint ${spanText(span)}.`,
  home: ({ home, all }) =>
    home === all
      ? count(all, {
          one: 'Votre serveur virtuel est là où il était avant.',
          other: 'Vos # serveurs virtuels sont là où ils étaient avant.',
        })
      : count(home, {
          one: `# sur ${number(all)} est là où il était avant.`,
          other: `# sur ${number(all)} sont là où ils étaient avant.`,
        }),
  pause: ({ longest, unmeasured, all }) =>
    `La plus longue pause mesurée par l’hyperviseur a été de ${longest}.${
      unmeasured > 0
        ? ` Pour ${number(unmeasured)} sur ${count(all, { one: '# déplacement', other: '# déplacements' })}, il n’a pas donné de chiffre.`
        : ''
    }`,
  pauseUnmeasured: 'Personne n’a mesuré la durée des pauses de vos serveurs virtuels.',
  restartUnmeasured: 'La durée d’un redémarrage n’a pas été mesurée.',
  probeClean: (interval) =>
    `Notre sonde extérieure a interrogé toutes les ${interval} et toutes les réponses sont arrivées ; elle ne voit pas une coupure plus courte.`,
  probeGap: ({ gap, interval, guest }) =>
    `Notre sonde extérieure, qui interroge toutes les ${interval}, a vu une coupure d’au plus ${gap}, sur ${guest}.`,
  probeUnmeasured: 'Notre sonde extérieure n’a rien mesuré.',
  probePartly: ({ measured, all }) =>
    `Elle a couvert ${number(measured)} sur ${count(all, { one: '# serveur virtuel', other: '# serveurs virtuels' })}.`,
  probeUnwatched: (moves) =>
    count(moves, {
      one: '# déplacement n’a pas été suivi jusqu’au bout.',
      other: '# déplacements n’ont pas été suivis jusqu’au bout.',
    }),
  overBudget: ({ count: times, longest, budget }) =>
    `${count(times, { one: '# pause a dépassé', other: '# pauses ont dépassé' })} la limite convenue : ${longest}, pour une limite de ${budget}.`,
  reduced: (span) => `Le stockage a fonctionné avec une redondance réduite ${spanText(span)}.`,
  repair: ({ by, outcome, took }) => {
    const after = took === undefined ? '' : `, ${took} après l’ordre de travail`
    switch (outcome) {
      case 'repaired':
        return `${by} a réparé le nœud${after}.`
      case 'nothing-found':
        return `${by} a contrôlé le nœud sans trouver de défaut${after}. Nous le comptons comme une fausse alerte.`
      case 'cannot':
        return `${by} n’a pas pu réparer le nœud.`
    }
  },
  unverified: 'Le contrôle après la réparation n’a pas été réussi.',
  ending: {
    done: '',
    undone: 'Les travaux ont été arrêtés et nos changements ont été annulés.',
    failed: 'Les travaux ont été refusés avant que rien ne soit touché.',
    stuck: 'Une partie des travaux n’a pas pu être annulée. Nos équipes s’en occupent.',
    running: 'Les travaux ne sont pas terminés ; voici où ils en sont.',
  },
  nothingRemains: 'Il ne reste rien à faire pour vous.',
  stake: (guests) =>
    count(guests, {
      one: 'Si le nœud était tombé en panne, # de vos serveurs virtuels en marche se serait arrêté avec lui, jusqu’à son redémarrage.',
      other:
        'Si le nœud était tombé en panne, # de vos serveurs virtuels en marche se seraient arrêtés avec lui, jusqu’à leur redémarrage.',
    }),
  stakeRestart: ({ from, to, basis }) => `Un redémarrage prend de ${from} à ${to} (base : ${basis}).`,
  stakeUnmeasured: 'La durée d’un tel redémarrage n’a pas été mesurée ici.',
  stakeDoubt: 'Personne ne peut savoir s’il serait tombé en panne.',
  label: {
    title: ({ node, date }) => `Maintenance du nœud ${node}, ${date}`,
    for: 'Pour',
    simulated: 'Simulé',
    simulatedLong: 'Simulé : tous les chiffres viennent d’un laboratoire, non d’une vraie grappe.',
    short: 'En bref',
    stake: 'Ce qui était en jeu',
    annex: 'En détail',
    guests: 'Vos serveurs virtuels (machines et conteneurs)',
    when: 'Quand',
    way: 'Déplacement',
    pause: 'Pause',
    budget: 'limite',
    mode: { live: 'en marche', restart: 'redémarré', offline: 'à l’arrêt' },
    failed: 'n’a pas abouti',
    open: 'issue non consignée',
    unmeasured: 'non mesurée',
    whyUnmeasured: {
      'no-figure': 'l’hyperviseur n’a pas donné de chiffre',
      already: 'trouvé déjà fait ; personne ne l’a chronométré',
      'was-stopped': 'il n’était pas en marche',
      'not-moved': 'il est resté où il était',
      restart: 'personne n’a chronométré le redémarrage',
    },
    neverMoved: 'Pas déplacé.',
    movedByOthers: 'Aussi déplacé par d’autres que nous.',
    probe: 'Notre sonde extérieure',
    probeNone: 'Non mesuré : il n’y a pas de relevé pour vos serveurs virtuels.',
    lost: 'Sans réponse',
    every: (interval) => `toutes les ${interval}`,
    gap: 'Plus longue coupure',
    gapNone: 'aucune vue',
    guest: 'Serveur virtuel',
    repair: 'La réparation',
    found: 'Constaté',
    did: 'Fait',
    evidence: 'Comment nous le savons',
    evidenceText: ({ entries, maintenance }) =>
      `Tout ce qui précède vient du journal de la maintenance ${maintenance}, ${entries} entrées. Chaque entrée scelle la précédente ; un changement où que ce soit changerait le dernier sceau :`,
    lastHash: 'Dernier sceau (SHA-256)',
    zone: ({ zone, short }) => `Toutes les heures sont en ${zone === short ? zone : `heure de ${zone} (${short})`}.`,
    chart: {
      timeline: 'Ce qui s’est passé, et quand',
      away: 'Serveurs virtuels éloignés',
      off: 'Le nœud était éteint',
      repair: 'Travail sur place',
      home: 'Serveurs virtuels ramenés',
      redundancy: 'Redondance du stockage',
      whole: 'Toutes les copies présentes',
      reduced: 'Une copie de moins',
      probe: 'Ce que la sonde extérieure a vu',
      what: 'Quoi',
      watched: 'Observé',
      moved: 'Déplacé',
      probeLegend:
        'Ligne : observé. Pâle : le serveur virtuel se déplaçait. Orange : la plus longue coupure, plus haute si plus longue.',
    },
    asTable: 'En tableau',
    colon: '\u00a0: ',
  },
}
