/**
 * Weighs episodes against what healthy parts do: two Poisson CUSUMs, one for a fault of a dropout a day, one for two an hour.
 * A sum rises by ln(faulty rate / healthy rate) with each episode, falls with time at the difference of the rates, and never
 * below nothing (Lucas 1985). The first sum to reach its threshold speaks; thresholds: thresholds.ts.
 */
import { DAY_MS, type Evidence } from './state.ts'
import type { Thresholds } from './thresholds.ts'

/** The rates of a faulty part that the two sums look for, in episodes a day. */
export const SLOW_PER_DAY = 1
export const FAST_PER_DAY = 48

/** One sum after an episode: what was left of it, and the news. */
export function stepSum(
  before: number,
  elapsedMs: number,
  rates: { readonly faultyPerDay: number; readonly healthyPerDay: number },
  weight = 1,
): { readonly left: number; readonly sum: number } {
  const { faultyPerDay, healthyPerDay } = rates
  const left = Math.max(0, before - (faultyPerDay - healthyPerDay) * (Math.max(0, elapsedMs) / DAY_MS))
  return { left, sum: left + weight * Math.log(faultyPerDay / healthyPerDay) }
}

type Counted = { readonly startMs: number; readonly weight: number }

/** The evidence after one more episode, where healthy parts show `healthyPerDay`. */
export function addEpisode(before: Evidence | null, episode: Counted, healthyPerDay: number): Evidence {
  const { startMs, weight } = episode
  const elapsedMs = before === null ? 0 : startMs - before.atMs
  const slow = stepSum(before?.slow ?? 0, elapsedMs, { faultyPerDay: SLOW_PER_DAY, healthyPerDay }, weight)
  const fast = stepSum(before?.fast ?? 0, elapsedMs, { faultyPerDay: FAST_PER_DAY, healthyPerDay }, weight)
  const isNew = before === null || slow.left === 0
  return {
    atMs: startMs,
    slow: slow.sum,
    fast: fast.sum,
    count: isNew ? 1 : before.count + 1,
    sinceMs: isNew ? startMs : before.sinceMs,
    severe: weight >= 1 || (!isNew && before.severe),
  }
}

export type Reached = 'none' | 'quarantine' | 'drain-advised'

/** What the evidence is enough for. */
export function reached({ slow, fast }: Evidence, { quarantine, drainAdvised }: Thresholds): Reached {
  if (slow >= drainAdvised.slow || fast >= drainAdvised.fast) return 'drain-advised'
  return slow >= quarantine.slow || fast >= quarantine.fast ? 'quarantine' : 'none'
}
