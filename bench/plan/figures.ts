/** What is measured on one family of clusters: rules broken, distance to the bounds, time; and the same for the baselines. */
import { performance } from 'node:perf_hooks'
import type { ClusterObservation } from '#domain/cluster'
import { planId } from '#domain/ids'
import type { Move, Plan } from '#domain/plan'
import { checkPlan } from '#plan/check-plan'
import { proposePlan } from '#plan/decide'
import { placeExactly } from '#plan/exact'
import { provePlan } from '#plan/prove-plan'
import type { Solver } from '#ports/solver'
import { BASELINES, type Baseline, baselinePlan } from './baselines.ts'
import type { Case, Family } from './families.ts'
import { CROWDED_KINDS, judgeReasons, type ReasonFigures, type ReasonVerdict, reasonFiguresOf } from './reasons.ts'

/** Rules of the cluster. What a plan says of its own times and of the way home a baseline cannot know. */
const RULE_KINDS = [
  'memory-short',
  'cpu-short',
  'keep-apart',
  'keep-together',
  'pinned',
  'storage-missing',
  'storage-short',
  'bridge-missing',
  'cpu-model',
]
/** Baselines are looked at on the first so many clusters of a family, the balance on fewer; proofs on all. */
const COMPARED = 50
const BALANCED = 8
const PROOF_LIMIT_MS = 2_000
const BALANCE_LIMIT_MS = 10_000
const QUICK_BALANCE_LIMIT_MS = 2_000
/** Larger problems are not asked: a million columns are not even read in time. */
const EXACT_GUESTS_LIMIT = 2_000
/** The evenness of larger clusters is not proven in the time, which says nothing of the planner. */
const BALANCED_GUESTS_LIMIT = 500
/** How little room would do, and who could leave at most, is proven for few only; the rest is the best found in this time. */
const SOLVER_LIMITS = { placementMs: 5_000, reasonsMs: 5_000, mostLeaveMs: 250, amountMs: 100, evenMs: 0 }

export type BaselineFigures = { readonly violations: number; readonly fullestFraction: number }

export type Figures = {
  readonly cases: number
  readonly guests: number
  readonly feasible: number
  /** By the independent checker, with the times, the way home and the reserve. */
  readonly violations: number
  readonly residentsMoved: number
  /** Residents moved although a solver places everybody without them. */
  readonly residentsWithoutNeed: number
  /** Drains that leave guests behind who fit somewhere alone: proven impossible, proven without a way there, or not proven. */
  readonly crowded: { readonly provenImpossible: number; readonly provenNoWay: number; readonly notProved: number }
  /** Drains where the planner alone leaves guests behind, or moves residents, and with the solver's end state fewer. */
  readonly betteredBySolver: number
  readonly reasons: ReasonFigures
  /** Over the plan's bound and the fixed seconds of the moves, shared over the parallel ones. */
  readonly makespanRatio: { readonly median: number; readonly p95: number }
  readonly pausesOverBudget: number
  readonly fullestFraction: number
  /** Highest memory fraction of the planner alone, less the lowest that the solver found; and less the lowest that it proved. */
  readonly fractionAboveBest: { readonly median: number; readonly largest: number; readonly cases: number }
  readonly fractionAboveBound: { readonly median: number; readonly largest: number }
  readonly planMs: { readonly median: number; readonly longest: number }
  readonly solverMs: { readonly median: number; readonly longest: number }
  readonly baselines: Readonly<Record<Baseline, BaselineFigures>>
}

type Run = {
  readonly one: Case
  readonly plan: Plan
  readonly planMs: number
  readonly violations: number
  readonly need: 'none' | 'proven' | 'without-need'
  readonly isBettered: boolean
  readonly reasons: ReasonVerdict
  readonly above: { readonly best: number; readonly bound: number } | undefined
  readonly solverMs: readonly number[]
}

