/** Forecasts a plan: when each move streams, how long its guest is paused. Precopy rounds over links shared by what streams at once. */
import type { Guest } from '#domain/guest'
import type { Node } from '#domain/node'
import type { ForecastModel, MoveMode, MovePurpose } from '#domain/plan'

export type DraftMove = {
  readonly step: number
  readonly guest: Guest
  readonly source: Node
  readonly target: Node
  readonly mode: MoveMode
  readonly purpose: MovePurpose
  /** Local disks that go along. */
  readonly diskBytes: number
  /** Moves of one step with the same figure are partners, who go in one step. Absent: it goes alone. */
  readonly unit?: number
}

export type TimedMove = DraftMove & {
  readonly startsAtS: number
  readonly endsAtS: number
  readonly forecastBlackoutMs: number
  /** What Proxmox allows itself by the end: above what the owner accepts the copy is ended while the guest still runs. */
  readonly allowedPauseMs: number
}

export type Forecast = { readonly moves: readonly TimedMove[]; readonly makespanS: number }

/** Proxmox's `migrate_downtime`; doubled by Proxmox itself about every six seconds without progress. */
const ALLOWED_PAUSE_MS = 100
const STALL_DOUBLES_EVERY_S = 6
/** Device state and the switch-over itself, on top of the last round. */
const SWITCH_OVER_MS = 30
const ROUNDS_LIMIT = 60
/** Stop, move of the configuration, start: on top of what is copied. */
export const RESTART_S = 10
/** Where nobody measured how fast a guest writes. */
const ASSUMED_DIRTY_BYTES_PER_SECOND = 8 * 2 ** 20
const EPSILON_S = 1e-9

type Stream = {
  readonly move: DraftMove
  readonly startsAtS: number
  /** Seconds of set-up still to go; nothing is copied before. */
  setupS: number
  roundBytes: number
  leftBytes: number
  roundS: number
  rounds: number
  allowedMs: number
  bitsPerSecond: number
  blackoutMs: number
  isLast: boolean
}

/** Within a step moves stream in the order given, at most `parallel` at once; a step begins when the one before has ended. */
export function forecast(moves: readonly DraftMove[], model: ForecastModel, parallel: number): Forecast {
  const timed: TimedMove[] = []
  let nowS = 0
  const steps = Map.groupBy(moves, ({ step }) => step)
  for (const step of [...steps.keys()].toSorted((a, b) => a - b)) {
    const queue = (steps.get(step) ?? []).toReversed()
    const active: Stream[] = []
    while (queue.length > 0 || active.length > 0) {
      while (active.length < parallel) {
        const next = queue.pop()
        if (next === undefined) break
        active.push(begin(next, nowS, model))
      }
      share(active, model)
      const waitS = Math.min(...active.map(untilEventS))
      nowS += waitS
      for (const stream of active) advance(stream, waitS)
      for (let index = active.length - 1; index >= 0; index--) {
        const stream = active[index]
        if (stream === undefined || !isOver(stream)) continue
        active.splice(index, 1)
        timed.push({
          ...stream.move,
          startsAtS: stream.startsAtS,
          endsAtS: nowS,
          forecastBlackoutMs: blackoutOf(stream, model),
          allowedPauseMs: stream.allowedMs,
        })
      }
    }
  }
  timed.sort((a, b) => a.step - b.step || a.startsAtS - b.startsAtS || a.guest.vmid - b.guest.vmid)
  return { moves: timed, makespanS: nowS }
}

function begin(move: DraftMove, nowS: number, model: ForecastModel): Stream {
  const bytes = move.mode === 'offline' ? move.diskBytes : move.guest.residentBytes + move.diskBytes
  return {
    move,
    startsAtS: nowS,
    setupS: model.fixedSecondsPerMove + (move.mode === 'restart' ? RESTART_S : 0),
    roundBytes: bytes,
    leftBytes: bytes,
    roundS: 0,
    rounds: 0,
    allowedMs: ALLOWED_PAUSE_MS,
    bitsPerSecond: 1,
    blackoutMs: 0,
    isLast: bytes === 0,
  }
}

/** Each link is shared evenly by what streams over it; a stream alone is bounded by what one stream can do. */
function share(active: readonly Stream[], model: ForecastModel): void {
  const out = new Map<Node, number>()
  const into = new Map<Node, number>()
  const copying = active.filter(({ setupS }) => setupS <= 0)
  for (const { move } of copying) {
    out.set(move.source, (out.get(move.source) ?? 0) + 1)
    into.set(move.target, (into.get(move.target) ?? 0) + 1)
  }
  for (const stream of copying) {
    const { source, target } = stream.move
    stream.bitsPerSecond = Math.min(
      model.streamBitsPerSecond,
      source.linkBitsPerSecond / (out.get(source) ?? 1),
      target.linkBitsPerSecond / (into.get(target) ?? 1),
    )
  }
}

