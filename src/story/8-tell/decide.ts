/** Gathers from the journal what one maintenance meant for each customer: his guests only, and no figure that nobody measured. */
import type { Customer } from '#domain/customer'
import type { Event, JournalRow } from '#domain/event'
import type { FindingClass } from '#domain/finding'
import type { CustomerId, MaintenanceId, NodeName, Vmid } from '#domain/ids'
import type { Ending } from '#domain/maintenance'
import { type Known, longestBlackout, type Measured } from '#domain/measured'
import { type GuestStory, guestStories, isMoved, type OwnOrigin } from './guest-story.ts'
import { type ProbeStory, probeStory } from './probe-story.ts'
import { type Redact, redactFor } from './redact.ts'

/** What a restart after a loss of the node takes, with where the figure comes from. */
export type RestartEstimate = { readonly fromS: number; readonly toS: number; readonly basis: string }

export type RepairStory = {
  readonly by: string
  readonly outcome: 'repaired' | 'nothing-found' | 'cannot'
  readonly found: string
  readonly did: readonly string[]
  readonly answeredAtMs: number
  /** From the work order to the answer. */
  readonly tookMs: Known<number>
  readonly entries: readonly number[]
}

/** From noout set to noout cleared; `toMs` absent: still so at the last entry. */
export type ReducedSpan = { readonly fromMs: number; readonly toMs?: number; readonly entries: readonly number[] }

export type CustomerStory = {
  readonly maintenance: MaintenanceId
  readonly customer: Customer
  readonly node: NodeName
  readonly openedAtMs: number
  readonly lastAtMs: number
  readonly ending: Ending | 'running'
  readonly saw: {
    readonly part: string
    readonly class: FindingClass
    readonly episodes: number
    readonly windowS: number
    readonly entries: readonly number[]
  }
  readonly guests: readonly GuestStory[]
  /** By the hypervisor, over all moves of running guests that were neither restarts nor offline. */
  readonly longestPause: Measured
  readonly probe: ProbeStory
  readonly reduced: readonly ReducedSpan[]
  readonly offSpan?: ReducedSpan
  readonly repairs: readonly RepairStory[]
  readonly verified: 'passed' | 'failed' | 'not-reached'
  /** The rows that say how verification and the whole of it ended. */
  readonly outcomeEntries: { readonly verified: readonly number[]; readonly ending: readonly number[] }
  readonly stake: { readonly runningGuests: number; readonly restart: RestartEstimate | 'unmeasured' }
  readonly evidence: { readonly entryCount: number; readonly lastHash: string }
}

/**
 * One story a customer who had a guest in this maintenance, in the order of `customers`. Takes the rows of one maintenance in
 * order of seq; the story may be unfinished. Free text that technicians and systems wrote is passed on without the names of others.
 */
export function customerStories(
  rows: readonly JournalRow[],
  customers: readonly Customer[],
  options: { readonly restart?: RestartEstimate } = {},
): readonly CustomerStory[] {
  const opened = eventsOf(rows, 'maintenance-opened')[0]
  const first = rows[0]
  const last = rows.at(-1)
  if (!opened || !first || !last) return []
  const origins = originsOf(rows)
  const ended = eventsOf(rows, 'maintenance-ended').at(-1)
  const verified = verifiedOf(rows)
  const shared = {
    maintenance: first.maintenance,
    node: opened.event.node,
    openedAtMs: opened.atMs,
    lastAtMs: last.atMs,
    ending: ended?.event.ending ?? ('running' as const),
    reduced: reducedSpans(rows),
    ...offSpanOf(rows),
    verified: verified.is,
    outcomeEntries: { verified: verified.entries, ending: ended === undefined ? [] : [ended.seq] },
    evidence: { entryCount: rows.length, lastHash: last.hash },
  }
  return customers.flatMap((customer) => {
    const own = origins.filter((origin) => origin.customer === customer.id)
    if (own.length === 0) return []
    const redact = redactFor(customer, customers, origins)
    const guests = guestStories(rows, own)
    const probe = probeStory(rows, { customer: customer.id, guests, redact })
    const { part, class: kind, episodes, windowS } = opened.event.finding
    return [
      {
        ...shared,
        customer,
        saw: { part: redact(part), class: kind, episodes, windowS, entries: [opened.seq] },
        guests,
        longestPause: longestBlackout(guests.flatMap(({ moves }) => moves.filter(isLive).map(({ pause }) => pause))),
        probe,
        repairs: repairsOf(rows, redact),
        stake: {
          runningGuests: own.filter(({ status, node }) => status === 'running' && node === shared.node).length,
          restart: options.restart ?? 'unmeasured',
        },
      },
    ]
  })
}