export async function figuresOf(family: Family, isQuick: boolean, solver: Solver): Promise<Figures> {
  const runs: Run[] = []
  const baselines = new Map<Baseline, BaselineFigures[]>(BASELINES.map((name) => [name, []]))
  const count = isQuick ? family.quickCases : family.cases
  planOf(family.build(0))
  for (let seed = 0; seed < count; seed++) {
    const one = family.build(seed)
    const isBalanced = seed < balancedIn(family, isQuick)
    const run = await runOne(
      one,
      { isBalanced, balanceLimitMs: isQuick ? QUICK_BALANCE_LIMIT_MS : BALANCE_LIMIT_MS },
      solver,
    )
    runs.push(run)
    if (seed >= COMPARED) continue
    for (const name of BASELINES) baselines.get(name)?.push(baselineFigures(one, baselinePlan(name, one, run.plan)))
  }
  return summaryOf(runs, baselines)
}

/** Every cluster of the families that the number is promised for. */
const balancedIn = ({ name, cases }: Family, isQuick: boolean): number => {
  if (isQuick) return 2
  return name.endsWith(' guests') ? cases : BALANCED
}

const requestOf = ({ cluster, drain, policy }: Case) => ({ cluster, drain, policy, revision: 1, id: planId('bench') })
const planOf = (one: Case): Plan => proposePlan(requestOf(one))

async function runOne(one: Case, asks: { isBalanced: boolean; balanceLimitMs: number }, solver: Solver): Promise<Run> {
  const startedAtMs = performance.now()
  const own = planOf(one)
  const planMs = performance.now() - startedAtMs
  const solverMs: number[] = []
  const timed: Solver = {
    solve: async (problem, limitMs) => {
      const askedAtMs = performance.now()
      const answer = await solver.solve(problem, limitMs)
      solverMs.push(performance.now() - askedAtMs)
      return answer
    },
  }
  const isSmall = one.cluster.guests.length <= EXACT_GUESTS_LIMIT
  const isWorthAsking = isSmall && (residentsIn(own) > 0 || own.proof?.reasons !== 'none')
  const plan = isWorthAsking ? await provePlan(requestOf(one), timed, SOLVER_LIMITS) : own
  const alone =
    residentsIn(plan) > 0
      ? await placeExactly(timed, one, { freedom: 'residents-stay', goal: 'any', limitMs: PROOF_LIMIT_MS })
      : undefined
  const isComparable =
    asks.isBalanced && one.cluster.guests.length <= BALANCED_GUESTS_LIMIT && own.feasible && residentsIn(own) === 0
  const even = { freedom: 'residents-stay', goal: 'lowest-fullest', limitMs: asks.balanceLimitMs } as const
  const best = isComparable ? await placeExactly(timed, one, even) : undefined
  const fullest = fullestTaker(one, own.moves)
  return {
    one,
    plan,
    planMs,
    violations: checkPlan({ cluster: one.cluster, plan, policy: one.policy }).length,
    need: alone === undefined ? 'none' : alone.is === 'impossible' ? 'proven' : 'without-need',
    isBettered: plan.stays.length < own.stays.length || residentsIn(plan) < residentsIn(own),
    above:
      best?.is === 'placed'
        ? { best: fullest - best.fullestFraction, bound: fullest - best.atLeastFraction }
        : undefined,
    reasons: isWorthAsking ? await judgeReasons(one, plan, timed) : 'none',
    solverMs,
  }
}

const residentsIn = ({ moves }: Plan): number => moves.filter(({ purpose }) => purpose === 'make-room').length

/** Somebody stays whom no fault of his own holds. */
const isCrowded = ({ stays }: Plan): boolean => stays.some(({ reason }) => CROWDED_KINDS.includes(reason))

function baselineFigures({ cluster, policy }: Case, plan: Plan): BaselineFigures {
  const violations = checkPlan({ cluster, plan, policy }).filter(({ kind }) => RULE_KINDS.includes(kind)).length
  return { violations, fullestFraction: Math.max(...fractions(cluster, plan.moves).values()) }
}

function fractions({ nodes, guests }: ClusterObservation, moves: readonly Move[]): ReadonlyMap<string, number> {
  const on = new Map(moves.map(({ guest, to }) => [guest, to]))
  const bytes = new Map(nodes.map(({ name, memoryUsedBytes }) => [name, memoryUsedBytes]))
  for (const { vmid, node, status, memoryBytes } of guests) {
    const place = on.get(vmid) ?? node
    if (status === 'running') bytes.set(place, (bytes.get(place) ?? 0) + memoryBytes)
  }
  return new Map(nodes.map(({ name, memoryBytes }) => [name, (bytes.get(name) ?? 0) / memoryBytes]))
}

