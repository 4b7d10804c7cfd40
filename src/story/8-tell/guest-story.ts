/** What happened to one guest: every move with its pause, restarts said as restarts, and where it ended. */
import type { JournalRow, Origin } from '#domain/event'
import type { NodeName, Vmid } from '#domain/ids'
import { type Known, longestBlackout, type Measured } from '#domain/measured'
import type { MoveMode } from '#domain/plan'

export type MoveStory = {
  readonly from: NodeName
  readonly to: NodeName
  readonly mode: MoveMode
  readonly towards: 'away' | 'home'
  readonly startedAtMs: Known<number>
  readonly endedAtMs: Known<number>
  /** open: begun, and the journal does not say how it ended. */
  readonly is: 'moved' | 'failed' | 'open'
  readonly pause: Measured
  /** Rows of the journal, by seq, and the sample that holds the figure. */
  readonly entries: readonly number[]
  readonly sample?: string
  /** already: found done, by others or by a try of ours that nobody timed. */
  readonly whyUnmeasured?: 'no-figure' | 'already' | 'was-stopped' | 'not-moved' | 'restart'
}

export type GuestStory = {
  readonly vmid: Vmid
  readonly name: string
  readonly kind: Origin['kind']
  readonly wasRunning: boolean
  readonly origin: NodeName
  /** Where it belongs: another node than `origin` when an earlier maintenance had left it there. */
  readonly home: NodeName
  readonly moves: readonly MoveStory[]
  readonly movedByOthers: number
  readonly endsOn: NodeName
  readonly longestPause: Measured
  readonly overBudget: readonly OverBudget[]
  /** Rows that say where it was, and that others moved it. */
  readonly entries: readonly number[]
}

export type OverBudget = {
  readonly blackoutMs: number
  readonly budgetMs: number
  readonly entry: number
  readonly sample: string
}

/** One figure about one guest, as the journal holds it: the row's seq, and whose figure. */
export const sampleId = (seq: number, guest: Vmid) => `${seq}:${guest}`

/** A guest may have several readings in one row: by several witnesses, or in several pieces. */
export const readingId = (seq: number, { guest, by = '', fromMs }: ReadingKey) =>
  `${seq}:${guest}:${by}:${fromMs ?? ''}`

type ReadingKey = { readonly guest: Vmid; readonly by?: string; readonly fromMs?: number }

/** An origin, and the row that says it. */
export type OwnOrigin = Origin & { readonly entry?: number }

export const isMoved = (move: MoveStory) => move.is === 'moved'
export const isHome = (guest: GuestStory) => guest.endsOn === guest.home

export function guestStories(all: readonly JournalRow[], own: readonly OwnOrigin[]): readonly GuestStory[] {
  // Read once: a journal of hundreds of guests has thousands of rows.
  const rowsOf = Map.groupBy(all, guestToldOf)
  return own.map((origin) => {
    const rows = rowsOf.get(origin.vmid) ?? []
    const moves = movesOf(rows)
    const byOthers = rows.flatMap(({ atMs, seq, event }) =>
      event.kind === 'guest-moved-by-others' && !isToldAlready(moves, atMs, event.to)
        ? [{ atMs, seq, to: event.to }]
        : [],
    )
    return {
      vmid: origin.vmid,
      name: origin.name,
      kind: origin.kind,
      wasRunning: origin.status === 'running',
      origin: origin.node,
      home: origin.home ?? origin.node,
      moves,
      movedByOthers: byOthers.length,
      endsOn: endOf(origin, moves, byOthers),
      longestPause: longestBlackout(moves.filter(isMoved).map(({ pause }) => pause)),
      overBudget: rows.flatMap(({ event, seq }) =>
        event.kind === 'pause-over-budget'
          ? [{ blackoutMs: event.blackoutMs, budgetMs: event.budgetMs, entry: seq, sample: sampleId(seq, event.guest) }]
          : [],
      ),
      entries: [...(origin.entry === undefined ? [] : [origin.entry]), ...byOthers.map(({ seq }) => seq)],
    }
  })
}

/** Whose story a row belongs to; most rows belong to nobody's. */
function guestToldOf({ event }: JournalRow): Vmid | undefined {
  if (event.kind === 'guest-moved-by-others' || event.kind === 'pause-over-budget') return event.guest
  const isAct = event.kind === 'intends' || event.kind === 'did'
  return isAct && event.act.kind === 'migrate' ? event.act.guest : undefined
}

/** The journal says of a move of ours that HA chose its end; that is the same move, not one more. */
const isToldAlready = (moves: readonly MoveStory[], atMs: number, to: NodeName) =>
  moves.some((move) => isMoved(move) && move.endedAtMs === atMs && move.to === to)

function endOf(
  origin: Origin,
  moves: readonly MoveStory[],
  byOthers: readonly { readonly atMs: number; readonly to: NodeName }[],
): NodeName {
  const ours = moves
    .filter(isMoved)
    .flatMap(({ endedAtMs, to }) => (endedAtMs === 'unknown' ? [] : [{ atMs: endedAtMs, to }]))
  return [...ours, ...byOthers].sort((a, b) => a.atMs - b.atMs).at(-1)?.to ?? origin.node
}

function movesOf(rows: readonly JournalRow[]): readonly MoveStory[] {
  const moves: MoveStory[] = []
  let begun: MoveStory | undefined
  for (const { atMs, seq, event } of rows) {
    if (event.kind !== 'intends' && event.kind !== 'did') continue
    if (event.act.kind !== 'migrate') continue
    const { from, to, mode, purpose } = event.act
    const way = { from, to, mode, towards: purpose === 'home' ? ('home' as const) : ('away' as const) }
    if (event.kind === 'intends') {
      begun = { ...way, startedAtMs: atMs, endedAtMs: 'unknown', is: 'open', pause: 'unmeasured', entries: [seq] }
      continue
    }
    const isBegun = begun?.from === from && begun.to === to
    const startedAtMs = isBegun && begun !== undefined ? begun.startedAtMs : 'unknown'
    const entries = isBegun && begun !== undefined ? [...begun.entries, seq] : [seq]
    begun = undefined
    const is = event.outcome.is === 'failed' ? ('failed' as const) : ('moved' as const)
    // HA chose another node than we asked for: the row says where the guest really went.
    const wentTo = event.outcome.is === 'failed' ? to : (event.outcome.at ?? to)
    const pause = pauseOf(event.outcome, mode)
    const sample = pause.pause === 'unmeasured' ? {} : { sample: sampleId(seq, event.act.guest) }
    moves.push({ ...way, to: wentTo, startedAtMs, endedAtMs: atMs, is, entries, ...pause, ...sample })
  }
  return begun ? [...moves, begun] : moves
}

type DidMigrate = Extract<JournalRow['event'], { kind: 'did' }>['outcome']

function pauseOf(outcome: DidMigrate, mode: MoveMode): Pick<MoveStory, 'pause' | 'whyUnmeasured'> {
  if (outcome.is === 'failed') return { pause: 'unmeasured', whyUnmeasured: 'not-moved' }
  if (mode === 'offline') return { pause: 'unmeasured', whyUnmeasured: 'was-stopped' }
  if (outcome.measured !== undefined && outcome.measured !== 'unmeasured') return { pause: outcome.measured }
  return {
    pause: 'unmeasured',
    whyUnmeasured: outcome.is === 'already' ? 'already' : mode === 'restart' ? 'restart' : 'no-figure',
  }
}
