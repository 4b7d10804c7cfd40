/** The targets with which a drain could be over soonest, as a problem for a solver: what no plan goes below that moves no resident. */
import { DEFAULT_FORECAST_MODEL } from '#domain/plan'
import type { Board, Unit } from '#plan/board'
import { type Least, leastTo } from '#plan/least'
import type { Column, Row, Solver } from '#ports/solver'

export type Quickest = { readonly targets: ReadonlyMap<Unit, number>; readonly atLeastS: number }

const GIB = 2 ** 30
const LONGEST_S = 1e6
const NONE = Number.NEGATIVE_INFINITY

type Placing = { readonly unit: Unit; readonly node: number; readonly column: number; readonly least: Least }

/**
 * Streams may share the links as they like and all at once, so this is never above what an order of moves can reach. Memory, cores and
 * keep-apart at the end; what a guest writes in the first round is sent again. Column 0 is the makespan. Undefined: no answer in the
 * time, or no such targets.
 */
export async function placeQuickest(solver: Solver, board: Board, limitMs: number): Promise<Quickest | undefined> {
  const drained = new Set(board.input.drain.map((name) => board.indexOf(name)))
  const leaving = board.units.filter(({ home }) => drained.has(home))
  const placings: Placing[] = []
  for (const unit of leaving) {
    for (const node of board.candidatesOf(unit)) {
      const isFoeThere = unit.foes.some((foe) => !drained.has(board.unit(foe).home) && board.unit(foe).home === node)
      const least = leastTo(board, unit, node, DEFAULT_FORECAST_MODEL)
      if (!isFoeThere) placings.push({ unit, node, column: placings.length + 1, least })
    }
  }
  const columns: Column[] = [
    { cost: 1, lower: 0, upper: LONGEST_S, isWhole: false },
    ...placings.map((): Column => ({ cost: 0, lower: 0, upper: 1, isWhole: true })),
  ]
  const rows = [
    ...leaving.map((unit): Row => ({ terms: termsOf(placings, isOf(unit), () => 1), lower: 1, upper: 1 })),
    ...board.takers.flatMap((node) => roomRows(board, node, placings)),
    ...apartRows(placings),
    ...timeRows(board, placings),
  ]
  const answer = await solver.solve({ columns, rows }, limitMs)
  if (answer.is === 'infeasible' || answer.is === 'unanswered') return undefined
  const chosen = placings.filter(({ column }) => (answer.values[column] ?? 0) > 0.5)
  return { targets: new Map(chosen.map(({ unit, node }) => [unit, node])), atLeastS: answer.bound }
}

const isOf = (unit: Unit) => (placing: Placing) => placing.unit === unit
const isAt = (node: number) => (placing: Placing) => placing.node === node

const termsOf = (
  placings: readonly Placing[],
  isMeant: (placing: Placing) => boolean,
  factorOf: (placing: Placing) => number,
): Row['terms'] =>
  placings.flatMap((one) =>
    isMeant(one) && factorOf(one) !== 0 ? [{ column: one.column, factor: factorOf(one) }] : [],
  )

function roomRows(board: Board, node: number, placings: readonly Placing[]): readonly Row[] {
  const free = (limit: Float64Array, load: Float64Array) => Math.max(0, (limit[node] ?? 0) - (load[node] ?? 0))
  return [
    {
      terms: termsOf(placings, isAt(node), ({ unit }) => unit.memoryBytes / GIB),
      lower: NONE,
      upper: free(board.memoryLimit, board.memory) / GIB,
    },
    {
      terms: termsOf(placings, isAt(node), ({ unit }) => unit.cpuCores),
      lower: NONE,
      upper: free(board.cpuLimit, board.cpu),
    },
  ]
}

function apartRows(placings: readonly Placing[]): readonly Row[] {
  return placings.flatMap((one) =>
    placings
      .filter(
        ({ unit, node }) => node === one.node && unit.index > one.unit.index && one.unit.foes.includes(unit.index),
      )
      .map((other): Row => {
        const terms = [one, other].map(({ column }) => ({ column, factor: 1 }))
        return { terms, lower: NONE, upper: 1 }
      }),
  )
}

/** The makespan is no less than any guest's own time, and than what goes over any link after the first set-up. */
function timeRows(board: Board, placings: readonly Placing[]): readonly Row[] {
  const setupS = Math.min(...placings.map(({ least }) => least.setupS))
  const overLink = (node: number, isMeant: (placing: Placing) => boolean): Row => ({
    terms: [
      { column: 0, factor: 1 },
      ...termsOf(placings, isMeant, ({ least }) => -least.bits / board.node(node).linkBitsPerSecond),
    ],
    lower: setupS,
    upper: Number.POSITIVE_INFINITY,
  })
  const sources = new Set(placings.map(({ unit }) => unit.home))
  const targets = new Set(placings.map(({ node }) => node))
  return [
    ...[...sources].map((node) => overLink(node, ({ unit }) => unit.home === node)),
    ...[...targets].map((node) => overLink(node, isAt(node))),
    ...placings.map(({ column, least }): Row => {
      const terms = [
        { column: 0, factor: 1 },
        { column, factor: -least.seconds },
      ]
      return { terms, lower: 0, upper: Number.POSITIVE_INFINITY }
    }),
  ]
}
