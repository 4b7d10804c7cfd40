/** Drafts of a plan: where everybody goes and in which order, the best of several tries. */
import type { NodeName, Vmid } from '#domain/ids'
import type { Plan } from '#domain/plan'
import { Board, type BoardInput, type Unit } from './board.ts'
import { isLess } from './forecast.ts'
import { keepReserve } from './keep-reserve.ts'
import { type Order, orderMoves } from './order.ts'
import { type Ordering, place } from './place.ts'
import { checkReserve, type Reserve } from './reserve.ts'
import { shuffle } from './shuffle.ts'

export type Draft = {
  /** At the end of the plan. */
  readonly board: Board
  readonly unplaced: readonly Unit[]
  readonly order: Order
  readonly reserve: Reserve
  /** Smaller is better, the first that differs decides. */
  readonly figures: readonly number[]
}

const ORDERINGS: readonly Ordering[] = ['constrained-first', 'memory-first', 'cpu-first', 'small-first']
/** Larger clusters have too many sequences to look at, and room enough to do without. */
const SHUFFLED_UNITS_LIMIT = 80
/** Of one try, where guests would be left behind; of large clusters fewer, for it shall not take longer. */
const LOOKS = 40_000
const LONG_LOOKS = 80_000
const LARGE_LOOKS = 10_000
const LARGE_GUESTS = 400

/**
 * Tries several orders of choosing; stops at the first that leaves nothing to wish for. `ends`: where somebody else (a solver) would have
 * everybody, by guest; taken where an order of moves leads there and nothing of ours is better.
 */
export function bestDraft(input: BoardInput, reserveNodes: number, ends?: Ends): Draft {
  const strict = bestOfStrict(input, reserveNodes)
  const isMoreTried = isAnyCrowded(strict) && (isAnyOver(strict.board) || !isLarge(input))
  const found = isMoreTried ? better(strict, bestOfLax(input, reserveNodes)) : strict
  const own = isReserveOpen(found, reserveNodes) ? better(found, draftKeepingReserve(found)) : found
  return ends === undefined ? own : better(own, draftTo(laxly(input), reserveNodes, ends))
}

export type Ends = ReadonlyMap<Vmid, NodeName>

const better = (one: Draft, other: Draft): Draft => (isLess(other.figures, one.figures) ? other : one)

/** Somebody stays whom some node would take if it were empty. */
const isAnyCrowded = ({ board, unplaced, order }: Draft): boolean =>
  [...unplaced, ...order.stuck].some((unit) => board.candidatesOf(unit).length > 0)

function bestOfStrict(input: BoardInput, reserveNodes: number): Draft {
  const looks = looksFor(input, LOOKS)
  let best = draftPlan(input, reserveNodes, ORDERINGS[0] ?? 'constrained-first', looks)
  for (const ordering of ORDERINGS.slice(1)) {
    const [left, residents, dislikes, unmet] = best.figures
    const isSumShort = !best.reserve.holds && best.reserve.memoryShortBytes + best.reserve.cpuShortCores > 0
    if (left === 0 && residents === 0 && dislikes === 0 && (unmet === 0 || isSumShort)) break
    best = better(best, draftPlan(input, reserveNodes, ordering, looks))
  }
  if (!isAnyCrowded(best) || best.board.units.length > SHUFFLED_UNITS_LIMIT) return best
  return better(best, draftByShuffle(input, reserveNodes))
}

/** Unmet, and not for what is missing in sum, which no other targets would change. More than one node at once is left to chance. */
const isReserveOpen = ({ board, reserve }: Draft, reserveNodes: number): boolean =>
  !reserve.holds &&
  reserve.memoryShortBytes + reserve.cpuShortCores === 0 &&
  reserveNodes === 1 &&
  !isLarge(board.input)

function draftKeepingReserve(draft: Draft): Draft {
  const board = new Board(draft.board.input)
  for (const unit of board.units) {
    const end = draft.board.at[unit.index] ?? unit.home
    if (end !== unit.home) board.relocate(unit, end)
  }
  if (!keepReserve(board, leavingOf(board))) return draft
  const ends = board.units.flatMap((unit) => {
    const { name } = board.node(board.placeOf(unit))
    return unit.guests.map(({ vmid }) => [vmid, name] as const)
  })
  return draftTo(board.input, 1, new Map(ends))
}

const isLarge = ({ cluster }: BoardInput): boolean => cluster.guests.length > LARGE_GUESTS

const looksFor = (input: BoardInput, looks: number): number => (isLarge(input) ? LARGE_LOOKS : looks)

/** A node that takes guests was over its limit before anything moved. */
function isAnyOver({ input, takers, memoryLimit, cpuLimit }: Board): boolean {
  const { memory, cpu } = new Board(input)
  return takers.some(
    (node) => (memory[node] ?? 0) > (memoryLimit[node] ?? 0) || (cpu[node] ?? 0) > (cpuLimit[node] ?? 0),
  )
}