/**
 * What one customer is told, by page, mail and every other form alike, whenever each is written: up to the last probe's reading
 * where one was read. Undefined: the journal has nothing about him.
 */
export function storyAsTold(
  rows: readonly JournalRow[],
  customers: readonly Customer[],
  { customer, ending }: { readonly customer: CustomerId; readonly ending?: Ending },
): CustomerStory | undefined {
  const told = rowsTold(rows)
  const story = customerStories(told, customers).find((one) => one.customer.id === customer)
  // The journal's last row comes after the telling; how it ended is known already.
  const known = ending ?? eventsOf(rows, 'maintenance-ended').at(-1)?.event.ending
  return story === undefined || known === undefined ? story : { ...story, ending: known }
}

export function rowsTold(rows: readonly JournalRow[]): readonly JournalRow[] {
  const end = rows.findLastIndex(({ event }) => event.kind === 'probe-read') + 1
  return end === 0 ? rows : rows.slice(0, end)
}

/** Whose guests the journal names. */
export const customersIn = (rows: readonly JournalRow[]): readonly CustomerId[] => [
  ...new Set(originsOf(rows).flatMap(({ customer }) => (customer === undefined ? [] : [customer]))),
]

const isLive = (move: GuestStory['moves'][number]) => move.mode === 'live' && isMoved(move)

type Told<K extends Event['kind']> = {
  readonly seq: number
  readonly atMs: number
  readonly event: Extract<Event, { kind: K }>
}

function eventsOf<K extends Event['kind']>(rows: readonly JournalRow[], kind: K): readonly Told<K>[] {
  return rows.flatMap(({ seq, atMs, event }) =>
    event.kind === kind ? [{ seq, atMs, event: event as Told<K>['event'] }] : [],
  )
}

/** The first word on a guest holds: later ones may see it away from home. */
export function originsOf(rows: readonly JournalRow[]): readonly OwnOrigin[] {
  const byGuest = new Map<Vmid, OwnOrigin>()
  for (const { event, seq: entry } of eventsOf(rows, 'origins-recorded')) {
    for (const origin of event.origins) if (!byGuest.has(origin.vmid)) byGuest.set(origin.vmid, { ...origin, entry })
  }
  return [...byGuest.values()]
}

/** By the acts on noout where the journal shows them, else by the lease. */
function reducedSpans(rows: readonly JournalRow[]): readonly ReducedSpan[] {
  const spans: { fromMs: number; toMs?: number; entries: number[] }[] = []
  for (const { seq, atMs, event } of rows) {
    const open = spans.at(-1)
    const isOpen = open !== undefined && open.toMs === undefined
    if (isNooutChange(event, 'set-noout') || event.kind === 'lease-held') {
      if (!isOpen) spans.push({ fromMs: atMs, entries: [seq] })
    } else if ((isNooutChange(event, 'clear-noout') || event.kind === 'lease-released') && isOpen) {
      open.toMs = atMs
      open.entries.push(seq)
    }
  }
  return spans
}

const isNooutChange = (event: Event, kind: 'set-noout' | 'clear-noout') =>
  event.kind === 'did' && event.act.kind === kind && event.outcome.is !== 'failed'

function offSpanOf(rows: readonly JournalRow[]): Pick<CustomerStory, 'offSpan'> {
  const off = rows.find(({ event }) => event.kind === 'node-off')
  if (!off) return {}
  const on = rows.findLast(({ event, seq }) => event.kind === 'node-on' && seq > off.seq)
  return { offSpan: { fromMs: off.atMs, ...(on && { toMs: on.atMs }), entries: [off.seq, ...(on ? [on.seq] : [])] } }
}

function verifiedOf(rows: readonly JournalRow[]): {
  readonly is: CustomerStory['verified']
  readonly entries: readonly number[]
} {
  const last = rows.findLast(({ event }) => event.kind === 'verified' || event.kind === 'verification-failed')
  if (!last) return { is: 'not-reached', entries: [] }
  return { is: last.event.kind === 'verified' ? 'passed' : 'failed', entries: [last.seq] }
}

export function repairsOf(rows: readonly JournalRow[], redact: Redact): readonly RepairStory[] {
  const issued = new Map(eventsOf(rows, 'work-order-issued').map((told) => [told.event.order.id, told]))
  return eventsOf(rows, 'work-order-answered').map(({ seq, atMs, event: { answer } }) => {
    const order = issued.get(answer.order)
    return {
      by: redact(answer.by),
      outcome: answer.outcome,
      found: redact(answer.found),
      did: answer.did.map(redact),
      answeredAtMs: atMs,
      tookMs: order === undefined ? 'unknown' : atMs - order.atMs,
      entries: [...(order === undefined ? [] : [order.seq]), seq],
    }
  })
}
