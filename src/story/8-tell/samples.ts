/**
 * What samples say of one guest: the longest gap, what was lost, latencies before, during and after. Where the witness himself did
 * not watch, he says nothing. Pure.
 */
import type { Vmid } from '#domain/ids'
import type { Latency, ProbeReading, Usual } from '#domain/measurement'
import { rootOf, type Sha256 } from '#domain/merkle'
import { chunkHash, LOST, type SampleChunk, UNSENT } from '#domain/probing'

export type Span = { readonly fromMs: number; readonly toMs: number }

/** A chunk, and how far its clock was ahead of ours when it came; 'unknown' where it had waited in the spool. */
export type KeptChunk = { readonly chunk: SampleChunk; readonly aheadMs: number | 'unknown' }

export type SampleQuery = Span & { readonly guest: Vmid; readonly during: Span }

/** A wall clock that moved more than this during a chunk: nobody knows when its probes left. */
const CLOCK_MOVED_LIMIT_MS = 25
/** A witness whose clock is further off: before, during and after would be mixed up. */
const CLOCK_AHEAD_LIMIT_MS = 1_000
/** Own gaps up to this make a reading coarser; longer ones part it. */
const OWN_GAP_LIMIT_MS = 500
const PIECES_LIMIT = 8
/** An answer that comes later than so many times the usual, and than this part of a period, counts as missed. */
const LATE_FACTOR = 4
const LATE_PART = 2

/** One reading or more a witness and target; one that says 'unmeasured' where there is none, and for every long gap of his own. */
export function readingsFrom(kept: readonly KeptChunk[], query: SampleQuery, sha256: Sha256): readonly ProbeReading[] {
  const own = kept.filter(({ chunk }) => chunk.guest === query.guest && overlaps(chunk, query))
  const { guest } = query
  if (own.length === 0) return [{ is: 'unmeasured', guest, reason: 'no witness sent samples of that time' }]
  return [...Map.groupBy(own, sourceOf).values()].flatMap((ofOne) => readingsOfOne(ofOne, query, sha256))
}

/** What the same hours of earlier days say; undefined where nobody watched. Each span is one of those days. */
export function usualFrom(
  kept: readonly KeptChunk[],
  query: SampleQuery,
  days: readonly Span[],
  sha256: Sha256,
): Usual | undefined {
  const measured = days.map((day) =>
    readingsFrom(kept, { ...query, ...day, during: day }, sha256).flatMap((one) =>
      one.is === 'measured' ? [one] : [],
    ),
  )
  const all = measured.flat()
  if (all.length === 0) return undefined
  return {
    days: measured.filter((one) => one.length > 0).length,
    longestGapMs: Math.max(...all.map(({ longestGapMs }) => longestGapMs)),
    intervalMs: Math.max(...all.map(({ intervalMs }) => intervalMs)),
  }
}

const sourceOf = ({ chunk: { witness, key, target } }: KeptChunk) => JSON.stringify([witness, key, target])

const endOf = ({ firstAtMs, periodMs, answersUs }: SampleChunk) => firstAtMs + periodMs * answersUs.length
const overlaps = (chunk: SampleChunk, { fromMs, toMs }: Span) => chunk.firstAtMs < toMs && endOf(chunk) > fromMs

