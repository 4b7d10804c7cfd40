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
  /** already: found done, by others or by a try of ours that nobody timed. */
  readonly whyUnmeasured?: 'no-figure' | 'already' | 'was-stopped' | 'not-moved' | 'restart'
}

export type GuestStory = {
  readonly vmid: Vmid
  readonly name: string
  readonly kind: Origin['kind']
  readonly wasRunning: boolean
  readonly origin: NodeName
  readonly moves: readonly MoveStory[]
  readonly movedByOthers: number
  readonly endsOn: NodeName
  readonly longestPause: Measured
  readonly overBudget: readonly { readonly blackoutMs: number; readonly budgetMs: number }[]
}

export const isMoved = (move: MoveStory) => move.is === 'moved'
export const isHome = (guest: GuestStory) => guest.endsOn === guest.origin

export function guestStories(all: readonly JournalRow[], own: readonly Origin[]): readonly GuestStory[] {
  // Read once: a journal of hundreds of guests has thousands of rows.
  const rowsOf = Map.groupBy(all, guestToldOf)
  return own.map((origin) => {
    const rows = rowsOf.get(origin.vmid) ?? []
    const moves = movesOf(rows)
    const byOthers = rows.flatMap(({ atMs, event }) =>
      event.kind === 'guest-moved-by-others' && !isToldAlready(moves, atMs, event.to) ? [{ atMs, to: event.to }] : [],
    )
    return {
      vmid: origin.vmid,
      name: origin.name,
      kind: origin.kind,
      wasRunning: origin.status === 'running',
      origin: origin.node,
      moves,
      movedByOthers: byOthers.length,
      endsOn: endOf(origin, moves, byOthers),
      longestPause: longestBlackout(moves.filter(isMoved).map(({ pause }) => pause)),
      overBudget: rows.flatMap(({ event }) =>
        event.kind === 'pause-over-budget' ? [{ blackoutMs: event.blackoutMs, budgetMs: event.budgetMs }] : [],
      ),
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
  for (const { atMs, event } of rows) {
    if (event.kind !== 'intends' && event.kind !== 'did') continue
    if (event.act.kind !== 'migrate') continue
    const { from, to, mode, purpose } = event.act
    const way = { from, to, mode, towards: purpose === 'home' ? ('home' as const) : ('away' as const) }
    if (event.kind === 'intends') {
      begun = { ...way, startedAtMs: atMs, endedAtMs: 'unknown', is: 'open', pause: 'unmeasured' }
      continue
    }
    const startedAtMs = begun?.from === from && begun.to === to ? begun.startedAtMs : 'unknown'
    begun = undefined
    const is = event.outcome.is === 'failed' ? ('failed' as const) : ('moved' as const)
    // HA chose another node than we asked for: the row says where the guest really went.
    const wentTo = event.outcome.is === 'failed' ? to : (event.outcome.at ?? to)
    moves.push({ ...way, to: wentTo, startedAtMs, endedAtMs: atMs, is, ...pauseOf(event.outcome, mode) })
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
