/** Reads the event log from where we stopped, and tells a log that was cleared, wrapped or filled up. */
import type { NodeName } from '#domain/ids'
import type { BmcSignal, PartSignal, Signal } from '#domain/signal'
import type { SelInfo, SelRecord, Sensor } from './parse.ts'

export type LogReader = {
  info(): Promise<SelInfo | undefined>
  /** The last `count` records, oldest first. */
  last(count: number): Promise<readonly SelRecord[]>
}

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
}

/** Records may be written between `sel info` and `sel elist`: some more are asked for than were counted. */
const OVERLAP = 8
const LOG_CAPACITY_LIMIT = 65_536

/**
 * '' reads the whole log. A '!' in front says that the BMC did not answer the last time.
 * A record is known by (epoch, id): after a clear ids may begin again (most BMCs) or go on (OpenIPMI's simulator).
 */
export async function readLog(cursor: string, reader: LogReader): Promise<LogReading> {
  const wasUnreachable = cursor.startsWith('!')
  const before = parseCursor(wasUnreachable ? cursor.slice(1) : cursor)
  const info = await reader.info()
  if (info === undefined) return { records: [], events: [], cursor }
  const cleared = before !== undefined && (before.epoch !== info.lastDelete || info.entries < before.entries)
  const sameEpoch = cleared ? undefined : before
  const records = await recordsAfter(sameEpoch, info, reader)
  const lastId = records.at(-1)?.id ?? sameEpoch?.lastId ?? 0
  const events: BmcSignal['event'][] = []
  if (wasUnreachable) events.push('reachable')
  if (cleared) events.push('log-cleared')
  if (info.full && before?.full !== true) events.push('log-full')
  const place: Place = { epoch: info.lastDelete, entries: info.entries, lastId, full: info.full }
  return { records, events, cursor: JSON.stringify(place) }
}

async function recordsAfter(place: Place | undefined, info: SelInfo, reader: LogReader) {
  if (info.entries === 0) return []
  if (place === undefined) return reader.last(LOG_CAPACITY_LIMIT)
  // A full log that wraps keeps its count: then a part of it is read each time.
  if (!info.full && info.entries === place.entries) return []
  const recent = await reader.last(info.entries - place.entries + OVERLAP)
  const known = recent.findIndex(({ id }) => id === place.lastId)
  if (known >= 0) return recent.slice(known + 1)
  const all = await reader.last(LOG_CAPACITY_LIMIT)
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
