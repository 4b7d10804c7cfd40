/** What is measured on one family of clusters: rules broken, distance to the bounds, time; and the same for the baselines. */
import { performance } from 'node:perf_hooks'
import type { ClusterObservation } from '#domain/cluster'
import { planId } from '#domain/ids'
import type { Move, Plan } from '#domain/plan'
import type { Relaxable } from '#plan/board'
import { checkPlan } from '#plan/check-plan'
import { proposePlan } from '#plan/decide'
import { type Freedom, type Goal, placeExactly } from '#plan/exact'
import type { Solver } from '#ports/solver'
import { BASELINES, type Baseline, baselinePlan } from './baselines.ts'
import type { Case, Family } from './families.ts'

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
/** Baselines are looked at on the first so many clusters of a family, the balance on fewer; proofs of need on all. */
const COMPARED = 50
const BALANCED = 8
const PROOF_LIMIT_MS = 2_000
const BALANCE_LIMIT_MS = 2_000
/** Larger problems are not asked: a million columns are not even read in time. */
const EXACT_GUESTS_LIMIT = 2_000
/** The evenness of larger clusters is not proven in the time, which says nothing of the planner. */
const BALANCED_GUESTS_LIMIT = 500
/** Of so many impossible drains of a family it is asked whether fewer reasons would do. */
const REASONED = 40
const REASONS: readonly Relaxable[] = ['memory-short', 'cpu-short', 'storage-short', 'keep-apart', 'keep-together']

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
  /** Guests stay who fit somewhere alone; proven by the solver, or it knows a placement (an order may still be missing). */
  readonly crowded: { readonly provenImpossible: number; readonly placedBySolver: number; readonly unanswered: number }
  /** Of impossible drains: how often the plan names as few kinds of reasons as the solver needs, and how often not. */
  readonly reasons: { readonly fewest: number; readonly more: number; readonly notSeen: number }
  /** Over the plan's bound and the fixed seconds of the moves, shared over the parallel ones. */
  readonly makespanRatio: { readonly median: number; readonly p95: number }
  readonly pausesOverBudget: number
  readonly fullestFraction: number
  /** Highest memory fraction less the lowest that is possible. */
  readonly fractionAboveBest: { readonly median: number; readonly largest: number; readonly cases: number }
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
  readonly crowd: 'none' | 'impossible' | 'placed' | 'unanswered'
  readonly reasons: 'not-asked' | 'fewest' | 'more' | 'not-seen'
  readonly aboveBest: number | undefined
  readonly solverMs: readonly number[]
}

export async function figuresOf(family: Family, isQuick: boolean, solver: Solver): Promise<Figures> {
  const runs: Run[] = []
  const baselines = new Map<Baseline, BaselineFigures[]>(BASELINES.map((name) => [name, []]))
  const count = isQuick ? family.quickCases : family.cases
  planOf(family.build(0))
  for (let seed = 0; seed < count; seed++) {
    const one = family.build(seed)
    const reasoned = runs.filter(({ reasons }) => reasons !== 'not-asked').length
    const run = await runOne(
      one,
      { isBalanced: seed < (isQuick ? 2 : BALANCED), isReasoned: reasoned < (isQuick ? 3 : REASONED) },
      solver,
    )
    runs.push(run)
    if (seed >= COMPARED) continue
    for (const name of BASELINES) baselines.get(name)?.push(baselineFigures(one, baselinePlan(name, one, run.plan)))
  }
  return summaryOf(runs, baselines)
}

const planOf = ({ cluster, drain, policy }: Case): Plan =>
  proposePlan({ cluster, drain, policy, revision: 1, id: planId('bench') })

