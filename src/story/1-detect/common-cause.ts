/** Tells what one part does from what several parts of a node do together: a bus, a connector, a supply, a threshold. */
import type { PartKind, PartSignal } from '#domain/signal'
import {
  type DetectSettings,
  decayed,
  type Episode,
  isInResetGrace,
  type NodeRecord,
  type PartRecord,
  type SharedEvent,
} from './state.ts'

const SEVERAL_PARTS = 3
const SEVERAL_OF_A_KIND = 2
const EVENTS_LIMIT = 12
const ONSETS_LIMIT = 12
/** A fan controller that hunts around a threshold swings within minutes: two such losses alone do not tell bus from threshold. */
const SWING_LIMIT_MS = 30 * 60_000
const RHYTHM_ONSETS_AT_LEAST = 4
/** Standard deviation over mean of the gaps: a rhythm stays below this, chance (Poisson) is about 1. */
const RHYTHM_VARIATION_LIMIT = 0.2
/** Of one fan alone: two gaps are equal by chance more easily than many. */
const OWN_RHYTHM_VARIATION_LIMIT = 0.12
const ALL_FRACTION = 0.8

export type Joined = {
  readonly node: NodeRecord
  readonly signal: PartSignal
  /** Of the part as it is known; a signal may call it otherwise. */
  readonly kind: PartKind
  /** When it happened, in our time. */
  readonly atMs: number
  readonly settings: DetectSettings
}

type Companion = { readonly name: string; readonly part: PartRecord; readonly episode: Episode }

/**
 * Looks whether the part that just dropped out has company. If so, their episodes are no evidence against each of them,
 * and the node's own counter waits for the event to settle. True where there was company.
 */
export function joinShared(joined: Joined): boolean {
  const { node, kind, atMs, settings } = joined
  if (!hasCommonCause(kind)) return false
  const together = node.restless.flatMap((name): Companion[] => {
    const part = node.parts[name]
    if (!part || !hasCommonCause(part.kind)) return []
    const episode = part.trouble?.episodes.find((one) => isWithin(one, atMs, settings))
    return episode ? [{ name, part, episode }] : []
  })
  const sameKind = together.filter(({ part }) => part.kind === kind)
  // Who follows within the time joins, so that fans that recover one after another are not accused one by one.
  const follows = node.shared.some((event) => isWithin(event, atMs, settings))
  if (!follows && together.length < SEVERAL_PARTS && sameKind.length < SEVERAL_OF_A_KIND) return false
  for (const { episode } of together) if (episode.is === 'waiting') episode.is = 'shared'
  const knownCount = Object.values(node.parts).filter((part) => part.kind === kind).length
  noteEvent(joined, { names: together.map(({ name }) => name), fraction: sameKind.length / Math.max(1, knownCount) })
  return true
}

const isWithin = ({ startMs, lastMs }: { startMs: number; lastMs: number }, atMs: number, settings: DetectSettings) =>
  atMs >= startMs - settings.sharedWithinMs && atMs <= lastMs + settings.sharedWithinMs

/** A temperature follows from a lost fan, a memory error from nothing that is shared; of unknown parts nobody knows what they share. */
const hasCommonCause = (kind: PartKind) => kind !== 'temperature' && kind !== 'memory' && kind !== 'other'

type Company = { readonly names: readonly string[]; readonly fraction: number }

function noteEvent({ node, signal, atMs, settings }: Joined, { names, fraction }: Company): void {
  const swing = node.sharedOnsetsMs.at(-1)
  if (swing === undefined || Math.abs(atMs - swing) > settings.sharedWithinMs) {
    node.sharedOnsetsMs.push(atMs)
    node.sharedOnsetsMs.sort((a, b) => a - b)
    if (node.sharedOnsetsMs.length > ONSETS_LIMIT) node.sharedOnsetsMs.shift()
  }
  const again = node.shared.find(
    ({ startMs, lastMs }) =>
      atMs > startMs - settings.debounceMs &&
      atMs < lastMs + settings.debounceMs &&
      Math.max(atMs, lastMs) - Math.min(atMs, startMs) < settings.episodeCeilingMs,
  )
  if (again) {
    again.lastMs = Math.max(again.lastMs, atMs)
    again.parts = [...new Set([...again.parts, ...names])].sort()
    again.fraction = Math.max(again.fraction, fraction)
    again.spinning = worse(again.spinning, spinningOf(signal))
    again.onlyUnreadable &&= signal.state === 'unreadable'
    return
  }
  const isQuiet =
    isInResetGrace(node, node.nowMs, settings) ||
    (node.clearedAtMs !== null && node.nowMs - node.clearedAtMs < settings.resetGraceMs)
  node.shared.push({
    startMs: atMs,
    lastMs: atMs,
    seenMs: node.nowMs,
    parts: [...names].sort(),
    spinning: spinningOf(signal),
    onlyUnreadable: signal.state === 'unreadable',
    fraction,
    is: isQuiet ? 'dismissed' : 'waiting',
  })
  node.shared.sort((a, b) => a.startMs - b.startMs)
  if (node.shared.length > EVENTS_LIMIT && node.shared[0]?.is !== 'waiting') node.shared.shift()
}

