/** The event log and what is out of band now, as signals. */
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { BmcSignal, PartSignal, Signal } from '#domain/signal'
import { type Asker, read } from './asker.ts'
import { layoutOf } from './layout.ts'
import { readEntries } from './log.ts'
import { type LogReading, placeIn, readFrom } from './log-cursor.ts'
import type { LogRecord } from './log-entry.ts'
import { partsOf } from './parts.ts'
import { managerResource, type Part } from './resources.ts'

export async function signalsOf(asker: Asker, cursor: string, receivedAtMs: number) {
  const { node } = asker
  try {
    const [log, parts] = await Promise.all([readLog(asker, cursor), partsOf(asker)])
    return { signals: toSignals({ node, receivedAtMs, log, parts }), cursor: log.cursor }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    // Started anew, or replaced: what we know of it may be of another firmware.
    delete asker.known.root
    delete asker.known.layout
    if (error.retry === 'never') throw error
    // One that answers nonsense tells as little as one that is silent.
    const unreachable = { is: 'bmc', atMs: receivedAtMs, receivedAtMs, node, event: 'unreachable' } as const
    return { signals: [unreachable], cursor: cursor.startsWith('!') ? cursor : `!${cursor}` }
  }
}

type Look = {
  readonly node: NodeName
  readonly receivedAtMs: number
  readonly log: LogReading
  readonly parts: readonly Part[]
}

function toSignals({ node, receivedAtMs, log, parts }: Look): readonly Signal[] {
  const events = log.events.map((event): BmcSignal => ({ is: 'bmc', atMs: receivedAtMs, receivedAtMs, node, event }))
  // A cleared log begins with the record of its clearing: told once.
  const told = log.records.filter(({ about }) => !(about === 'log-cleared' && log.events.includes('log-cleared')))
  const base = { receivedAtMs, node } as const
  const polled = outOfBand(parts).map(
    (part): PartSignal => ({ is: 'part', atMs: receivedAtMs, ...base, source: 'poll', edge: null, ...part }),
  )
  return [
    ...events,
    ...log.changed.flatMap((record) => changedSignal(record, base)),
    ...told.flatMap((record) => [loggedSignal(record, base), ...(record.isOver ? changedSignal(record, base) : [])]),
    ...polled,
  ]
}

/** A machine that is off has no fan that turns and none that failed: what cannot be read at all is no finding. */
function outOfBand(parts: readonly Part[]): readonly Part[] {
  const fans = parts.filter(({ kind }) => kind === 'fan')
  const isOff = fans.length > 0 && fans.every(({ state }) => state === 'unreadable')
  return parts.filter(({ state }) => state !== 'ok' && !(isOff && state === 'unreadable'))
}

type Base = { readonly receivedAtMs: number; readonly node: NodeName }

function loggedSignal(record: LogRecord, { receivedAtMs, node }: Base): Signal {
  const { id, atMs: told, about, created: _created, changedMs: _changedMs, isOver: _isOver, ...part } = record
  const atMs = told === 'unknown' ? receivedAtMs : told
  if (about !== 'part') return { is: 'bmc', atMs, receivedAtMs, node, event: about }
  return { is: 'part', atMs, receivedAtMs, node, source: 'redfish', ...part, recordId: id }
}

/** Without the record's id, since an id is told once: over, or once more. */
function changedSignal(record: LogRecord, base: Base): readonly Signal[] {
  if (record.about !== 'part' || record.edge === 'deassert') return []
  const { recordId: _recordId, ...signal } = loggedSignal(record, base) as PartSignal
  const edge = record.isOver ? ('deassert' as const) : ('assert' as const)
  return [{ ...signal, edge, atMs: record.changedMs ?? base.receivedAtMs }]
}

async function readLog(asker: Asker, cursor: string): Promise<LogReading> {
  const { log, manager } = await layoutOf(asker)
  const [pages, lastReset] = await Promise.all([
    log?.Entries ? readEntries(asker, log.Entries['@odata.id'], placeIn(cursor)) : NO_LOG,
    manager === undefined ? '' : lastResetOf(asker, manager),
  ])
  return readFrom(cursor, pages, lastReset)
}

const NO_LOG = { records: [], count: 0, isWhole: true, skips: false } as const

const lastResetOf = async (asker: Asker, path: string): Promise<string> =>
  (await read(asker, 'read the manager', path, managerResource)).LastResetTime ?? ''