async function runOne(one: Case, asks: { isBalanced: boolean; isReasoned: boolean }, solver: Solver): Promise<Run> {
  const startedAtMs = performance.now()
  const plan = planOf(one)
  const planMs = performance.now() - startedAtMs
  const solverMs: number[] = []
  const exactly = async (freedom: Freedom, goal: Goal) => {
    const askedAtMs = performance.now()
    const limitMs = goal === 'any' ? PROOF_LIMIT_MS : BALANCE_LIMIT_MS
    const verdict = await placeExactly(solver, one, { freedom, goal, limitMs })
    solverMs.push(performance.now() - askedAtMs)
    return verdict
  }
  const isResidentMoved = plan.moves.some(({ purpose }) => purpose === 'make-room')
  const isSmall = one.cluster.guests.length <= EXACT_GUESTS_LIMIT
  const alone = isResidentMoved ? await exactly('residents-stay', 'any') : undefined
  const together = isCrowded(plan) && isSmall ? await exactly('residents-may-move', 'any') : undefined
  const isComparable =
    asks.isBalanced && one.cluster.guests.length <= BALANCED_GUESTS_LIMIT && plan.feasible && !isResidentMoved
  const best = isComparable ? await exactly('residents-stay', 'lowest-fullest') : undefined
  return {
    one,
    plan,
    planMs,
    violations: checkPlan({ cluster: one.cluster, plan, policy: one.policy }).length,
    need: !isResidentMoved ? 'none' : alone?.is === 'impossible' ? 'proven' : 'without-need',
    crowd: together?.is ?? (isCrowded(plan) ? 'unanswered' : 'none'),
    aboveBest: best?.is === 'placed' ? fullestTaker(one, plan.moves) - best.atLeastFraction : undefined,
    reasons: together?.is === 'impossible' && asks.isReasoned ? await judgeReasons(one, plan, solver) : 'not-asked',
    solverMs,
  }
}

/** Kinds of constraints without which the solver places everybody, fewest first; up to two, as the planner's own. */
async function judgeReasons(one: Case, plan: Plan, solver: Solver): Promise<Run['reasons']> {
  const told = new Set(
    plan.blockers.map(({ kind }) => kind).filter((kind) => REASONS.some((reason) => reason === kind)),
  )
  const sets = [
    ...REASONS.map((kind) => [kind]),
    ...REASONS.flatMap((kind, index) => REASONS.slice(index + 1).map((other) => [kind, other])),
  ]
  const asks = { freedom: 'residents-may-move', goal: 'any', limitMs: PROOF_LIMIT_MS } as const
  for (const set of sets) {
    const verdict = await placeExactly(solver, { ...one, relaxed: new Set(set) }, asks)
    if (verdict.is !== 'placed') continue
    if (told.size === 0) return 'not-seen'
    return told.size <= set.length ? 'fewest' : 'more'
  }
  return told.size === 0 ? 'not-seen' : 'fewest'
}

/** Somebody stays whom no fault of his own holds. */
const isCrowded = ({ stays }: Plan): boolean =>
  stays.some(({ reason }) =>
    ['memory-short', 'cpu-short', 'storage-short', 'keep-apart', 'keep-together', 'no-order'].includes(reason),
  )

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
  const above = runs.flatMap(({ aboveBest }) => (aboveBest === undefined ? [] : [aboveBest]))
  const planMs = runs.map((run) => run.planMs)
  const solverMs = runs.flatMap((run) => run.solverMs)
  const crowds = (crowd: Run['crowd']) => runs.filter((run) => run.crowd === crowd).length
  const reasons = (one: Run['reasons']) => runs.filter((run) => run.reasons === one).length
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
      placedBySolver: crowds('placed'),
      unanswered: crowds('unanswered'),
    },
    reasons: { fewest: reasons('fewest'), more: reasons('more'), notSeen: reasons('not-seen') },
    makespanRatio: { median: quantile(ratios, 0.5), p95: quantile(ratios, 0.95) },
    pausesOverBudget: sum(runs.map(({ plan }) => plan.blockers.filter(({ kind }) => kind === 'pause-budget').length)),
    fullestFraction: quantile(
      runs.map(({ one, plan }) => Math.max(...fractions(one.cluster, plan.moves).values())).slice(0, COMPARED),
      1,
    ),
    fractionAboveBest: { median: quantile(above, 0.5), largest: quantile(above, 1), cases: above.length },
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
