/** Where we stopped in a Redfish log. The standard names no epoch of a log: the last record's id and time stand for it. Pure. */
import type { BmcSignal } from '#domain/signal'
import type { LogRecord } from './log-entry.ts'

export type LogReading = {
  readonly records: readonly LogRecord[]
  readonly events: readonly BmcSignal['event'][]
  readonly cursor: string
}

type Place = {
  readonly count: number
  readonly lastId: number
  readonly lastCreated: string
  readonly lastReset: string
}

/**
 * '' reads the whole log; a '!' in front says that the BMC did not answer the last time.
 * @param lastReset when the BMC itself was started, '' where it does not say.
 */
export function readFrom(cursor: string, all: readonly LogRecord[], lastReset: string): LogReading {
  const wasUnreachable = cursor.startsWith('!')
  const before = parseCursor(wasUnreachable ? cursor.slice(1) : cursor)
  // Newest first at some makers, oldest first at others: the id decides, never the BMC's clock.
  const sorted = all.toSorted((a, b) => a.id - b.id)
  const last = sorted.at(-1)
  const cleared = before !== undefined && wasCleared(before, sorted)
  const records = before === undefined || cleared ? sorted : sorted.filter(({ id }) => id > before.lastId)
  const events: BmcSignal['event'][] = []
  if (wasUnreachable) events.push('reachable')
  if (before !== undefined && before.lastReset !== lastReset && lastReset !== '') events.push('reset')
  if (cleared) events.push('log-cleared')
  const place: Place = {
    count: sorted.length,
    lastId: last?.id ?? 0,
    lastCreated: last?.created ?? '',
    lastReset,
  }
  return { records, events, cursor: JSON.stringify(place) }
}

function wasCleared(before: Place, sorted: readonly LogRecord[]): boolean {
  if (before.count === 0) return false
  const known = sorted.find(({ id }) => id === before.lastId)
  if (known !== undefined) return known.created !== before.lastCreated
  // Gone: cleared, or wrapped so far that a full log begins after it. A wrapped log does not shrink.
  return sorted.length < before.count
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
