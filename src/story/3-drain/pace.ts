/** When a move under way is looked at again: seldom while it copies, often when it may be over. Pure. */
import type { Known } from '#domain/measured'

const SOONEST_LOOK_MS = 500
const LATEST_LOOK_MS = 30_000
/** Of what it has lasted: a move that is late is looked at so much later again, so long ones cost no more looks than short ones. */
const LATE_SHARE = 0.09
/** A forecast is a little long as often as short: the first look comes a little early, and its progress tells the rest. */
const FIRST_LOOK_SHARE = 0.9
/** Where nobody forecast anything and no progress is told. */
const UNFORECAST_LOOK_MS = 2_000
/** Proxmox doubles the pause that it allows after six seconds without progress; it begins with `migrate_downtime`, 100 ms. */
const PAUSE_DOUBLES_EVERY_MS = 6_000
const PAUSE_ALLOWED_AT_FIRST_MS = 100
/** Before the copy begins the target's QEMU starts; after it the guest switches over and locks come off. */
const BEFORE_THE_COPY_MS = 1_100
const AFTER_THE_COPY_MS = 800

/**
 * How long a move under way need not be looked at: until it may be over, by its progress or else by the plan, and never for longer
 * than the pause that Proxmox allows itself takes to grow over the guest's budget.
 */
export function nextLookInMs(move: {
  readonly forMs: number
  readonly forecastMs: number
  readonly isLive: boolean
  readonly pauseBudgetMs: number
  readonly progress: {
    readonly transferredBytes: Known<number>
    readonly totalBytes: Known<number>
    readonly allowedPauseMs: Known<number>
  }
}): number {
  const { forMs, forecastMs, progress } = move
  const byProgressMs = untilCopiedMs(forMs, progress)
  const leftMs = byProgressMs ?? forecastMs * FIRST_LOOK_SHARE - forMs
  const isUnforecast = byProgressMs === undefined && forecastMs === 0
  const untilEndMs = isUnforecast ? UNFORECAST_LOOK_MS : leftMs
  const soonestMs = Math.max(SOONEST_LOOK_MS, forMs * LATE_SHARE)
  return Math.round(Math.min(Math.max(untilEndMs, soonestMs), untilPauseMayGrowMs(move), LATEST_LOOK_MS))
}

function untilCopiedMs(
  forMs: number,
  { transferredBytes, totalBytes }: { readonly transferredBytes: Known<number>; readonly totalBytes: Known<number> },
): number | undefined {
  if (transferredBytes === 'unknown' || totalBytes === 'unknown' || transferredBytes <= 0) return undefined
  const copiedForMs = Math.max(1, forMs - BEFORE_THE_COPY_MS)
  const leftBytes = Math.max(0, totalBytes - transferredBytes)
  return (leftBytes * copiedForMs) / transferredBytes + AFTER_THE_COPY_MS
}

function untilPauseMayGrowMs(move: Parameters<typeof nextLookInMs>[0]): number {
  const { isLive, pauseBudgetMs, progress } = move
  if (!isLive) return LATEST_LOOK_MS
  const told = progress.allowedPauseMs
  const allowedMs = told === 'unknown' ? PAUSE_ALLOWED_AT_FIRST_MS : Math.max(1, told)
  // Already over it: that is known, and nothing is gained by looking more often.
  if (allowedMs > pauseBudgetMs) return LATEST_LOOK_MS
  return PAUSE_DOUBLES_EVERY_MS * (Math.floor(Math.log2(pauseBudgetMs / allowedMs)) + 1)
}