function spinningOf({ value, state }: PartSignal): SharedEvent['spinning'] {
  if (value === undefined) return state === 'absent' ? 'no' : 'unknown'
  return value > 0 ? 'yes' : 'no'
}

/** One fan at rest is enough to say that this is no threshold. */
function worse(one: SharedEvent['spinning'], other: SharedEvent['spinning']): SharedEvent['spinning'] {
  if (one === 'no' || other === 'no') return 'no'
  return one === 'yes' && other === 'yes' ? 'yes' : one === 'unknown' ? other : one
}

export type SharedVerdict = { readonly is: 'common-cause' | 'threshold' | 'open'; readonly score: number }

/** Counts a settled event and says what the events so far mean. */
export function countShared(node: NodeRecord, event: SharedEvent, settings: DetectSettings): SharedVerdict {
  event.is = 'counted'
  const before = decayed(node.sharedScore, event.startMs - node.sharedScoreAtMs, settings.sharedHalfLifeMs)
  node.sharedScore = before + 1
  node.sharedScoreAtMs = Math.max(event.startMs, node.sharedScoreAtMs)
  const counted = node.shared.filter(({ is }) => is === 'counted')
  return { is: meaningOf(node, counted, event), score: node.sharedScore }
}

function meaningOf(node: NodeRecord, counted: readonly SharedEvent[], event: SharedEvent): SharedVerdict['is'] {
  const isAll = event.fraction >= ALL_FRACTION
  const isRhythm = isAll && hasRhythm(node.sharedOnsetsMs)
  switch (event.spinning) {
    case 'yes':
      // Fans that turn and are called too slow, all at once: the threshold first, the bus only when there is no rhythm at all.
      if (isRhythm) return 'threshold'
      return counted.length > (isAll ? RHYTHM_ONSETS_AT_LEAST : 1) ? 'common-cause' : 'open'
    case 'no':
      return counted.length >= 2 ? 'common-cause' : 'open'
    case 'unknown': {
      if (isRhythm) return 'threshold'
      const previous = counted.at(-2)
      if (!previous) return 'open'
      const isSwing = event.startMs - previous.startMs < SWING_LIMIT_MS && counted.length < RHYTHM_ONSETS_AT_LEAST
      return isSwing ? 'open' : 'common-cause'
    }
  }
}

/** Whether the gaps between the times are nearly equal. */
const hasRhythm = (timesMs: readonly number[]) =>
  timesMs.length >= RHYTHM_ONSETS_AT_LEAST && variationOf(timesMs) <= RHYTHM_VARIATION_LIMIT

/** Standard deviation over mean of the gaps between the times. */
function variationOf(timesMs: readonly number[]): number {
  const gaps = timesMs.slice(1).map((time, index) => time - (timesMs[index] ?? time))
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length
  return mean > 0 ? Math.sqrt(variance) / mean : Number.POSITIVE_INFINITY
}

/** Even gaps of a fan that never stood still: its threshold, or its speed control. Before its third time nobody can tell. */
export function ownRhythm(episodes: readonly Episode[]): 'no' | 'too-early' | 'yes' {
  if (!episodes.every(({ spinning }) => spinning)) return 'no'
  if (episodes.length < 3) return 'too-early'
  return variationOf(episodes.map(({ startMs }) => startMs)) <= OWN_RHYTHM_VARIATION_LIMIT ? 'yes' : 'no'
}
