/** How long plans take, beside what nobody can go below: the contract's bound, our own, a solver's, and every order of few moves. */
import { planId } from '#domain/ids'
import { DEFAULT_FORECAST_MODEL, type Plan } from '#domain/plan'
import { Board, type Unit } from '#plan/board'
import { proposePlan } from '#plan/decide'
import { modeOf } from '#plan/eligibility'
import { type DraftMove, forecast, overruns } from '#plan/forecast'
import { leastTo } from '#plan/least'
import { scheduleMoves } from '#plan/schedule'
import { permutations } from '#plan/testing'
import { draftHop } from '#plan/way-home'
import type { Solver } from '#ports/solver'
import type { Case, Family } from './families.ts'
import { placeQuickest, type Quickest } from './quickest.ts'

/** The solver is asked of the first so many clusters of a family, and for so long each. */
const SOLVED = 50
const QUICK_SOLVED = 5
const SOLVER_LIMIT_MS = 5_000
const SOLVED_GUESTS_LIMIT = 500
/** Every order of more moves than this is not tried. */
const ORDERED_LIMIT = 5
const CLOSE = 1.02

export type Spread = { readonly cases: number; readonly median: number; readonly p95: number }
export type Closeness = Spread & { readonly within2Percent: number }

export type MakespanFigures = {
  /** Over the contract's bound (resident memory over the slowest emptied link) and the fixed seconds of the moves, shared over the parallel ones. */
  readonly overContract: Spread
  /** Over our own certified bound, and nothing else. */
  readonly overBound: Spread
  /** Over the same bound of plans that move no resident, by the solver, of which some were not answered in the time. */
  readonly overSolverBound: Closeness & { readonly unanswered: number }
  /** Over the shortest of every order, every row of steps and every number at once, with our targets and the solver's, as forecast. */
  readonly overEveryOrder: Closeness
  /** Over the plan with the solver's targets, scheduled by us. */
  readonly overSolverTargets: Closeness
  readonly pausesOverBudget: number
  /** Of those, whom another schedule or target would keep within his budget: alone, over the best link that may take him. */
  readonly avoidable: number
}

type Run = {
  readonly contract: number
  readonly bound: number
  readonly pauses: number
  readonly avoidable: number
  readonly solver: Solved | 'not-asked' | 'unanswered'
}
type Solved = { readonly bound: number; readonly targets: number; readonly everyOrder: number | undefined }

export async function makespanFiguresOf(family: Family, isQuick: boolean, solver: Solver): Promise<MakespanFigures> {
  const runs: Run[] = []
  const count = isQuick ? family.quickCases : family.cases
  for (let seed = 0; seed < count; seed++) {
    const one = family.build(seed)
    const plan = planOf(one)
    if (!plan.feasible || plan.moves.length === 0) continue
    const isAsked =
      runs.filter((run) => run.solver !== 'not-asked').length < (isQuick ? QUICK_SOLVED : SOLVED) &&
      one.cluster.guests.length <= SOLVED_GUESTS_LIMIT &&
      plan.moves.every(({ purpose, mode }) => purpose === 'drain' && mode !== 'offline')
    const fixedS = (plan.model.fixedSecondsPerMove * plan.moves.length) / plan.parallelMigrations
    runs.push({
      contract: plan.makespanS / (contractBoundS(one) + fixedS),
      bound: plan.makespanS / plan.lowerBoundS,
      ...pausesOf(one, plan),
      solver: isAsked ? await solved(one, plan, solver) : 'not-asked',
    })
  }
  return summaryOf(runs)
}

const planOf = ({ cluster, drain, policy }: Case): Plan =>
  proposePlan({ cluster, drain, policy, revision: 1, id: planId('bench') })

function contractBoundS({ cluster: { nodes, guests }, drain }: Case): number {
  const overLinkS = nodes
    .filter(({ name }) => drain.includes(name))
    .map(({ name, linkBitsPerSecond }) => {
      const running = guests.filter(({ node, status }) => node === name && status === 'running')
      return (8 * sum(running.map(({ residentBytes }) => residentBytes))) / linkBitsPerSecond
    })
  return Math.max(...overLinkS)
}

async function solved(one: Case, plan: Plan, solver: Solver): Promise<Run['solver']> {
  const board = new Board(one)
  const best = await placeQuickest(solver, board, SOLVER_LIMIT_MS)
  if (best === undefined) return 'unanswered'
  const theirs = draftsTo(board, best)
  const ours = draftsOf(board, plan)
  const wanted = one.policy.parallelMigrations
  const orders = [ours, theirs].map((moves) =>
    moves.length <= ORDERED_LIMIT ? shortestOrderS(moves, wanted) : undefined,
  )
  const everyOrderS = Math.min(...orders.map((one) => one ?? Number.POSITIVE_INFINITY))
  return {
    bound: plan.makespanS / Math.max(best.atLeastS, 1e-9),
    targets: plan.makespanS / scheduleMoves(theirs, DEFAULT_FORECAST_MODEL, wanted).makespanS,
    everyOrder: Number.isFinite(everyOrderS) ? plan.makespanS / everyOrderS : undefined,
  }
}

