/** The sentences of the public story, in the three languages. Facts come formatted. */
import type { FindingClass } from '#domain/finding'
import { formatsFor, type Language } from '../formats.ts'
import type { PartWord } from '../words.ts'

export type PublicWords = {
  readonly title: (part: PartWord) => string
  readonly saw: (facts: {
    readonly part: PartWord
    readonly class: FindingClass
    readonly times: number
    readonly span?: string
  }) => string
  readonly moved: (facts: { readonly live: number; readonly restarted: number }) => string
  readonly hands: (took: string | undefined) => string
  readonly outcome: Record<'repaired' | 'nothing-found' | 'cannot' | 'not-reached', string>
  readonly pause: (facts: { readonly longest: string; readonly unmeasured: number; readonly all: number }) => string
  readonly pauseUnmeasured: string
  readonly overBudget: (count: number) => string
  readonly home: (facts: { readonly home: number; readonly all: number }) => string
  readonly doubt: string
  readonly draft: string
  readonly wrote: string
  readonly picture: string
  readonly thread: string
  readonly card: { readonly moved: string; readonly pause: string; readonly hands: string; readonly unmeasured: string }
}

const en = formatsFor('en')
const fr = formatsFor('fr')
const es = formatsFor('es')

const EN_PART: Record<PartWord, string> = {
  fan: 'a fan',
  psu: 'a power supply',
  memory: 'a memory module',
  disk: 'a disk',
  part: 'a part',
  hardware: 'something that its parts share',
}

const ENGLISH: PublicWords = {
  title: (part) => `What we did when ${EN_PART[part]} faltered`,
  saw: ({ part, class: kind, times, span }) =>
    kind === 'intermittent'
      ? `In one of our servers, ${EN_PART[part]} stopped ${en.count(times, { one: 'once', other: '# times' })}${span === undefined ? '' : ` in ${span}`} and started again each time.`
      : `One of our servers reported a fault: ${EN_PART[part]}.`,
  moved: ({ live, restarted }) =>
    `We moved ${en.count(live, { one: '# virtual machine', other: '# virtual machines' })} to other servers while they ran${
      restarted > 0 ? en.count(restarted, { one: ', restarted # more', other: ', restarted # more' }) : ''
    }, and switched the server off.`,
  hands: (took) =>
    `A technician worked on it${took === undefined ? '' : `; ${took} after the order we had the answer`}.`,
  outcome: {
    repaired: 'It is repaired, and was checked before anything went back.',
    'nothing-found': 'Nothing wrong was found: a false alarm, and we count it as one.',
    cannot: 'It could not be repaired, and stays out.',
    'not-reached': 'No technician has answered yet.',
  },
  pause: ({ longest, unmeasured, all }) =>
    `The longest pause that the hypervisor measured was ${longest}.${
      unmeasured > 0
        ? ` For ${unmeasured} of ${en.count(all, { one: '# move', other: '# moves' })} it gave no figure.`
        : ''
    }`,
  pauseUnmeasured: 'How long the pauses were, nobody measured.',
  overBudget: (count) =>
    en.count(count, { one: '# pause was longer than agreed.', other: '# pauses were longer than agreed.' }),
  home: ({ home, all }) =>
    `${en.number(home)} of ${en.count(all, { one: '# is back', other: '# are back' })} where they were.`,
  doubt: 'Whether the server would have failed, nobody can know.',
  draft: 'Draft. A person reads and edits it; nothing is posted by itself.',
  wrote: 'The technician wrote (check it for names before you publish it)',
  picture: 'Picture: the technician’s own, if he releases it.',
  thread: 'As a short thread',
  card: {
    moved: 'moved while running',
    pause: 'longest pause measured',
    hands: 'from order to answer',
    unmeasured: 'not measured',
  },
}

const FR_PART: Record<PartWord, string> = {
  fan: 'un ventilateur',
  psu: 'une alimentation',
  memory: 'un module mémoire',
  disk: 'un disque',
  part: 'une pièce',
  hardware: 'un élément que ses pièces partagent',
}