function readingsOfOne(kept: readonly KeptChunk[], query: SampleQuery, sha256: Sha256): readonly ProbeReading[] {
  const { guest } = query
  const [first] = kept
  if (first === undefined) return []
  const by = `${first.chunk.witness} ${first.chunk.how}`
  const unmeasured = (reason: string): ProbeReading => ({ is: 'unmeasured', guest, by, reason })
  // The least of them: what the network and a busy receiver add makes a clock look behind, never ahead.
  const ahead = kept.flatMap(({ aheadMs }) => (aheadMs === 'unknown' ? [] : [aheadMs]))
  const aheadMs = ahead.length === 0 ? 0 : Math.max(...ahead)
  if (Math.abs(aheadMs) > CLOCK_AHEAD_LIMIT_MS) {
    const way = aheadMs > 0 ? 'ahead of' : 'behind'
    return [unmeasured(`the witness’s clock was ${(Math.abs(aheadMs) / 1000).toFixed(1)} s ${way} ours`)]
  }
  const moved = kept.filter(({ chunk }) => Math.abs(chunk.clockMovedMs) > CLOCK_MOVED_LIMIT_MS)
  const chunks = kept.filter((one) => !moved.includes(one)).map(({ chunk }) => chunk)
  const pieces = piecesOf(slotsOf(chunks, query))
  const jumps = moved.map(({ chunk }) =>
    unmeasured(`the witness’s clock jumped by ${Math.round(chunk.clockMovedMs)} ms`),
  )
  if (pieces.length === 0)
    return [...jumps.slice(0, 1), ...(jumps.length === 0 ? [unmeasured('no probe was sent')] : [])]
  if (pieces.length > PIECES_LIMIT) return [unmeasured(`the witness watched in ${pieces.length} pieces`)]
  const samples = rootOf(
    chunks.map((chunk) => chunkHash(chunk, sha256)),
    sha256,
  )
  return [
    ...pieces.map((piece): ProbeReading => ({ ...measure(piece, query), guest, by, samples })),
    ...holesIn(pieces, query).map(({ fromMs, toMs }) =>
      unmeasured(`the witness did not probe for ${seconds(toMs - fromMs)}`),
    ),
  ]
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

/** One probe, when it was due, and its answer. */
type Slot = { readonly dueMs: number; readonly periodMs: number; readonly us: number }

function slotsOf(chunks: readonly SampleChunk[], { fromMs, toMs }: Span): readonly Slot[] {
  const byTime = chunks.toSorted((a, b) => a.firstAtMs - b.firstAtMs)
  return byTime
    .flatMap(({ firstAtMs, periodMs, answersUs }) =>
      answersUs.map((us, index) => ({ dueMs: firstAtMs + periodMs * index, periodMs, us })),
    )
    .filter(({ dueMs, us }) => us !== UNSENT && dueMs >= fromMs && dueMs < toMs)
}

/** Stretches of one period without a long gap of the witness's own. */
function piecesOf(slots: readonly Slot[]): readonly (readonly Slot[])[] {
  const pieces: Slot[][] = []
  for (const slot of slots) {
    const piece = pieces.at(-1)
    const last = piece?.at(-1)
    const goesOn =
      last !== undefined &&
      last.periodMs === slot.periodMs &&
      slot.dueMs - last.dueMs <= last.periodMs + OWN_GAP_LIMIT_MS
    if (goesOn) piece?.push(slot)
    else pieces.push([slot])
  }
  return pieces
}

/** Own gaps that part the pieces, and what is missing at the ends. */
function holesIn(pieces: readonly (readonly Slot[])[], { fromMs, toMs }: Span): readonly Span[] {
  const spans = pieces.map((piece) => ({ fromMs: piece[0]?.dueMs ?? 0, toMs: endOfPiece(piece) }))
  const ends = [...spans.map((span) => span.fromMs), toMs]
  return [fromMs, ...spans.map((span) => span.toMs)]
    .map((from, index) => ({ fromMs: from, toMs: ends[index] ?? toMs }))
    .filter((hole) => hole.toMs - hole.fromMs > OWN_GAP_LIMIT_MS + SLOWEST_MS)
}

/** Two periods of slow probing may meet a window’s edge. */
const SLOWEST_MS = 2_000

const endOfPiece = (piece: readonly Slot[]) => {
  const last = piece.at(-1)
  return last === undefined ? 0 : last.dueMs + last.periodMs
}

type Measure = Omit<Extract<ProbeReading, { is: 'measured' }>, 'guest' | 'by'>

function measure(piece: readonly Slot[], { during }: SampleQuery): Measure {
  const [first] = piece
  const fromMs = first?.dueMs ?? 0
  const periodMs = first?.periodMs ?? 0
  const gap = longestGap(piece)
  const ownMs = Math.max(0, ...piece.slice(1).map(({ dueMs }, index) => dueMs - (piece[index]?.dueMs ?? dueMs)))
  const within = (from: number, to: number) => latencyOf(piece.filter(({ dueMs }) => dueMs >= from && dueMs < to))
  return {
    is: 'measured',
    fromMs,
    toMs: endOfPiece(piece),
    intervalMs: Math.max(periodMs, Math.ceil(ownMs)),
    sentCount: piece.length,
    lostCount: gap.lostCount,
    longestGapMs: gap.longestMs,
    longestGapAtMs: gap.atMs,
    latency: {
      before: within(Number.NEGATIVE_INFINITY, during.fromMs),
      during: within(during.fromMs, during.toMs),
      after: within(during.toMs, Number.POSITIVE_INFINITY),
    },
  }
}

/**
 * Between two answers in the order of their arrival, less the time between two probes: of an outage of D that swallows probes, or
 * holds their answers back, this is D to within one period either way.
 */
function longestGap(piece: readonly Slot[]): { lostCount: number; longestMs: number; atMs: number } {
  const limitUs = lateLimitUs(piece)
  const lostCount = piece.filter(({ us }) => us === LOST || us > limitUs).length
  const first = piece[0]
  const end = { atMs: endOfPiece(piece), index: piece.length - 1 }
  const arrivals = piece
    .flatMap((slot, index) => (slot.us >= 0 ? [{ atMs: slot.dueMs + slot.us / 1000, index }] : []))
    .sort((a, b) => a.atMs - b.atMs)
  let last = { atMs: first?.dueMs ?? 0, index: 0 }
  let longest = { lostCount, longestMs: 0, atMs: last.atMs }
  for (const next of [...arrivals, end]) {
    const betweenMs = next.atMs - last.atMs
    if (betweenMs > longest.longestMs) {
      const longestMs = betweenMs - widestStep(piece, last.index, next.index)
      if (longestMs > longest.longestMs)
        longest = { lostCount, longestMs, atMs: piece[last.index + 1]?.dueMs ?? last.atMs }
    }
    last = next
  }
  return longest
}

/** The longest time between two probes that follow each other; more than a period only where the witness was late himself. */
function widestStep(piece: readonly Slot[], a: number, b: number): number {
  const between = piece.slice(Math.min(a, b), Math.max(a, b) + 1)
  const steps = between.slice(1).map(({ dueMs }, index) => dueMs - (between[index]?.dueMs ?? dueMs))
  return Math.max(piece[0]?.periodMs ?? 0, ...steps)
}

function lateLimitUs(piece: readonly Slot[]): number {
  const usual = percentile(answered(piece), 0.5)
  return Math.max(((piece[0]?.periodMs ?? 0) * 1000) / LATE_PART, LATE_FACTOR * (usual ?? 0))
}

const answered = (slots: readonly Slot[]) => slots.flatMap(({ us }) => (us >= 0 ? [us] : [])).sort((a, b) => a - b)
const percentile = (sorted: readonly number[], part: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]

function latencyOf(slots: readonly Slot[]): Latency {
  const all = answered(slots)
  const [p50, p99] = [percentile(all, 0.5), percentile(all, 0.99)]
  if (p50 === undefined || p99 === undefined) return 'unmeasured'
  return { p50Ms: p50 / 1000, p99Ms: p99 / 1000, answeredCount: all.length }
}