const draftsTo = (board: Board, { targets }: Quickest): readonly DraftMove[] =>
  [...targets].flatMap(([unit, to]) => draftHop(board, { step: 1, unit, from: unit.home, to, purpose: 'drain' }))

const draftsOf = (board: Board, plan: Plan): readonly DraftMove[] => {
  const to = new Map<Unit, number>()
  for (const move of plan.moves) {
    const unit = board.unitOf.get(move.guest)
    if (unit !== undefined) to.set(unit, board.indexOf(move.to))
  }
  return draftsTo(board, { targets: to, atLeastS: 0 })
}

/** The shortest of those with the fewest overruns of a budget. */
function shortestOrderS(moves: readonly DraftMove[], wanted: number | 'auto'): number {
  let best = { over: Number.POSITIVE_INFINITY, seconds: Number.POSITIVE_INFINITY }
  const counts = wanted === 'auto' ? moves.map((_, index) => index + 1) : [wanted]
  for (const order of permutations(moves)) {
    for (let breaks = 0; breaks < 2 ** (order.length - 1); breaks++) {
      let step = 1
      const steps = order.map((move, index) => {
        if (index > 0 && (breaks >> (index - 1)) & 1) step++
        return { ...move, step }
      })
      for (const parallel of counts) {
        const one = forecast(steps, DEFAULT_FORECAST_MODEL, parallel)
        const over = overruns(one.moves).length
        if (over < best.over || (over === best.over && one.makespanS < best.seconds)) {
          best = { over, seconds: one.makespanS }
        }
      }
    }
  }
  return best.seconds
}

function pausesOf(one: Case, plan: Plan): { pauses: number; avoidable: number } {
  const over = plan.blockers.filter(({ kind }) => kind === 'pause-budget')
  if (over.length === 0) return { pauses: 0, avoidable: 0 }
  const board = new Board(one)
  const isAvoidable = (id: unknown): boolean => {
    const unit = board.units.find(({ guests }) => guests.some(({ vmid }) => vmid === id))
    if (unit === undefined) return false
    return board.candidatesOf(unit).some((to) => {
      const [guest] = unit.guests.filter(({ vmid }) => vmid === id)
      if (guest === undefined || leastTo(board, unit, to, DEFAULT_FORECAST_MODEL).bits === 0) return false
      const [source, target] = [board.node(unit.home), board.node(to)]
      if (modeOf({ guest, source, target }) !== 'live') return false
      const alone = draftHop(board, { step: 1, unit, from: unit.home, to, purpose: 'drain' })
      return overruns(forecast(alone, DEFAULT_FORECAST_MODEL, 1).moves).every((move) => move.guest.vmid !== id)
    })
  }
  return { pauses: over.length, avoidable: over.filter(({ guest }) => isAvoidable(guest)).length }
}

function summaryOf(runs: readonly Run[]): MakespanFigures {
  const answers = runs.flatMap(({ solver }) => (typeof solver === 'string' ? [] : [solver]))
  const unanswered = runs.filter(({ solver }) => solver === 'unanswered').length
  return {
    overContract: spread(runs.map(({ contract }) => contract)),
    overBound: spread(runs.map(({ bound }) => bound)),
    overSolverBound: { ...closeness(answers.map(({ bound }) => bound)), unanswered },
    overEveryOrder: closeness(answers.flatMap(({ everyOrder }) => everyOrder ?? [])),
    overSolverTargets: closeness(answers.map(({ targets }) => targets)),
    pausesOverBudget: sum(runs.map(({ pauses }) => pauses)),
    avoidable: sum(runs.map(({ avoidable }) => avoidable)),
  }
}

function spread(ratios: readonly number[]): Spread {
  return { cases: ratios.length, median: quantile(ratios, 0.5), p95: quantile(ratios, 0.95) }
}

const closeness = (ratios: readonly number[]): Closeness => ({
  ...spread(ratios),
  within2Percent: ratios.filter((ratio) => ratio <= CLOSE).length,
})

const sum = (figures: readonly number[]): number => figures.reduce((total, figure) => total + figure, 0)

/** 0 for none: the count of cases says so. */
function quantile(figures: readonly number[], part: number): number {
  const sorted = figures.toSorted((a, b) => a - b)
  const at = Math.min(sorted.length - 1, Math.floor(part * sorted.length))
  return Math.round((sorted[at] ?? 0) * 1e4) / 1e4
}