const FRENCH: PublicWords = {
  title: (part) => `Ce que nous avons fait quand ${FR_PART[part]} a flanché`,
  saw: ({ part, class: kind, times, span }) =>
    kind === 'intermittent'
      ? `Dans un de nos serveurs, ${FR_PART[part]} s’est arrêté ${fr.count(times, { one: 'une fois', other: '# fois' })}${span === undefined ? '' : ` en ${span}`} et a repris à chaque fois.`
      : `Un de nos serveurs a signalé un défaut : ${FR_PART[part]}.`,
  moved: ({ live, restarted }) =>
    `Nous avons déplacé ${fr.count(live, { one: '# machine virtuelle', other: '# machines virtuelles' })} en marche vers d’autres serveurs${
      restarted > 0 ? fr.count(restarted, { one: ', redémarré # autre', other: ', redémarré # autres' }) : ''
    }, puis éteint le serveur.`,
  hands: (took) =>
    `Un technicien y a travaillé${took === undefined ? '' : ` ; ${took} après l’ordre, nous avions la réponse`}.`,
  outcome: {
    repaired: 'Il est réparé, et a été contrôlé avant que rien n’y retourne.',
    'nothing-found': 'Rien d’anormal n’a été trouvé : une fausse alerte, et nous la comptons.',
    cannot: 'Il n’a pas pu être réparé et reste à l’écart.',
    'not-reached': 'Aucun technicien n’a encore répondu.',
  },
  pause: ({ longest, unmeasured, all }) =>
    `La plus longue pause mesurée par l’hyperviseur a été de ${longest}.${
      unmeasured > 0
        ? ` Pour ${unmeasured} sur ${fr.count(all, { one: '# déplacement', other: '# déplacements' })}, il n’a pas donné de chiffre.`
        : ''
    }`,
  pauseUnmeasured: 'Personne n’a mesuré la durée des pauses.',
  overBudget: (count) =>
    fr.count(count, {
      one: '# pause a dépassé la limite convenue.',
      other: '# pauses ont dépassé la limite convenue.',
    }),
  home: ({ home, all }) => `${fr.number(home)} sur ${fr.number(all)} sont là où elles étaient.`,
  doubt: 'Si le serveur serait tombé en panne, personne ne peut le savoir.',
  draft: 'Brouillon. Une personne le lit et le corrige ; rien n’est publié tout seul.',
  wrote: 'Le technicien a écrit (vérifiez les noms avant de publier)',
  picture: 'Photo : celle du technicien, s’il l’accorde.',
  thread: 'En un court fil',
  card: {
    moved: 'déplacées en marche',
    pause: 'plus longue pause mesurée',
    hands: 'de l’ordre à la réponse',
    unmeasured: 'non mesuré',
  },
}

const ES_PART: Record<PartWord, string> = {
  fan: 'un ventilador',
  psu: 'una fuente de alimentación',
  memory: 'un módulo de memoria',
  disk: 'un disco',
  part: 'una pieza',
  hardware: 'algo que sus piezas comparten',
}

const SPANISH: PublicWords = {
  title: (part) => `Lo que hicimos cuando ${ES_PART[part]} empezó a fallar`,
  saw: ({ part, class: kind, times, span }) =>
    kind === 'intermittent'
      ? `En uno de nuestros servidores, ${ES_PART[part]} se paró ${es.count(times, { one: 'una vez', other: '# veces' })}${span === undefined ? '' : ` en ${span}`} y cada vez volvió a funcionar.`
      : `Uno de nuestros servidores avisó de un defecto: ${ES_PART[part]}.`,
  moved: ({ live, restarted }) =>
    `Movimos ${es.count(live, { one: '# máquina virtual', other: '# máquinas virtuales' })} en marcha a otros servidores${
      restarted > 0 ? es.count(restarted, { one: ', reiniciamos # más', other: ', reiniciamos # más' }) : ''
    } y apagamos el servidor.`,
  hands: (took) =>
    `Un técnico trabajó en él${took === undefined ? '' : `; ${took} después del encargo teníamos la respuesta`}.`,
  outcome: {
    repaired: 'Está reparado, y se comprobó antes de que nada volviera.',
    'nothing-found': 'No se encontró nada: una falsa alarma, y la contamos.',
    cannot: 'No se pudo reparar y queda fuera.',
    'not-reached': 'Ningún técnico ha respondido todavía.',
  },
  pause: ({ longest, unmeasured, all }) =>
    `La pausa más larga que midió el hipervisor fue de ${longest}.${
      unmeasured > 0
        ? ` Para ${unmeasured} de ${es.count(all, { one: '# traslado', other: '# traslados' })} no dio ninguna cifra.`
        : ''
    }`,
  pauseUnmeasured: 'Nadie midió cuánto duraron las pausas.',
  overBudget: (count) =>
    es.count(count, { one: '# pausa superó el límite acordado.', other: '# pausas superaron el límite acordado.' }),
  home: ({ home, all }) => `${es.number(home)} de ${es.number(all)} están donde estaban.`,
  doubt: 'Si el servidor habría fallado, nadie puede saberlo.',
  draft: 'Borrador. Una persona lo lee y lo corrige; nada se publica solo.',
  wrote: 'El técnico escribió (compruebe los nombres antes de publicarlo)',
  picture: 'Foto: la del propio técnico, si la cede.',
  thread: 'En un hilo corto',
  card: {
    moved: 'trasladadas en marcha',
    pause: 'pausa más larga medida',
    hands: 'del encargo a la respuesta',
    unmeasured: 'no medido',
  },
}

const WORDS: Record<Language, PublicWords> = { en: ENGLISH, fr: FRENCH, es: SPANISH }
export const publicWordsFor = (language: Language): PublicWords => WORDS[language]
