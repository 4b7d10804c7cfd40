/** Tells what one part does from what several parts of a node do together: a bus, a connector, a supply, a threshold. */
import type { PartSignal } from '#domain/signal'
import { type DetectSettings, decayed, isInResetGrace, type NodeRecord, type SharedEvent } from './state.ts'

const SEVERAL_PARTS = 3
const EVENTS_LIMIT = 12
const ONSETS_LIMIT = 12
/** A fan controller that hunts around a threshold swings within minutes: two such losses alone do not tell bus from threshold. */
const SWING_LIMIT_MS = 30 * 60_000
const RHYTHM_ONSETS_AT_LEAST = 4
/** Standard deviation over mean of the gaps: a rhythm stays below this, chance (Poisson) is about 1. */
const RHYTHM_VARIATION_LIMIT = 0.2
const ALL_FRACTION = 0.8

/**
 * Looks whether the part that just dropped out has company. If so, their episodes are no evidence against each of them,
 * and the node's own counter waits for the event to settle.
 */
export function joinShared(node: NodeRecord, signal: PartSignal, nowMs: number, settings: DetectSettings): void {
  if (!hasCommonCause(signal.kind)) return
  const together = Object.entries(node.parts).filter(([, part]) => {
    const last = part.episodes.at(-1)
    return last !== undefined && hasCommonCause(part.kind) && nowMs - last.lastMs <= settings.sharedWithinMs
  })
  const sameKind = together.filter(([, part]) => part.kind === signal.kind)
  const knownCount = Object.values(node.parts).filter((part) => part.kind === signal.kind).length
  const current = node.shared.at(-1)
  // Who follows within the time joins, so that fans that recover one after another are not accused one by one.
  const follows = current !== undefined && nowMs - current.lastMs <= settings.sharedWithinMs
  if (!follows && together.length < SEVERAL_PARTS && !isHalf(signal, sameKind.length, knownCount)) return
  for (const [, part] of together) {
    const last = part.episodes.at(-1)
    if (last?.is === 'waiting') last.is = 'shared'
  }
  const names = together.map(([name]) => name)
  noteEvent(node, { signal, names, fraction: sameKind.length / knownCount, nowMs, settings })
}

/** A temperature follows from a lost fan, a memory error from nothing that is shared. */
const hasCommonCause = (kind: PartSignal['kind']) => kind !== 'temperature' && kind !== 'memory'

/** Two supplies are all there are. Two fans are half of four or three; of fewer we may not have seen the others yet. */
function isHalf(signal: PartSignal, count: number, knownCount: number): boolean {
  if (count < 2) return false
  if (signal.kind === 'psu') return count * 2 > knownCount
  return knownCount > 2 && count * 2 >= knownCount
}

type Company = {
  readonly signal: PartSignal
  readonly names: readonly string[]
  readonly fraction: number
  readonly nowMs: number
  readonly settings: DetectSettings
}

function noteEvent(node: NodeRecord, { signal, names, fraction, nowMs, settings }: Company): void {
  const last = node.shared.at(-1)
  const swing = node.sharedOnsetsMs.at(-1)
  if (swing === undefined || nowMs - swing > settings.sharedWithinMs) {
    node.sharedOnsetsMs.push(nowMs)
    if (node.sharedOnsetsMs.length > ONSETS_LIMIT) node.sharedOnsetsMs.shift()
  }
  const again = last && nowMs - last.lastMs < settings.debounceMs && nowMs - last.startMs < settings.episodeCeilingMs
  if (again) {
    last.lastMs = nowMs
    last.parts = [...new Set([...last.parts, ...names])]
    last.fraction = Math.max(last.fraction, fraction)
    last.spinning = worse(last.spinning, spinningOf(signal))
    last.onlyUnreadable &&= signal.state === 'unreadable'
    return
  }
  const isQuiet =
    isInResetGrace(node, nowMs, settings) ||
    (node.clearedAtMs !== null && nowMs - node.clearedAtMs < settings.resetGraceMs)
  node.shared.push({
    startMs: nowMs,
    lastMs: nowMs,
    parts: [...names],
    spinning: spinningOf(signal),
    onlyUnreadable: signal.state === 'unreadable',
    fraction,
    is: isQuiet ? 'dismissed' : 'waiting',
  })
  if (node.shared.length > EVENTS_LIMIT) node.shared.shift()
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
  node.sharedScoreAtMs = event.startMs
  const counted = node.shared.filter(({ is }) => is === 'counted')
  return { is: meaningOf(node, counted, event), score: node.sharedScore }
}

function meaningOf(node: NodeRecord, counted: readonly SharedEvent[], event: SharedEvent): SharedVerdict['is'] {
  const isRhythm = hasRhythm(node.sharedOnsetsMs) && event.fraction >= ALL_FRACTION
  switch (event.spinning) {
    case 'yes':
      // Fans that turn and are called too slow, all at once: the threshold first, the bus only when there is no rhythm at all.
      if (isRhythm) return 'threshold'
      return counted.length > RHYTHM_ONSETS_AT_LEAST ? 'common-cause' : 'open'
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
function hasRhythm(timesMs: readonly number[]): boolean {
  if (timesMs.length < RHYTHM_ONSETS_AT_LEAST) return false
  const gaps = timesMs.slice(1).map((time, index) => time - (timesMs[index] ?? time))
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length
  return mean > 0 && Math.sqrt(variance) / mean <= RHYTHM_VARIATION_LIMIT
}
