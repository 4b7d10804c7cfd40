/** The placement as an exact problem for a solver: a proof that none exists, and how low the highest memory fraction can be. */
import type { Column, Milp, Row, Solver } from '#ports/solver'
import { Board, type BoardInput, type Unit } from './board.ts'

export type Freedom = 'residents-stay' | 'residents-may-move'

/** Any placement, for a proof that there is one or none; or the one with the lowest highest memory fraction, which takes far longer. */
export type Goal = 'any' | 'lowest-fullest'

export type Verdict =
  /** `fullestFraction` of memory over the nodes that take guests; no placement is below `atLeastFraction` (0 where any was asked). */
  | { readonly is: 'placed'; readonly fullestFraction: number; readonly atLeastFraction: number }
  | { readonly is: 'impossible' }
  | { readonly is: 'unanswered'; readonly why: string }

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
  const answer = await solver.solve(placementProblem(input, freedom, goal), limitMs)
  switch (answer.is) {
    case 'infeasible':
      return { is: 'impossible' }
    case 'unanswered':
      return answer
    default:
      return {
        is: 'placed',
        fullestFraction: answer.values[0] ?? 0,
        atLeastFraction: goal === 'any' ? 0 : answer.bound,
      }
  }
}

/** Column 0 is the highest memory fraction, or an upper bound of it where any placement will do; each other column is 1 where its unit goes to its node. */
function placementProblem(input: BoardInput, freedom: Freedom, goal: Goal): Milp {
  const board = new Board(input)
  const drained = new Set(input.drain.map((name) => board.indexOf(name)))
  const movable = board.units.filter((unit) => isAsked(board, unit, drained, freedom))
  const columns: Column[] = [{ cost: goal === 'any' ? 0 : 1, lower: 0, upper: HIGHEST_FRACTION, isWhole: false }]
  const placings: Placing[] = []
  for (const unit of movable) {
    // Who is there and stays is not moved there: what binds a move does not bind him.
    const stays = drained.has(unit.home) ? [] : [unit.home]
    for (const node of new Set([...stays, ...board.candidatesOf(unit)])) {
      placings.push({ unit, node, column: columns.length })
      columns.push({ cost: 0, lower: 0, upper: 1, isWhole: true })
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
  return { columns, rows: [...rows, ...apartRows(board, byUnit, moving)] }
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
