/** The placement as an exact problem for a solver: a proof that none exists, and how low the highest memory fraction can be. */
import type { NodeName, Vmid } from '#domain/ids'
import type { Column, Milp, Row, Solver } from '#ports/solver'
import { Board, type BoardInput, type Unit } from './board.ts'

export type Freedom = 'residents-stay' | 'residents-may-move'

/**
 * Any placement, for a proof that there is one or none; the one that moves the fewest residents; the one with the lowest highest memory
 * fraction, which takes far longer; or, where not all can leave, the one where most guests do.
 */
export type Goal = 'any' | 'fewest-residents' | 'lowest-fullest' | 'most-leave'

export type Verdict = Placed | { readonly is: 'impossible' } | { readonly is: 'unanswered'; readonly why: string }

export type Placed = {
  readonly is: 'placed'
  /** Where everybody ends who does not stay where he is. */
  readonly ends: ReadonlyMap<Vmid, NodeName>
  /** Of memory, over the nodes that take guests; no placement is below `atLeastFraction` (0 where that was not asked). */
  readonly fullestFraction: number
  readonly atLeastFraction: number
  /** No placement moves fewer residents, and none of those that let as many leave where that was asked; 0 where neither was. */
  readonly leastResidents: number
  /** Nothing better exists: not only the best found in the time. */
  readonly isBest: boolean
}

const GIB = 2 ** 30

/**
 * The end alone: who can be reached in which order is not asked, so 'impossible' is a proof, and 'placed' is no promise. Guests that no
 * node would take even if it were empty are left out: no solver is needed to see that they stay.
 */
export async function placeExactly(
  solver: Solver,
  input: BoardInput,
  { freedom, goal, limitMs }: { freedom: Freedom; goal: Goal; limitMs: number },
): Promise<Verdict> {
  const { problem, endsOf } = placementProblem(input, freedom, goal)
  const answer = await solver.solve(problem, limitMs)
  switch (answer.is) {
    case 'infeasible':
      return { is: 'impossible' }
    case 'unanswered':
      return answer
    default:
      return {
        is: 'placed',
        ends: endsOf(answer.values),
        fullestFraction: answer.values[0] ?? 0,
        atLeastFraction: goal === 'lowest-fullest' ? answer.bound : 0,
        leastResidents: goal === 'fewest-residents' || goal === 'most-leave' ? leastIn(answer.bound) : 0,
        isBest: answer.is === 'optimal',
      }
  }
}

/** Column 0 is the highest memory fraction, or an upper bound of it where any placement will do; each other column is 1 where its unit goes to its node. */
function placementProblem(input: BoardInput, freedom: Freedom, goal: Goal) {
  const board = new Board(input)
  const drained = new Set(input.drain.map((name) => board.indexOf(name)))
  const movable = board.units.filter((unit) => isAsked(board, unit, drained, freedom))
  const columns: Column[] = [
    { cost: goal === 'lowest-fullest' ? 1 : 0, lower: 0, upper: HIGHEST_FRACTION, isWhole: false },
  ]
  const placings: Placing[] = []
  for (const unit of movable) {
    // Who is there and stays is not moved there: what binds a move does not bind him.
    const isResident = !drained.has(unit.home)
    const stays = isResident || goal === 'most-leave' ? [unit.home] : []
    for (const node of new Set([...stays, ...board.candidatesOf(unit)])) {
      placings.push({ unit, node, column: columns.length })
      const cost = goal === 'lowest-fullest' || goal === 'any' ? 0 : costOf(board, { unit, node, isResident }, movable)
      columns.push({ cost, lower: 0, upper: 1, isWhole: true })
    }
  }
  const byUnit = Map.groupBy(placings, ({ unit }) => unit)
  const byNode = Map.groupBy(placings, ({ node }) => node)
  const moving = new Set(movable)
  const rows: Row[] = movable.map((unit) => ({ terms: termsOf(byUnit.get(unit) ?? [], () => 1), lower: 1, upper: 1 }))
  for (const node of board.takers) {
    const here = byNode.get(node) ?? []
    rows.push(...roomRows(board, node, here, moving), ...diskRows(board, node, here, moving))
  }
  const problem: Milp = { columns, rows: [...rows, ...apartRows(board, byUnit, moving)] }
  const endsOf = (values: readonly number[]) =>
    new Map(
      placings
        .filter(({ unit, node, column }) => node !== unit.home && (values[column] ?? 0) > 0.5)
        .flatMap(({ unit, node }) => unit.guests.map(({ vmid }) => [vmid, board.node(node).name] as const)),
    )
  return { problem, endsOf }
}

/** The residents in a cost, without what was left behind and without tastes. */
const leastIn = (cost: number): number => Math.max(0, Math.ceil(cost - TASTES_WEIGH - 1e-3)) % LEFT_WEIGHS

