/** Tells a new log record from one that was seen before: a record is (node, log epoch, record id). */
import { forgetIds } from './log-clock.ts'
import type { NodeRecord } from './state.ts'

/** More ranges than this are joined, oldest first: a log with so many holes has lost records anyway. */
const RANGES_LIMIT = 64
/** A record of the log before the clearing may still arrive for so long. */
const LATE_AFTER_CLEAR_MS = 10 * 60_000
/** IPMI's ids are 16 bits wide: one this small after one this large is a log that goes round. */
const WRAPPED_ABOVE_ID = 60_000
const WRAPPED_BELOW_ID = 1000

const has = (ranges: readonly (readonly [number, number])[], id: number) => {
  const last = ranges.at(-1)
  if (!last || id > last[1]) return false
  return id >= last[0] || ranges.some(([from, to]) => id >= from && id <= to)
}

function add(ranges: [number, number][], id: number): void {
  let index = ranges.length
  while (index > 0 && (ranges[index - 1]?.[0] ?? 0) > id) index--
  const before = ranges[index - 1]
  const after = ranges[index]
  if (before && before[1] === id - 1) {
    before[1] = id
    if (after && after[0] === id + 1) {
      before[1] = after[1]
      ranges.splice(index, 1)
    }
  } else if (after && after[0] === id + 1) after[0] = id
  else ranges.splice(index, 0, [id, id])
  const [first, second] = ranges
  if (ranges.length > RANGES_LIMIT && first && second) ranges.splice(0, 2, [first[0], second[1]])
}

export type Taken = {
  /** 'old-news': a late record of the log before the last clearing; its id means nothing in the present one. */
  readonly is: 'news' | 'seen' | 'old-news'
  /** The record before this one has not come, and earlier ones have: it is late or lost. */
  readonly afterHole: boolean
}

/** 'news' or 'old-news' once for each record of an epoch, however often and in whatever order it arrives. */
export function takeRecord(node: NodeRecord, recordId: number, times: { atMs: number; receivedAtMs: number }): Taken {
  const { clearedAtMs, clearedLogMs } = node
  const isOld =
    clearedAtMs !== null &&
    clearedLogMs !== null &&
    times.receivedAtMs - clearedAtMs < LATE_AFTER_CLEAR_MS &&
    times.atMs < clearedLogMs
  if (!isOld && isWrap(node.seen, recordId)) beginLogEpoch(node, times)
  const ranges = isOld ? node.seenBefore : node.seen
  if (has(ranges, recordId)) return { is: 'seen', afterHole: false }
  const afterHole = (ranges[0]?.[0] ?? recordId) < recordId && !has(ranges, recordId - 1)
  add(ranges, recordId)
  return { is: isOld ? 'old-news' : 'news', afterHole }
}

const isWrap = (seen: NodeRecord['seen'], id: number) =>
  id < WRAPPED_BELOW_ID && (seen.at(-1)?.[1] ?? 0) > WRAPPED_ABOVE_ID && !has(seen, id)

/** After log-cleared the ids begin again. */
export function beginLogEpoch(node: NodeRecord, times: { atMs: number; receivedAtMs: number }): void {
  node.seenBefore = node.seen
  node.seen = []
  node.clearedAtMs = times.receivedAtMs
  node.clearedLogMs = times.atMs
  forgetIds(node)
  for (const { trouble } of Object.values(node.parts)) {
    if (!trouble) continue
    trouble.closedById = {}
    trouble.openedById = {}
    trouble.highestId = -1
  }
}
