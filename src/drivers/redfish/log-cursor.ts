/** Where we stopped in a Redfish log. The standard names no epoch of a log: the last record's id and time stand for it. Pure. */
import type { BmcSignal } from '#domain/signal'
import type { LogRecord } from './log-entry.ts'

export type LogReading = {
  readonly records: readonly LogRecord[]
  /** Told before, and changed in place since then. */
  readonly changed: readonly LogRecord[]
  readonly events: readonly BmcSignal['event'][]
  readonly cursor: string
}

/** What was read of a log. */
export type LogPages = {
  readonly records: readonly LogRecord[]
  /** How many the log holds. */
  readonly count: number
  /** All of it; else what follows the last record that we knew is among `records`. */
  readonly isWhole: boolean
  /** Oldest first, page by page, and a page may begin anywhere. */
  readonly skips: boolean
}

export type Place = {
  readonly count: number
  readonly lastId: number
  readonly lastCreated: string
  readonly lastReset: string
  /** Absent in cursors written before there was this, as are the next two. */
  readonly skips?: boolean
  /** How the last records stood that a maker changes in place, by id. */
  readonly marks?: Readonly<Record<string, string>>
}

/** Where the last record stands that we know; undefined where pages cannot begin anywhere. */
export const skipOf = ({ skips, count }: Place): number | undefined =>
  skips === true && count > 0 ? count - 1 : undefined

/** The first of these is the last one that we know. A log that was cleared may have its id again, and not its time. */
export const continues = ({ lastId, lastCreated }: Place, [first]: readonly LogRecord[]): boolean =>
  first?.id === lastId && first.created === lastCreated

/** '' is before the first look; a '!' in front says that the BMC did not answer the last time. */
export const placeIn = (cursor: string): Place | undefined =>
  parseCursor(cursor.startsWith('!') ? cursor.slice(1) : cursor)

/**
 * '' reads the whole log.
 * @param lastReset when the BMC itself was started, '' where it does not say.
 */
export function readFrom(cursor: string, pages: LogPages, lastReset: string): LogReading {
  const before = placeIn(cursor)
  // Newest first at some makers, oldest first at others: the id decides, never the BMC's clock.
  const sorted = pages.records.toSorted((a, b) => a.id - b.id)
  const last = sorted.at(-1)
  const cleared = before !== undefined && pages.isWhole && wasCleared(before, sorted, pages.count)
  const known = cleared ? undefined : before
  const records = known === undefined ? sorted : sorted.filter(({ id }) => id > known.lastId)
  const changed = known === undefined ? [] : changedSince(known, sorted)
  const events: BmcSignal['event'][] = []
  if (cursor.startsWith('!')) events.push('reachable')
  if (before !== undefined && before.lastReset !== lastReset && lastReset !== '') events.push('reset')
  if (cleared) events.push('log-cleared')
  const place: Place = {
    count: pages.count,
    lastId: last?.id ?? known?.lastId ?? 0,
    lastCreated: last?.created ?? known?.lastCreated ?? '',
    lastReset: lastReset === '' ? (before?.lastReset ?? '') : lastReset,
    skips: pages.skips,
    marks: newest({ ...(pages.isWhole ? {} : known?.marks), ...marksOf(sorted) }),
  }
  return { records, changed, events, cursor: JSON.stringify(place) }
}

/** More parts than these do not fail one after the other and are mended again. */
const MARKS_LIMIT = 64

const markOf = ({ changedMs, isOver }: LogRecord) => `${changedMs}${isOver ? ' over' : ''}`

const marksOf = (sorted: readonly LogRecord[]) =>
  Object.fromEntries(
    sorted.filter(({ changedMs }) => changedMs !== undefined).map((record) => [record.id, markOf(record)]),
  )

/** Keys that are numbers stand in their order. */
const newest = (marks: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(marks).slice(-MARKS_LIMIT))

/** iLO counts a repetition in the record that it has, and marks that one repaired when it is over. */
const changedSince = ({ marks = {} }: Place, sorted: readonly LogRecord[]): readonly LogRecord[] =>
  sorted.filter((record) => (marks[record.id] ?? markOf(record)) !== markOf(record))

function wasCleared(before: Place, sorted: readonly LogRecord[], count: number): boolean {
  if (before.count === 0) return false
  const known = sorted.find(({ id }) => id === before.lastId)
  if (known !== undefined) return known.created !== before.lastCreated
  // Gone: cleared, or wrapped so far that a full log begins after it. A wrapped log does not shrink, and its ids go on.
  return count < before.count || (sorted.at(-1)?.id ?? 0) < before.lastId
}

function parseCursor(text: string): Place | undefined {
  if (text === '') return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isPlace(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isPlace = (value: unknown): value is Place =>
  typeof value === 'object' &&
  value !== null &&
  'count' in value &&
  typeof value.count === 'number' &&
  'lastId' in value &&
  typeof value.lastId === 'number' &&
  'lastCreated' in value &&
  typeof value.lastCreated === 'string' &&
  'lastReset' in value &&
  typeof value.lastReset === 'string'
