/** The event log and what is out of band now, as signals. */
import type { z } from 'zod'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { BmcSignal, PartSignal, Signal } from '#domain/signal'
import { type Asker, members, PAGES_LIMIT, parse, read, systemOf } from './asker.ts'
import { readFrom } from './log-cursor.ts'
import { type LogRecord, logEntryAnswer, toRecord } from './log-entry.ts'
import { partsOf } from './parts.ts'
import { link, logServiceResource, managerResource, type Part } from './resources.ts'

export async function signalsOf(asker: Asker, cursor: string, receivedAtMs: number) {
  const { node } = asker
  try {
    const { records, lastReset } = await readLog(asker)
    const log = readFrom(cursor, records, lastReset)
    const present = outOfBand(await partsOf(asker))
    const told = log.records.filter(({ about }) => !(about === 'log-cleared' && log.events.includes('log-cleared')))
    const events = log.events.map((event): BmcSignal => ({ is: 'bmc', atMs: receivedAtMs, receivedAtMs, node, event }))
    const polled = present.map(
      (part): PartSignal => ({
        is: 'part',
        atMs: receivedAtMs,
        receivedAtMs,
        node,
        source: 'poll',
        edge: null,
        ...part,
      }),
    )
    return {
      signals: [...events, ...told.map((record) => logged(record, node, receivedAtMs)), ...polled],
      cursor: log.cursor,
    }
  } catch (error) {
    if (!(error instanceof DriverError) || error.retry === 'never') throw error
    const unreachable = { is: 'bmc', atMs: receivedAtMs, receivedAtMs, node, event: 'unreachable' } as const
    return { signals: [unreachable], cursor: cursor.startsWith('!') ? cursor : `!${cursor}` }
  }
}

/** A machine that is off has no fan that turns and none that failed: what cannot be read at all is no finding. */
function outOfBand(parts: readonly Part[]): readonly Part[] {
  const fans = parts.filter(({ kind }) => kind === 'fan')
  const isOff = fans.length > 0 && fans.every(({ state }) => state === 'unreadable')
  return parts.filter(({ state }) => state !== 'ok' && !(isOff && state === 'unreadable'))
}

function logged(record: LogRecord, node: NodeName, receivedAtMs: number): Signal {
  const { id, atMs: told, about, created: _created, ...part } = record
  const atMs = told === 'unknown' ? receivedAtMs : told
  if (about !== 'part') return { is: 'bmc', atMs, receivedAtMs, node, event: about }
  return { is: 'part', atMs, receivedAtMs, node, source: 'redfish', ...part, recordId: id }
}

/** The SEL where there is one, at the system or at its manager; else whatever log of events comes first. */
async function readLog(asker: Asker): Promise<{ readonly records: readonly LogRecord[]; readonly lastReset: string }> {
  const doing = 'read the event log'
  const system = await systemOf(asker)
  const [managerLink] = system.Links?.ManagedBy ?? []
  const manager = managerLink ? await read(asker, doing, managerLink['@odata.id'], managerResource) : undefined
  const places = [system.LogServices, manager?.LogServices].filter((place) => place !== undefined)
  const services: z.infer<typeof logServiceResource>[] = []
  for (const place of places) services.push(...(await members(asker, doing, place['@odata.id'], logServiceResource)))
  const service = services.find(({ LogEntryType, Id }) => LogEntryType === 'SEL' || /^sel$/i.test(Id)) ?? services[0]
  if (service === undefined) return { records: [], lastReset: manager?.LastResetTime ?? '' }
  return { records: await entriesOf(asker, service.Entries['@odata.id']), lastReset: manager?.LastResetTime ?? '' }
}

/** Log collections carry their entries whole, page by page; some old BMCs list links only. */
async function entriesOf(asker: Asker, path: string): Promise<readonly LogRecord[]> {
  const doing = 'read the event log'
  const records: LogRecord[] = []
  let page: string | undefined = path
  for (let pages = 1; page !== undefined && pages <= PAGES_LIMIT; pages++) {
    const { resource } = await asker.client.get(doing, page)
    const listed = Array.isArray(resource.Members) ? resource.Members : []
    for (const member of listed) {
      const record = toRecord(parse(asker.node, doing, await whole(asker, member), logEntryAnswer))
      if (record !== undefined) records.push(record)
    }
    const next = resource['Members@odata.nextLink']
    page = typeof next === 'string' ? next : undefined
  }
  return records
}

async function whole({ node, client }: Asker, member: unknown): Promise<unknown> {
  const doing = 'read a log entry'
  if (typeof member === 'object' && member !== null && 'Id' in member) return member
  return (await client.get(doing, parse(node, doing, member, link)['@odata.id'])).resource
}