/** All that a guest would rather not, over all guests, weighs less than one resident. */
const TASTES_WEIGH = 0.4
/** One guest left behind weighs more than all residents that it would be worth to move. */
const LEFT_WEIGHS = 1_000
/** A restart, as the board counts it, is the worst of tastes. */
const TASTE_LIMIT = 100

function costOf(
  board: Board,
  { unit, node, isResident }: { unit: Unit; node: number; isResident: boolean },
  movable: readonly Unit[],
): number {
  const guests = unit.guests.length
  if (node === unit.home) return isResident ? 0 : LEFT_WEIGHS * guests
  const tastes = (TASTES_WEIGH * Math.min(TASTE_LIMIT, board.dislikes(unit, node))) / (TASTE_LIMIT * movable.length)
  return tastes + (isResident ? guests : 0)
}

type Placing = { readonly unit: Unit; readonly node: number; readonly column: number }

/** A node that was over its limit before may stay so. */
const HIGHEST_FRACTION = 100

function isAsked(board: Board, unit: Unit, drained: ReadonlySet<number>, freedom: Freedom): boolean {
  if (board.candidatesOf(unit).length === 0) return false
  if (drained.has(unit.home)) return true
  return freedom === 'residents-may-move' && board.takers.includes(unit.home)
}

const termsOf = (placings: readonly Placing[], factorOf: (unit: Unit) => number): Row['terms'] =>
  placings.map(({ unit, column }) => ({ column, factor: factorOf(unit) })).filter(({ factor }) => factor !== 0)

/** Memory and cores within the limits, or within what the node carried before; and the fraction that column 0 stands for. */
function roomRows(board: Board, node: number, here: readonly Placing[], moving: ReadonlySet<Unit>): readonly Row[] {
  const leaves = (of: (unit: Unit) => number) =>
    [...(board.unitsAt[node] ?? [])].reduce((sum, at) => sum + (moving.has(board.unit(at)) ? of(board.unit(at)) : 0), 0)
  const memory = board.memory[node] ?? 0
  const cpu = board.cpu[node] ?? 0
  const heldBytes = memory - leaves(({ memoryBytes }) => memoryBytes)
  const heldCores = cpu - leaves(({ cpuCores }) => cpuCores)
  const gib = termsOf(here, ({ memoryBytes }) => memoryBytes / GIB)
  const none = Number.NEGATIVE_INFINITY
  return [
    { terms: gib, lower: none, upper: (Math.max(board.memoryLimit[node] ?? 0, memory) - heldBytes) / GIB },
    {
      terms: termsOf(here, ({ cpuCores }) => cpuCores),
      lower: none,
      upper: Math.max(board.cpuLimit[node] ?? 0, cpu) - heldCores,
    },
    {
      terms: [...gib, { column: 0, factor: -board.node(node).memoryBytes / GIB }],
      lower: none,
      upper: -heldBytes / GIB,
    },
  ].filter(({ upper }) => Number.isFinite(upper))
}

/** Room for local disks: what was free, and what leaves. */
function diskRows(board: Board, node: number, here: readonly Placing[], moving: ReadonlySet<Unit>): readonly Row[] {
  if (board.input.relaxed?.has('storage-short')) return []
  return board
    .node(node)
    .storages.filter(({ shared }) => !shared)
    .map(({ id, freeBytes }) => {
      const gibOf = ({ guests }: Unit) =>
        guests
          .flatMap(({ disks }) => disks)
          .reduce((sum, { storage, bytes }) => sum + (storage === id ? bytes : 0), 0) / GIB
      const leaving = [...(board.unitsAt[node] ?? [])].map((at) => board.unit(at)).filter((unit) => moving.has(unit))
      return {
        terms: termsOf(here, gibOf),
        lower: Number.NEGATIVE_INFINITY,
        upper: freeBytes / GIB + leaving.reduce((sum, unit) => sum + gibOf(unit), 0),
      }
    })
    .filter(({ terms }) => terms.length > 0)
}

/** Two that keep apart share no node; where one of them stays, the other does not go. */
function apartRows(
  board: Board,
  byUnit: ReadonlyMap<Unit, readonly Placing[]>,
  moving: ReadonlySet<Unit>,
): readonly Row[] {
  const rows: Row[] = []
  for (const [unit, placings] of byUnit) {
    for (const at of new Set(unit.foes)) {
      const foe = board.unit(at)
      if (moving.has(foe) && foe.index < unit.index) continue
      const ofFoe = byUnit.get(foe) ?? []
      for (const { node, column } of placings) {
        const theirs = ofFoe.find((placing) => placing.node === node)
        const isThere = !moving.has(foe) && board.placeOf(foe) === node
        if (theirs === undefined && !isThere) continue
        const terms = [{ column, factor: 1 }, ...(theirs ? [{ column: theirs.column, factor: 1 }] : [])]
        rows.push({ terms, lower: Number.NEGATIVE_INFINITY, upper: isThere ? 0 : 1 })
      }
    }
  }
  return rows
}