function fullestTaker({ cluster, drain }: Case, moves: readonly Move[]): number {
  const takers = cluster.nodes.filter(
    ({ name, online, maintenance }) => online && !maintenance && !drain.includes(name),
  )
  const all = fractions(cluster, moves)
  return Math.max(...takers.map(({ name }) => all.get(name) ?? 0))
}

function summaryOf(runs: readonly Run[], baselines: ReadonlyMap<Baseline, readonly BaselineFigures[]>): Figures {
  const feasible = runs.filter(({ plan }) => plan.feasible)
  const moving = feasible.filter(({ plan }) => plan.moves.length > 0)
  const ratios = moving.map(({ plan }) => {
    const fixedS = (plan.model.fixedSecondsPerMove * plan.moves.length) / plan.parallelMigrations
    return plan.makespanS / (plan.lowerBoundS + fixedS)
  })
  const above = runs.flatMap((run) => run.above ?? [])
  const best = above.map((one) => one.best)
  const bound = above.map((one) => one.bound)
  const planMs = runs.map((run) => run.planMs)
  const solverMs = runs.flatMap((run) => run.solverMs)
  const crowds = (placement: string) =>
    runs.filter(({ plan }) => isCrowded(plan) && (plan.proof?.placement ?? 'not-proved') === placement).length
  const residents = runs.map(({ plan }) => plan.moves.filter(({ purpose }) => purpose === 'make-room').length)
  return {
    cases: runs.length,
    guests: Math.round(sum(runs.map(({ one }) => one.cluster.guests.length)) / Math.max(1, runs.length)),
    feasible: feasible.length,
    violations: sum(runs.map(({ violations }) => violations)),
    residentsMoved: sum(residents),
    residentsWithoutNeed: sum(residents.filter((_, index) => runs[index]?.need === 'without-need')),
    crowded: {
      provenImpossible: crowds('impossible'),
      provenNoWay: crowds('no-way'),
      notProved: crowds('not-proved'),
    },
    betteredBySolver: runs.filter(({ isBettered }) => isBettered).length,
    reasons: reasonFiguresOf(runs.map(({ reasons }) => reasons)),
    makespanRatio: { median: quantile(ratios, 0.5), p95: quantile(ratios, 0.95) },
    pausesOverBudget: sum(runs.map(({ plan }) => plan.blockers.filter(({ kind }) => kind === 'pause-budget').length)),
    fullestFraction: quantile(
      runs.map(({ one, plan }) => Math.max(...fractions(one.cluster, plan.moves).values())).slice(0, COMPARED),
      1,
    ),
    fractionAboveBest: { median: quantile(best, 0.5), largest: quantile(best, 1), cases: best.length },
    fractionAboveBound: { median: quantile(bound, 0.5), largest: quantile(bound, 1) },
    planMs: { median: quantile(planMs, 0.5), longest: quantile(planMs, 1) },
    solverMs: { median: quantile(solverMs, 0.5), longest: quantile(solverMs, 1) },
    baselines: Object.fromEntries(
      [...baselines].map(([name, all]) => [name, baselineSum(all)]),
    ) as Figures['baselines'],
  }
}

const baselineSum = (all: readonly BaselineFigures[]): BaselineFigures => ({
  violations: sum(all.map(({ violations }) => violations)),
  fullestFraction: quantile(
    all.map(({ fullestFraction }) => fullestFraction),
    1,
  ),
})

const sum = (figures: readonly number[]): number => figures.reduce((total, figure) => total + figure, 0)

/** 0 for none: a family without cases of a kind says so by its count. */
function quantile(figures: readonly number[], part: number): number {
  const sorted = figures.toSorted((a, b) => a - b)
  const at = Math.min(sorted.length - 1, Math.floor(part * sorted.length))
  return Math.round((sorted[at] ?? 0) * 1e4) / 1e4
}