const untilEventS = (stream: Stream): number =>
  stream.setupS > 0 ? stream.setupS : (stream.leftBytes * 8) / stream.bitsPerSecond

const isOver = (stream: Stream): boolean => stream.setupS <= 0 && stream.isLast && stream.leftBytes <= 0

function advance(stream: Stream, waitS: number): void {
  if (stream.setupS > 0) {
    stream.setupS = stream.setupS - waitS < EPSILON_S ? 0 : stream.setupS - waitS
    return
  }
  const sentBytes = (waitS * stream.bitsPerSecond) / 8
  stream.roundS += waitS
  // Less than a byte is a rest of the arithmetic.
  stream.leftBytes = stream.leftBytes - sentBytes < 1 ? 0 : stream.leftBytes - sentBytes
  if (stream.leftBytes === 0 && !stream.isLast) endRound(stream)
}

function endRound(stream: Stream): void {
  const { guest, mode } = stream.move
  if (mode !== 'live') {
    stream.isLast = true
    return
  }
  const dirtyBytesPerSecond =
    guest.dirtyBytesPerSecond === 'unknown' ? ASSUMED_DIRTY_BYTES_PER_SECOND : guest.dirtyBytesPerSecond
  const saturatesAtBytes =
    guest.writableWorkingSetBytes === 'unknown' ? guest.residentBytes : guest.writableWorkingSetBytes
  const nextBytes = Math.min(dirtyBytesPerSecond * stream.roundS, saturatesAtBytes, guest.residentBytes)
  const lastMs = (nextBytes * 8_000) / stream.bitsPerSecond
  if (stream.rounds > 0 && nextBytes > 0.9 * stream.roundBytes) {
    stream.allowedMs *= 2 ** Math.max(1, Math.floor(stream.roundS / STALL_DOUBLES_EVERY_S))
  }
  stream.rounds++
  if (lastMs <= stream.allowedMs || stream.rounds >= ROUNDS_LIMIT) {
    stream.isLast = true
    stream.blackoutMs = lastMs + SWITCH_OVER_MS
  }
  stream.roundBytes = nextBytes
  stream.leftBytes = nextBytes < 1 ? 0 : nextBytes
  stream.roundS = 0
}

function blackoutOf(stream: Stream, model: ForecastModel): number {
  switch (stream.move.mode) {
    case 'offline':
      return 0
    case 'restart':
      // Down while it is stopped, its own disks are copied, and it is started. Its memory is not copied, though the span counts it as
      // the contract's lower bound does.
      return Math.ceil(
        (model.fixedSecondsPerMove + RESTART_S + (stream.move.diskBytes * 8) / stream.bitsPerSecond) * 1000,
      )
    case 'live':
      return Math.ceil(Math.max(stream.blackoutMs, SWITCH_OVER_MS))
  }
}

const DEFAULT_BUDGET_MS = 1000

/** Live moves that are forecast to pause a guest for longer than its owner accepts, or for which Proxmox would allow itself to. */
export const overruns = (moves: readonly TimedMove[]): readonly TimedMove[] =>
  moves.filter(
    ({ mode, guest, forecastBlackoutMs, allowedPauseMs }) =>
      mode === 'live' &&
      guest.pauseBudgetMs !== undefined &&
      Math.max(forecastBlackoutMs, isRaised(allowedPauseMs) ? allowedPauseMs : 0) > guest.pauseBudgetMs,
  )

/** Before it is raised it is the same for everybody, whatever an owner accepts. */
const isRaised = (allowedPauseMs: number): boolean => allowedPauseMs > ALLOWED_PAUSE_MS

/** What a pause weighs, by what its owner accepts: within half of that, nothing. */
export function weightOf({ mode, guest, forecastBlackoutMs, allowedPauseMs }: TimedMove): number {
  if (mode !== 'live') return 0
  const pauseMs = Math.max(forecastBlackoutMs, isRaised(allowedPauseMs) ? allowedPauseMs : 0)
  return Math.max(0, pauseMs / (guest.pauseBudgetMs ?? DEFAULT_BUDGET_MS) - 0.5)
}

const TIE = 1e-6

export function isLess(one: readonly number[], other: readonly number[]): boolean {
  for (const [index, figure] of one.entries()) {
    const against = other[index] ?? 0
    if (Math.abs(figure - against) > TIE * Math.max(1, Math.abs(against))) return figure < against
  }
  return false
}
