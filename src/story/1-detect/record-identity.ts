/** Tells a new log record from one that was seen before: a record is (node, log epoch, record id). */
import type { NodeRecord } from './state.ts'

/** More ranges than this are joined, oldest first: a log with so many holes has lost records anyway. */
const RANGES_LIMIT = 64
/** A record of the log before the clearing may still arrive for so long. */
const LATE_AFTER_CLEAR_MS = 10 * 60_000
const has = (ranges: readonly (readonly [number, number])[], id: number) =>
  ranges.some(([from, to]) => id >= from && id <= to)

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

/** 'old-news': a late record of the log before the last clearing; its id means nothing in the present one. */
export type Taken = 'news' | 'seen' | 'old-news'

/** 'news' or 'old-news' once for each record of an epoch, however often and in whatever order it arrives. */
export function takeRecord(node: NodeRecord, recordId: number, times: { atMs: number; receivedAtMs: number }): Taken {
  const { clearedAtMs, clearedLogMs } = node
  const isOld =
    clearedAtMs !== null &&
    clearedLogMs !== null &&
    times.receivedAtMs - clearedAtMs < LATE_AFTER_CLEAR_MS &&
    times.atMs < clearedLogMs
  const ranges = isOld ? node.seenBefore : node.seen
  if (has(ranges, recordId)) return 'seen'
  add(ranges, recordId)
  return isOld ? 'old-news' : 'news'
}

/** After log-cleared the ids begin again. */
export function beginLogEpoch(node: NodeRecord, times: { atMs: number; receivedAtMs: number }): void {
  node.seenBefore = node.seen
  node.seen = []
  node.clearedAtMs = times.receivedAtMs
  node.clearedLogMs = times.atMs
  for (const part of Object.values(node.parts)) {
    part.closedById = {}
    part.openedById = {}
    part.highestId = -1
  }
}
