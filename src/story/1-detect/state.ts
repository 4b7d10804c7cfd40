/** What the detector remembers: plain JSON, so that it can be stored after each batch and taken up by another process. */
import type { FindingClass, FindingLevel } from '#domain/finding'
import type { PartKind, PartState } from '#domain/signal'

/** Every limit of the detector, with its unit. Defaults: docs/decisions/0070 and 0071. */
export type DetectSettings = {
  /** Dropouts of one part closer than this are one episode … */
  readonly debounceMs: number
  /** … which is never longer than this, so that a part that flaps without rest goes on counting. */
  readonly episodeCeilingMs: number
  /** An episode counts when it is this old: until then records may come late, company may join, a reset may explain it. */
  readonly settleMs: number
  /** Parts that drop out within this time of each other may have one cause. */
  readonly sharedWithinMs: number
  /** A non-recoverable reading that lasts this long goes past the counter. */
  readonly lastingMs: number
  /** By the log alone a deassert may still be on its way: logs are read now and then, and records may come in disorder. */
  readonly logLagMs: number
  /** Two polls this far apart prove that a reading lasts. */
  readonly pollsApartMs: number
  /** A source may show only what is bad: after so long without a reading, an old one no longer stands. */
  readonly pollGapMs: number
  /** Shared losses and plain critical readings must last this long. */
  readonly longLastingMs: number
  /** A BMC that starts again shows fans at rest and writes records of them. */
  readonly resetGraceMs: number
  readonly sharedHalfLifeMs: number
  readonly sharedQuarantineAtScore: number
  readonly sharedDrainAdvisedAtScore: number
}

const SECOND = 1000
const MINUTE = 60 * SECOND
export const HOUR_MS = 60 * MINUTE
export const DAY_MS = 24 * HOUR_MS

export const DEFAULT_DETECT_SETTINGS: DetectSettings = {
  debounceMs: 5 * MINUTE,
  episodeCeilingMs: 30 * MINUTE,
  settleMs: 5 * MINUTE,
  sharedWithinMs: 2 * MINUTE,
  lastingMs: 60 * SECOND,
  logLagMs: 5 * MINUTE,
  pollsApartMs: 50 * SECOND,
  pollGapMs: 15 * MINUTE,
  longLastingMs: 5 * MINUTE,
  resetGraceMs: 5 * MINUTE,
  sharedHalfLifeMs: 72 * HOUR_MS,
  sharedQuarantineAtScore: 1.1,
  sharedDrainAdvisedAtScore: 2.1,
}

/** One dropout of one part, after debounce. Times are ours, as far as the log's clock lets us place it (log-clock.ts). */
export type Episode = {
  startMs: number
  lastMs: number
  /** When we heard of it first: a finding that it decides bears this time. */
  seenMs: number
  /** Some log record stands behind it, not readings alone. */
  logged: boolean
  /** 1, or 0.5 for what never went beyond a warning or was merely unreadable. */
  weight: number
  /** waiting: others may still join; counted: evidence against the part; shared, dismissed: none. */
  is: 'waiting' | 'counted' | 'shared' | 'dismissed'
  durationMs: number | null
  /** All readings in it were above zero: what turns and is called too slow may have a threshold that is wrong. */
  spinning: boolean
}

/** Two sums of evidence at one time: for a fault of about one dropout a day, and for one of two an hour (evidence.ts). */
export type Evidence = {
  readonly atMs: number
  readonly slow: number
  readonly fast: number
  /** Episodes since the slow sum last rose from nothing, and the first of them. */
  readonly count: number
  readonly sinceMs: number
  /** Some of them went beyond a warning. */
  readonly severe: boolean
}

/** What is remembered of a part that was not always well. */
export type Trouble = {
  /** States asserted or read now, with the time since when. */
  open: Partial<Record<PartState, number>>
  /** The record that opened a state: an older deassert that comes late does not close it. */
  openedById: Partial<Record<PartState, number>>
  openSinceMs: number | null
  /** The BMC's time of the assert that opened it; none where a reading did. */
  openSinceLogMs: number | null
  /** A deassert would have come by now, so that its absence says something. */
  logProves: boolean
  /** Readings since it opened. */
  openPolls: { count: number; lastMs: number }
  /** The highest record id that closed a state: an older assert that comes late does not open it again. */
  closedById: Partial<Record<PartState | 'all', number>>
  highestId: number
  severe: {
    sinceMs: number
    byLog: boolean
    pollCount: number
    lastPollMs: number
    fromId: number
    logMs: number
  } | null
  /** In order of their start. */
  episodes: Episode[]
  /** Evidence of episodes that are no longer in the list. */
  base: Evidence | null
  /** How long the last severe loss lasted by both edges in the log; 0 where there was none, or it is told. */
  lastedMs: number
  /** The records of its two edges. */
  lastedIds: [number, number]
  /** When time alone may change something here, and until when it has company to expect. */
  dueMs: number | null
  restlessUntilMs: number
  /** How many episodes of this part stand in the fleet's baseline, and the last of them (baseline.ts). */
  contributed: number
  contributedAtMs: number
}