/**
 * The last resort, where guests would be left behind: a node that was over its limit takes guests again after others have left it, up to
 * what it carried before, and the search is longer.
 */
function bestOfLax(input: BoardInput, reserveNodes: number): Draft {
  const lax = laxly(input)
  const looks = looksFor(input, LONG_LOOKS)
  let best = draftPlan(lax, reserveNodes, ORDERINGS[0] ?? 'constrained-first', looks)
  for (const ordering of ORDERINGS.slice(1)) {
    if (best.figures[0] === 0) break
    best = better(best, draftPlan(lax, reserveNodes, ordering, looks))
  }
  if (!isAnyCrowded(best) || best.board.units.length > SHUFFLED_UNITS_LIMIT) return best
  return better(best, draftByShuffle(lax, reserveNodes))
}

/** What a node carries at first it may carry again. */
export function laxly(input: BoardInput): BoardInput {
  const { nodes, memory, cpu } = new Board(input)
  return {
    ...input,
    memoryFloorBytes: new Map(nodes.map(({ name }, index) => [name, memory[index] ?? 0])),
    cpuFloorCores: new Map(nodes.map(({ name }, index) => [name, cpu[index] ?? 0])),
  }
}

const leavingOf = (board: Board): readonly Unit[] => {
  const drained = new Set(board.input.drain.map((name) => board.indexOf(name)))
  return board.units.filter(({ home }) => drained.has(home))
}

function draftPlan(input: BoardInput, reserveNodes: number, ordering: Ordering, looks: number): Draft {
  const sketch = new Board(input)
  const movable = leavingOf(sketch).filter((unit) => sketch.candidatesOf(unit).length > 0)
  const placed = place(sketch, movable, ordering, looks)
  const noPlace = new Set(placed.unplaced.map(({ index }) => index))
  const board = new Board(input)
  const wanted = new Map<Unit, number>()
  for (const unit of board.units) {
    const target = sketch.at[unit.index] ?? unit.home
    if (target !== unit.home) wanted.set(unit, target)
  }
  return drafted(board, wanted, noPlace, reserveNodes)
}

/** Everybody to his end, where an order leads there. */
function draftTo(input: BoardInput, reserveNodes: number, ends: Ends): Draft {
  const board = new Board(input)
  const wanted = new Map<Unit, number>()
  for (const unit of board.units) {
    const end = unit.guests[0] === undefined ? undefined : ends.get(unit.guests[0].vmid)
    if (end !== undefined && end !== board.node(unit.home).name) wanted.set(unit, board.indexOf(end))
  }
  const noPlace = new Set(leavingOf(board).flatMap((unit) => (wanted.has(unit) ? [] : [unit.index])))
  return drafted(board, wanted, noPlace, reserveNodes)
}

function drafted(
  board: Board,
  wanted: ReadonlyMap<Unit, number>,
  noPlace: ReadonlySet<number>,
  reserveNodes: number,
): Draft {
  const leaving = new Set(leavingOf(board))
  const order = orderMoves(board, wanted, (unit) => (leaving.has(unit) ? 'drain' : 'make-room'))
  const unplaced = [...leaving].filter((unit) => noPlace.has(unit.index) || board.candidatesOf(unit).length === 0)
  return judged(board, unplaced, order, reserveNodes)
}

function draftByShuffle(input: BoardInput, reserveNodes: number): Draft {
  const board = new Board(input)
  const leaving = leavingOf(board)
  const hops = shuffle(board, leaving)
  const unplaced = leaving.filter((unit) => board.placeOf(unit) === unit.home)
  return judged(board, unplaced, { hops, stuck: [] }, reserveNodes)
}

function judged(board: Board, unplaced: readonly Unit[], order: Order, reserveNodes: number): Draft {
  const leaving = new Set(leavingOf(board))
  const reserve = checkReserve(board, reserveNodes)
  const left = [...leaving].filter((unit) => board.placeOf(unit) === unit.home)
  const away = board.units.filter((unit) => !leaving.has(unit) && board.placeOf(unit) !== unit.home)
  return {
    board,
    unplaced,
    order,
    reserve,
    figures: [
      guestsIn(left),
      guestsIn(away),
      order.hops.reduce((sum, { unit }) => sum + board.dislikes(unit, board.placeOf(unit)), 0),
      reserve.holds ? 0 : 1,
      Math.max(0, ...order.hops.map(({ step }) => step)),
      Math.max(...afterOf(board).map(({ memoryAllocatedFraction }) => memoryAllocatedFraction)),
    ],
  }
}

const guestsIn = (units: readonly Unit[]): number => units.reduce((sum, { guests }) => sum + guests.length, 0)

export function afterOf(board: Board): Plan['after'] {
  return board.nodes.map(({ name, memoryBytes, cpuCores }, index) => ({
    node: name,
    memoryAllocatedFraction: Math.round(((board.memory[index] ?? 0) / memoryBytes) * 1e4) / 1e4,
    cpuAllocatedFraction: Math.round(((board.cpu[index] ?? 0) / cpuCores) * 1e4) / 1e4,
  }))
}
