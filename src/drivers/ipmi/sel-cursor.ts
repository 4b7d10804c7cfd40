/** Reads the event log from where we stopped, and tells a log that was cleared, wrapped or filled up. */
import type { NodeName } from '#domain/ids'
import type { BmcSignal, PartSignal, Signal } from '#domain/signal'
import type { SelInfo, SelRecord, Sensor } from './parse.ts'

/** What one look at the log brought. */
export type LogLook = {
  readonly info: SelInfo
  /** Its last TAIL_RECORDS records, oldest first. */
  readonly tail: readonly SelRecord[]
}

/** The last `count` records, oldest first. */
export type ReadLast = (count: number) => Promise<readonly SelRecord[]>

export type LogReading = {
  readonly records: readonly SelRecord[]
  readonly events: readonly BmcSignal['event'][]
  readonly cursor: string
}

type Place = {
  readonly epoch: string
  readonly entries: number
  readonly lastId: number
  readonly full: boolean
  /** The last record had a time. Absent in cursors written before there was this. */
  readonly isTimed?: boolean
}

/** Two edges of a fan are six records: read with every look, as most looks need no more. Measured: 8 records cost 3 ms on loopback. */
export const TAIL_RECORDS = 8
/** Records may be written between `sel info` and `sel elist`: some more are asked for than were counted. */
const OVERLAP = 8
const LOG_CAPACITY_LIMIT = 65_536

/**
 * '' reads the whole log. A '!' in front says that the BMC did not answer the last time.
 * A record is known by (epoch, id): after a clear ids may begin again (most BMCs) or go on (OpenIPMI's simulator).
 */
export async function readLog(cursor: string, look: LogLook, last: ReadLast): Promise<LogReading> {
  const { info } = look
  const wasUnreachable = cursor.startsWith('!')
  const before = parseCursor(wasUnreachable ? cursor.slice(1) : cursor)
  const cleared = before !== undefined && (before.epoch !== info.lastDelete || info.entries < before.entries)
  const sameEpoch = cleared ? undefined : before
  const records = await recordsAfter(sameEpoch, look, last)
  const newest = records.at(-1)
  const events: BmcSignal['event'][] = []
  if (wasUnreachable) events.push('reachable')
  // A clock that was set and is not any more: the BMC was started anew. IPMI has no other word for it.
  if (before?.isTimed === true && records.some(({ atMs }) => atMs === 'unknown')) events.push('reset')
  if (cleared) events.push('log-cleared')
  if (info.full && before?.full !== true) events.push('log-full')
  const place: Place = {
    epoch: info.lastDelete,
    entries: info.entries,
    lastId: newest?.id ?? sameEpoch?.lastId ?? 0,
    full: info.full,
    isTimed: newest === undefined ? (before?.isTimed ?? false) : newest.atMs !== 'unknown',
  }
  return { records, events, cursor: JSON.stringify(place) }
}

async function recordsAfter(place: Place | undefined, { info, tail }: LogLook, last: ReadLast) {
  if (info.entries === 0) return []
  if (place === undefined) return info.entries <= tail.length ? tail : last(LOG_CAPACITY_LIMIT)
  const inTail = tail.findIndex(({ id }) => id === place.lastId)
  if (inTail >= 0) return tail.slice(inTail + 1)
  // A full log that wraps keeps its count: then what came is not known by the count, and all of it is read.
  const recent = info.full ? [] : await last(info.entries - place.entries + OVERLAP)
  const known = recent.findIndex(({ id }) => id === place.lastId)
  if (known >= 0) return recent.slice(known + 1)
  // ipmitool finds the last records by counting ids: where some are missing it may show none, or too few.
  const all = await last(LOG_CAPACITY_LIMIT)
  // Not found at all: it was wrapped away, so everything that is there is new to us.
  return all.slice(all.findIndex(({ id }) => id === place.lastId) + 1)
}

function parseCursor(text: string): Place | undefined {
  if (text === '') return undefined
  try {
    const place: unknown = JSON.parse(text)
    return isPlace(place) ? place : undefined
  } catch {
    return undefined
  }
}

const isPlace = (value: unknown): value is Place =>
  typeof value === 'object' &&
  value !== null &&
  'epoch' in value &&
  typeof value.epoch === 'string' &&
  'entries' in value &&
  typeof value.entries === 'number' &&
  'lastId' in value &&
  typeof value.lastId === 'number' &&
  'full' in value &&
  typeof value.full === 'boolean'

export type Look = {
  readonly node: NodeName
  readonly receivedAtMs: number
  readonly log: LogReading
  readonly present: readonly Sensor[]
}

export function toSignals({ node, receivedAtMs, log, present }: Look): readonly Signal[] {
  const events = log.events.map((event): BmcSignal => ({ is: 'bmc', atMs: receivedAtMs, receivedAtMs, node, event }))
  // A cleared log begins with the record of its clearing: told once.
  const told = log.records.filter(({ about }) => !(about === 'log-cleared' && log.events.includes(about)))
  const logged = told.map((record): Signal => {
    const atMs = record.atMs === 'unknown' ? receivedAtMs : record.atMs
    if (record.about !== 'part') return { is: 'bmc', atMs, receivedAtMs, node, event: record.about }
    const { part, kind, state, edge, value, unit, id } = record
    const read = { ...(value === undefined ? {} : { value }), ...(unit === undefined ? {} : { unit }) }
    return { is: 'part', atMs, receivedAtMs, node, source: 'sel', part, kind, state, edge, ...read, recordId: id }
  })
  return [...events, ...logged, ...outOfBand(present).map((sensor) => polled(sensor, node, receivedAtMs))]
}

/** A machine that is off has no fan that turns and none that failed: what cannot be read at all is no finding. */
function outOfBand(sensors: readonly Sensor[]): readonly Sensor[] {
  const fans = sensors.filter(({ kind }) => kind === 'fan')
  const isOff = fans.length > 0 && fans.every(({ state }) => state === 'unreadable')
  return sensors.filter(({ state, kind }) => state !== 'ok' && !(state === 'unreadable' && (isOff || kind === 'other')))
}

function polled({ name, kind, state, value, unit }: Sensor, node: NodeName, receivedAtMs: number): PartSignal {
  const read = { ...(value === undefined ? {} : { value }), ...(unit === undefined ? {} : { unit }) }
  return {
    is: 'part',
    atMs: receivedAtMs,
    receivedAtMs,
    node,
    source: 'poll',
    part: name,
    kind,
    state,
    edge: null,
    ...read,
  }
}