export type PartRecord = {
  readonly kind: PartKind
  readonly model?: string
  /** When we first heard of it; none for a part that a fleet file named before anything was heard. */
  readonly sinceMs: number | null
  /** The last value of a counter of errors that only rises. */
  readonly counter?: number
  /** Temperatures, oldest first: some minutes apart, for the slope. */
  readonly heat?: readonly (readonly [atMs: number, celsius: number])[]
  /** The one field that is changed in place, and only on a record that was copied for it. */
  trouble?: Trouble
}

/** One moment in which what several parts share let go. */
export type SharedEvent = {
  startMs: number
  lastMs: number
  seenMs: number
  parts: string[]
  /** 'yes': all readings above zero, so the fans turn and a threshold may be wrong. */
  spinning: 'yes' | 'no' | 'unknown'
  /** The BMC could not read them: that speaks of the BMC, not of the parts. */
  onlyUnreadable: boolean
  /** Share of the node's parts of that kind. */
  fraction: number
  is: 'waiting' | 'counted' | 'dismissed'
}

/** How the BMC's clock stands to ours, from the records that it wrote. */
export type LogClock = {
  /** To be added to the BMC's time. */
  skewMs: number
  /** Some record proved it: it came soon after it was written, or contradicted what was believed before. */
  trusted: boolean
  /** A record lay where a reading had seen the same dropout: what comes late then is a slow log, not a wrong clock. */
  proven: boolean
  /** The latest record by id: when it came and where it was placed. */
  id: number
  arrivedMs: number
  placedMs: number
}

export type NodeRecord = {
  nowMs: number
  /** When something here comes to pass without a signal; null where nothing waits. */
  dueMs: number | null
  clock: LogClock | null
  /** The BMC's log since it was last cleared: ranges of record ids already seen, and those of the log before. */
  seen: [number, number][]
  seenBefore: [number, number][]
  clearedAtMs: number | null
  /** By the BMC's clock: what it wrote before that is of the old log. */
  clearedLogMs: number | null
  resetAtMs: number | null
  unreachable: boolean
  /** No more edges are written: the log proves nothing of what lasts. */
  logFull: boolean
  /** The last reading of anything in band: this source shows what is well too. */
  okReadAtMs: number | null
  parts: Record<string, PartRecord>
  /** Other names under which a part of `parts` appeared. */
  aliases: Record<string, string>
  /** Parts that are open or have an episode that waits: all that time can change. */
  restless: string[]
  shared: SharedEvent[]
  /** Undebounced, for the rhythm of a threshold that is set wrongly. */
  sharedOnsetsMs: number[]
  sharedScore: number
  sharedScoreAtMs: number
  standing: Record<string, { level: FindingLevel; class: FindingClass; falseAlarms: number | 'unknown' }>
}

/** `unsure`: verdicts on parts whose kind nobody could tell are in neither count. */
export type Verdicts = { real: number; nothingFound: number }

/** What parts of one kind (or kind and model) do while they are thought healthy. Exposure runs by itself: `parts` × time. */
export type Exposure = { parts: number; partMs: number; atMs: number; episodes: number }

/** What came in and was left out, or taken with care: how often, and the first of it. */
export type Oddity = 'unknown-part' | 'two-names' | 'out-of-order' | 'stale-reading' | 'wrong-clock' | 'too-late'
export type Noticed = Partial<Record<Oddity, { readonly count: number; readonly first: string }>>

export const DETECTOR_FORMAT = 'coulisse/detector@2'

export type DetectorState = {
  readonly format: typeof DETECTOR_FORMAT
  readonly settings: DetectSettings
  readonly nodes: Readonly<Record<string, NodeRecord>>
  readonly verdicts: Readonly<Verdicts>
  /** By kind, and by kind and model. */
  readonly exposures: Readonly<Record<string, Exposure>>
  /** When the first signal came; null before. */
  readonly beganAtMs: number | null
  readonly nowMs: number
  /** Findings given against parts or what they share, and how many were taken back by a repair. */
  readonly given: number
  /** The parts were named beforehand: another one is said. */
  readonly fleetIsKnown: boolean
  readonly noticed: Noticed
}

export const newTrouble = (): Trouble => ({
  open: {},
  openedById: {},
  openSinceMs: null,
  openSinceLogMs: null,
  logProves: false,
  openPolls: { count: 0, lastMs: 0 },
  closedById: {},
  highestId: -1,
  severe: null,
  episodes: [],
  base: null,
  lastedMs: 0,
  lastedIds: [0, 0],
  dueMs: null,
  restlessUntilMs: 0,
  contributed: 0,
  contributedAtMs: 0,
})

export const newNodeRecord = (nowMs: number): NodeRecord => ({
  nowMs,
  dueMs: null,
  clock: null,
  seen: [],
  seenBefore: [],
  clearedAtMs: null,
  clearedLogMs: null,
  resetAtMs: null,
  unreachable: false,
  logFull: false,
  okReadAtMs: null,
  parts: {},
  aliases: {},
  restless: [],
  shared: [],
  sharedOnsetsMs: [],
  sharedScore: 0,
  sharedScoreAtMs: 0,
  standing: {},
})

/** What is left of a score after `elapsedMs`. */
export const decayed = (score: number, elapsedMs: number, halfLifeMs: number) =>
  score * 2 ** (-Math.max(0, elapsedMs) / halfLifeMs)

export function isInResetGrace(node: NodeRecord, atMs: number, settings: DetectSettings): boolean {
  return node.resetAtMs !== null && atMs - node.resetAtMs < settings.resetGraceMs
}
