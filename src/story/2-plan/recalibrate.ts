/** The forecast's constants from moves that were measured: robust against the odd slow one, and silent where there are too few. */
import type { ClusterObservation } from '#domain/cluster'
import type { JournalRow } from '#domain/event'
import type { NodeName } from '#domain/ids'
import { DEFAULT_FORECAST_MODEL, type ForecastModel } from '#domain/plan'

/** Fewer moves say little: the default stands. */
const MOVES_LEAST = 8
/** The newest so many; a network changes. */
const MOVES_LIMIT = 200
const AGE_LIMIT_MS = 90 * 24 * 3_600_000
/** Outside of these a measurement is a fault of ours, not a network. */
const STREAM_LEAST_BITS_PER_SECOND = 1e8
const STREAM_LIMIT_BITS_PER_SECOND = 1e11
const FIXED_LEAST_S = 0.5
const FIXED_LIMIT_S = 60
/** Speeds that are tried, a tenth apart. */
const STEP = 1.1
/** Where the link was the limit, faster streams explain the moves as well: the nearest to the default within this part of the best. */
const AS_GOOD = 1.02
const AS_GOOD_S = 0.05

type MeasuredMove = {
  readonly bits: number
  readonly lastedS: number
  /** Of its source, as it is now. */
  readonly linkBitsPerSecond: number
  /** Moves from the same source that ran at the same time, itself among them, on average. */
  readonly atOnce: number
  readonly atMs: number
}

/**
 * `rows`: what was intended and done, of any maintenances of this cluster. A stream's speed and the fixed seconds are those that leave
 * the least median error of all live moves; a move's share of its source's link is counted. The fixed seconds hold what we need to see
 * that a move has ended, too.
 */
export function modelFrom(rows: readonly JournalRow[], cluster: ClusterObservation, nowMs: number): ForecastModel {
  const moves = measuredMoves(rows, cluster)
    .filter(({ atMs }) => atMs <= nowMs && nowMs - atMs <= AGE_LIMIT_MS)
    .toSorted((a, b) => a.atMs - b.atMs)
    .slice(-MOVES_LIMIT)
  const [first] = moves
  if (first === undefined || moves.length < MOVES_LEAST) return DEFAULT_FORECAST_MODEL
  const { streamBitsPerSecond, fixedS } = bestFit(moves)
  return {
    streamBitsPerSecond: Math.round(streamBitsPerSecond / 1e7) * 1e7,
    fixedSecondsPerMove: Math.round(fixedS * 10) / 10,
    source: `measured: ${moves.length} moves since ${new Date(first.atMs).toISOString().slice(0, 10)}`,
  }
}

type Fit = { readonly streamBitsPerSecond: number; readonly fixedS: number; readonly errorS: number }

function bestFit(moves: readonly MeasuredMove[]): Fit {
  const fits: Fit[] = []
  const { streamBitsPerSecond: usual } = DEFAULT_FORECAST_MODEL
  const down = Math.floor(Math.log(usual / STREAM_LEAST_BITS_PER_SECOND) / Math.log(STEP))
  const up = Math.floor(Math.log(STREAM_LIMIT_BITS_PER_SECOND / usual) / Math.log(STEP))
  for (let power = -down; power <= up; power++) fits.push(fitOf(moves, usual * STEP ** power))
  const least = Math.min(...fits.map(({ errorS }) => errorS))
  const asGood = fits.filter(({ errorS }) => errorS <= least * AS_GOOD + AS_GOOD_S)
  const away = ({ streamBitsPerSecond }: Fit) => Math.abs(Math.log(streamBitsPerSecond / usual))
  return asGood.reduce((nearest, fit) => (away(fit) < away(nearest) ? fit : nearest))
}

function fitOf(moves: readonly MeasuredMove[], streamBitsPerSecond: number): Fit {
  const rests = moves.map(({ bits, lastedS, linkBitsPerSecond, atOnce }) => {
    return lastedS - bits / Math.min(streamBitsPerSecond, linkBitsPerSecond / atOnce)
  })
  const fixedS = Math.min(FIXED_LIMIT_S, Math.max(FIXED_LEAST_S, median(rests)))
  return { streamBitsPerSecond, fixedS, errorS: median(rests.map((rest) => Math.abs(rest - fixedS))) }
}

function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

type Span = { readonly guest: number; readonly from: NodeName; readonly beganMs: number; readonly endedMs: number }

/** Live moves of guests that are known still, whose pause was measured: somebody saw them from beginning to end. */
function measuredMoves(rows: readonly JournalRow[], { guests, nodes }: ClusterObservation): readonly MeasuredMove[] {
  const spans = spansOf(rows)
  const shared = new Set(nodes.flatMap(({ storages }) => storages.filter((one) => one.shared).map(({ id }) => id)))
  return spans.flatMap((span) => {
    const guest = guests.find(({ vmid }) => vmid === span.guest)
    const link = nodes.find(({ name }) => name === span.from)?.linkBitsPerSecond
    // Local disks go along, and nobody says how much of them was copied.
    if (guest === undefined || link === undefined || guest.disks.some(({ storage }) => !shared.has(storage))) return []
    const lastedS = (span.endedMs - span.beganMs) / 1000
    if (lastedS <= 0 || guest.residentBytes <= 0) return []
    const besideMs = spans
      .filter(({ from }) => from === span.from)
      .reduce((sum, other) => sum + overlapMs(span, other), 0)
    return [
      {
        bits: guest.residentBytes * 8,
        lastedS,
        linkBitsPerSecond: link,
        atOnce: Math.max(1, besideMs / (lastedS * 1000)),
        atMs: span.endedMs,
      },
    ]
  })
}

const overlapMs = (one: Span, other: Span): number =>
  Math.max(0, Math.min(one.endedMs, other.endedMs) - Math.max(one.beganMs, other.beganMs))

/** From the wish to the proof. What began under another wish, or was done already, tells nothing. */
function spansOf(rows: readonly JournalRow[]): readonly Span[] {
  const wishedMs = new Map<string, number>()
  const spans: Span[] = []
  for (const { maintenance, atMs, event } of rows) {
    if ((event.kind !== 'intends' && event.kind !== 'did') || event.act.kind !== 'migrate') continue
    const { guest, from, mode } = event.act
    const key = `${maintenance} ${guest} ${from}`
    if (event.kind === 'intends') {
      wishedMs.set(key, atMs)
      continue
    }
    const beganMs = wishedMs.get(key)
    wishedMs.delete(key)
    const { outcome } = event
    const isMeasured = outcome.is === 'done' && outcome.measured !== undefined && outcome.measured !== 'unmeasured'
    if (beganMs !== undefined && mode === 'live' && isMeasured) spans.push({ guest, from, beganMs, endedMs: atMs })
  }
  return spans
}
