/** What the outside prober saw of one customer's guests, with its resolution, and what it did not watch. */
import type { JournalRow } from '#domain/event'
import type { CustomerId, Vmid } from '#domain/ids'
import type { ProbeReading } from '#domain/measurement'
import { type GuestStory, isMoved, type MoveStory, readingId } from './guest-story.ts'
import type { Redact } from './redact.ts'

export type ProbeStory = {
  readonly readings: readonly ToldReading[]
  /** Over the guests that were measured; none where no guest was. */
  readonly worst?: {
    readonly guest: Vmid
    readonly longestGapMs: number
    readonly intervalMs: number
    readonly lostCount: number
  }
  /** The slowest probe among them: what is shorter stays unseen. */
  readonly coarsestIntervalMs?: number
  readonly measuredGuests: number
  /** Moves of running guests that no reading covers from begin to end. */
  readonly unwatchedMoves: number
}

/** A reading, the row that holds it, and, where it is measured, the sample that it is. */
export type ToldReading = ProbeReading & { readonly entry: number; readonly sample?: string }

type Query = { readonly customer: CustomerId; readonly guests: readonly GuestStory[]; readonly redact: Redact }

export function probeStory(rows: readonly JournalRow[], { customer, guests, redact }: Query): ProbeStory {
  const own = new Set(guests.map(({ vmid }) => vmid))
  const readings = rows
    .flatMap(({ event, seq: entry }) =>
      event.kind === 'probe-read' && event.customer === customer
        ? event.readings.map((reading) => ({ ...reading, entry }))
        : [],
    )
    .filter(({ guest }) => own.has(guest))
    .map(
      (reading): ToldReading =>
        reading.is === 'unmeasured'
          ? { ...reading, reason: redact(reading.reason) }
          : { ...reading, sample: readingId(reading.entry, reading) },
    )
  const measured = readings.flatMap((reading) => (reading.is === 'measured' ? [reading] : []))
  const [worst] = [...measured].sort((a, b) => gapOf(b) - gapOf(a))
  const unwatchedMoves = guests.flatMap(({ vmid, moves }) =>
    moves.filter(
      (move) =>
        isMoved(move) &&
        move.mode !== 'offline' &&
        !measured.some((reading) => reading.guest === vmid && covers(reading, move)),
    ),
  ).length
  return {
    readings,
    ...(worst && {
      worst: {
        guest: worst.guest,
        longestGapMs: worst.longestGapMs,
        intervalMs: worst.intervalMs,
        lostCount: measured.reduce((sum, { lostCount }) => sum + lostCount, 0),
      },
      coarsestIntervalMs: Math.max(...measured.map(({ intervalMs }) => intervalMs)),
    }),
    measuredGuests: new Set(measured.map(({ guest }) => guest)).size,
    unwatchedMoves,
  }
}

type MeasuredReading = Extract<ProbeReading, { is: 'measured' }>

const gapOf = ({ lostCount, longestGapMs }: MeasuredReading) => (lostCount === 0 ? 0 : longestGapMs)

function covers({ fromMs, toMs }: MeasuredReading, { startedAtMs, endedAtMs }: MoveStory): boolean {
  if (endedAtMs === 'unknown') return false
  return fromMs <= (startedAtMs === 'unknown' ? endedAtMs : startedAtMs) && toMs >= endedAtMs
}
