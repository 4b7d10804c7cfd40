/** Places log records in our time: the BMC's clock may be wrong, jump or not be set, and a log may be read long after it was written. */
import type { PartSignal } from '#domain/signal'
import { DAY_MS, type NodeRecord } from './state.ts'

/** A log that is read for the first time may tell of so long ago; what claims to be older has a clock that is wrong. */
const BACKLOG_LIMIT_MS = 90 * DAY_MS
/** Records that came this close together were read at once. */
const SAME_READ_MS = 1000
/** Records may come in disorder by this much without their clock being wrong. */
const DISORDER_MS = 6 * 60_000
/** A record that comes this soon after it was written proves its clock. */
const PROMPT_MS = 10 * 60_000
/** Behind a clock that readings proved right, a log may be so slow. */
const SLOW_LOG_MS = 6 * 3_600_000

export type Placed = {
  readonly atMs: number
  /** The clock was not what it was thought to be: by so much what was placed before in doubt must move. */
  readonly movedMs: number
}

/** Where a signal belongs in our time. Readings and alerts are of now; records tell their own time, within what is possible. */
export function placeSignal(node: NodeRecord, signal: PartSignal): Placed {
  const { atMs, receivedAtMs, recordId } = signal
  if (recordId === undefined) return { atMs: receivedAtMs, movedMs: 0 }
  const clock = node.clock
  if (clock === null) {
    const lagMs = receivedAtMs - atMs
    const isPossible = lagMs >= 0 && lagMs <= BACKLOG_LIMIT_MS
    const skewMs = isPossible ? 0 : lagMs
    const placedMs = atMs + skewMs
    const trusted = !isPossible || lagMs < PROMPT_MS
    node.clock = { skewMs, trusted, proven: false, id: recordId, arrivedMs: receivedAtMs, placedMs }
    return { atMs: placedMs, movedMs: 0 }
  }
  const placed = placeWith(clock, signal, recordId)
  const lagMs = receivedAtMs - placed.atMs
  if (recordId > clock.id) {
    clock.id = recordId
    clock.arrivedMs = receivedAtMs
    clock.placedMs = placed.atMs
  }
  if (lagMs < PROMPT_MS) clock.trusted = true
  return placed
}

function placeWith(clock: NonNullable<NodeRecord['clock']>, signal: PartSignal, id: number): Placed {
  const { atMs, receivedAtMs } = signal
  const believedMs = atMs + clock.skewMs
  // Nothing is written after it was read.
  if (believedMs > receivedAtMs) return correct(clock, receivedAtMs - atMs, receivedAtMs)
  if (id < clock.id) return { atMs: Math.max(believedMs, Math.min(receivedAtMs, clock.placedMs - DAY_MS)), movedMs: 0 }
  const isSameRead = receivedAtMs - clock.arrivedMs < SAME_READ_MS
  if (isSameRead) {
    if (believedMs >= clock.placedMs - DISORDER_MS) return { atMs: believedMs, movedMs: 0 }
    // Ids rise and time falls: the clock was set back between two records.
    return correct(clock, clock.placedMs - atMs, clock.placedMs)
  }
  if (clock.proven && believedMs > receivedAtMs - SLOW_LOG_MS) return { atMs: believedMs, movedMs: 0 }
  // The log was read before and did not hold this record: it was written since.
  if (believedMs < clock.arrivedMs - DISORDER_MS) return correct(clock, receivedAtMs - atMs, receivedAtMs)
  return { atMs: believedMs, movedMs: 0 }
}

function correct(clock: NonNullable<NodeRecord['clock']>, skewMs: number, atMs: number): Placed {
  const movedMs = clock.trusted ? 0 : Math.max(0, skewMs - clock.skewMs)
  clock.proven = false
  clock.skewMs = skewMs
  clock.trusted = true
  return { atMs, movedMs }
}

/** A reading and a record tell of one dropout, at one time. */
export function proveClock(node: NodeRecord): void {
  if (!node.clock) return
  node.clock.trusted = true
  node.clock.proven = true
}

/** Ids begin again, the clock goes on. */
export function forgetIds(node: NodeRecord): void {
  if (node.clock) node.clock.id = -1
}
