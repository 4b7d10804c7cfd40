/** What the detector remembers: plain JSON, so that it can be stored after each batch and taken up by another process. */
import type { FindingClass, FindingLevel } from '#domain/finding'
import type { PartKind, PartState } from '#domain/signal'

/** Every limit of the detector, with its unit. Defaults: docs/decisions/0070. */
export type DetectSettings = {
  /** Dropouts of one part closer than this are one episode … */
  readonly debounceMs: number
  /** … which is never longer than this, so that a part that flaps without rest goes on counting. */
  readonly episodeCeilingMs: number
  /** Parts that drop out within this time of each other may have one cause; an episode counts only when it has passed. */
  readonly sharedWithinMs: number
  readonly halfLifeMs: number
  readonly quarantineAtScore: number
  readonly drainAdvisedAtScore: number
  /** A non-recoverable reading that lasts this long goes past the counter. */
  readonly lastingMs: number
  /** By the log alone a deassert may still be on its way: logs are read once a minute or so. */
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
const HOUR = 60 * MINUTE

export const DEFAULT_DETECT_SETTINGS: DetectSettings = {
  debounceMs: 5 * MINUTE,
  episodeCeilingMs: 10 * MINUTE,
  sharedWithinMs: 2 * MINUTE,
  halfLifeMs: 24 * HOUR,
  quarantineAtScore: 2,
  drainAdvisedAtScore: 3,
  lastingMs: 60 * SECOND,
  logLagMs: 60 * SECOND,
  pollsApartMs: 50 * SECOND,
  pollGapMs: 15 * MINUTE,
  longLastingMs: 5 * MINUTE,
  resetGraceMs: 5 * MINUTE,
  sharedHalfLifeMs: 72 * HOUR,
  sharedQuarantineAtScore: 1.1,
  sharedDrainAdvisedAtScore: 2.1,
}

/** One dropout of one part, after debounce. Times are ours; `log…` those of the BMC, good for differences only. */
export type Episode = {
  startMs: number
  lastMs: number
  logStartMs: number | null
  logLastMs: number | null
  /** 1, or 0.5 for what never went beyond a warning or was merely unreadable. */
  weight: number
  /** waiting: others may still join; counted: evidence against the part; shared, dismissed: none. */
  is: 'waiting' | 'counted' | 'shared' | 'dismissed'
  durationMs: number | null
}

export type PartRecord = {
  kind: PartKind
  model: string | null
  /** States asserted or read now, with the time since when. */
  open: Partial<Record<PartState, number>>
  /** The record that opened a state: an older deassert that comes late does not close it. */
  openedById: Partial<Record<PartState, number>>
  openSinceMs: number | null
  /** The BMC's time of the assert that opened it; none where a reading did. */
  openSinceLogMs: number | null
  /** Readings since it opened. */
  openPolls: { count: number; lastMs: number }
  /** The highest record id that closed a state: an older assert that comes late does not open it again. */
  closedById: Partial<Record<PartState | 'all', number>>
  highestId: number
  severe: { sinceMs: number; byLog: boolean; pollCount: number; lastPollMs: number } | null
  episodes: Episode[]
  score: number
  scoreAtMs: number
}

/** One moment in which what several parts share let go. */
export type SharedEvent = {
  startMs: number
  lastMs: number
  parts: string[]
  /** 'yes': all readings above zero, so the fans turn and a threshold may be wrong. */
  spinning: 'yes' | 'no' | 'unknown'
  /** The BMC could not read them: that speaks of the BMC, not of the parts. */
  onlyUnreadable: boolean
  /** Share of the node's parts of that kind. */
  fraction: number
  is: 'waiting' | 'counted' | 'dismissed'
}

export type NodeRecord = {
  nowMs: number
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
  parts: Record<string, PartRecord>
  shared: SharedEvent[]
  /** Undebounced, for the rhythm of a threshold that is set wrongly. */
  sharedOnsetsMs: number[]
  sharedScore: number
  sharedScoreAtMs: number
  standing: Record<string, { level: FindingLevel; class: FindingClass }>
}

export type Verdicts = { real: number; nothingFound: number }

export type DetectorState = {
  readonly format: 'coulisse/detector@1'
  readonly settings: DetectSettings
  readonly nodes: Readonly<Record<string, NodeRecord>>
  readonly verdicts: Readonly<Verdicts>
}

export const newPartRecord = (kind: PartKind, model?: string): PartRecord => ({
  kind,
  model: model ?? null,
  open: {},
  openedById: {},
  openSinceMs: null,
  openSinceLogMs: null,
  openPolls: { count: 0, lastMs: 0 },
  closedById: {},
  highestId: -1,
  severe: null,
  episodes: [],
  score: 0,
  scoreAtMs: 0,
})

export const newNodeRecord = (nowMs: number): NodeRecord => ({
  nowMs,
  seen: [],
  seenBefore: [],
  clearedAtMs: null,
  clearedLogMs: null,
  resetAtMs: null,
  unreachable: false,
  logFull: false,
  parts: {},
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
