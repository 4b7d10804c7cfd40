/** The plan with an exact solver beside it: proofs of what cannot be, the end states that our search missed, and small drains evened out. */
import type { Plan, PlanProof } from '#domain/plan'
import type { Solver } from '#ports/solver'
import type { BoardInput } from './board.ts'
import { type PlanRequest, proposePlan } from './decide.ts'
import { type Placed, placeExactly } from './exact.ts'
import type { SolverWord } from './proof.ts'
import { smallestReasons } from './reasons-exact.ts'

/** How long each question may take. */
export type SolverLimits = {
  readonly placementMs: number
  readonly mostLeaveMs: number
  readonly reasonsMs: number
  /** How much room is missing at least: what is found by then is enough, and may be more than it needs. */
  readonly amountMs: number
  readonly evenMs: number
}

const SOLVER_LIMITS: SolverLimits = {
  placementMs: 5_000,
  mostLeaveMs: 2_000,
  reasonsMs: 5_000,
  amountMs: 1_000,
  evenMs: 1_000,
}

/** Guests times nodes: larger problems are not even read in time. */
const PLACINGS_LIMIT = 60_000
/** Guests that leave: of more, evenness is not proven in the time, and is good without. */
const EVENED_GUESTS_LIMIT = 30
/** What is worth other targets than the planner's own. */
const WORTH_FRACTION = 0.001

/** Reasons of the guest himself, or of a node that is away: no solver is needed to see them. */
const CERTAIN_REASONS = [
  'stopped',
  'node-offline',
  'no-target',
  'guest-not-movable',
  'guest-locked',
  'passthrough',
  'restart-not-allowed',
]

/**
 * The planner's own plan where nothing is to be proven, else the one that the solver's word makes of it. Without a solver, or where it does
 * not answer in time, the planner's own, which says that it is not proven. The solver is asked at most three questions.
 */
export async function provePlan(
  request: PlanRequest,
  solver: Solver | undefined,
  limits: SolverLimits = SOLVER_LIMITS,
): Promise<Plan> {
  const own = proposePlan(request)
  const { cluster, drain, policy } = request
  if (solver === undefined || cluster.guests.length * cluster.nodes.length > PLACINGS_LIMIT) return own
  const input = { cluster, drain: drain.filter((name) => cluster.nodes.some((node) => node.name === name)), policy }
  const isAnyResidentMoved = own.moves.some(({ purpose }) => purpose === 'make-room')
  const held = own.stays.filter(({ reason }) => !CERTAIN_REASONS.includes(reason))
  if (held.length > 0) return plannedBy(request, await wordOnHeld(solver, input, limits))
  if (isAnyResidentMoved) return plannedBy(request, await wordOnResidents(solver, input, limits))
  const leaving = own.moves.filter(({ mode }) => mode !== 'offline').length
  if (!own.feasible || leaving === 0 || leaving > EVENED_GUESTS_LIMIT) return own
  const atLeast = fullestBefore(request)
  if (fullest(own) <= atLeast + ROUNDING) return withBound(own, atLeast)
  return evened(request, own, solver, limits)
}

const plannedBy = (request: PlanRequest, word: SolverWord): Plan => proposePlan({ ...request, word })

async function wordOnHeld(solver: Solver, input: BoardInput, limits: SolverLimits): Promise<SolverWord> {
  const freedom = 'residents-may-move'
  const placed = await placeExactly(solver, input, { freedom, goal: 'fewest-residents', limitMs: limits.placementMs })
  // Guests that no node would take even if it were empty are not among those that the solver places.
  if (placed.is === 'unanswered') return { placement: 'unanswered' }
  const isImpossible = placed.is === 'impossible'
  const found = await smallestReasons(solver, {
    input,
    isImpossible,
    limitMs: limits.reasonsMs,
    amountLimitMs: limits.amountMs,
  })
  const reasons = found === undefined || found.reasons.length === 0 ? {} : { reasons: found }
  if (placed.is === 'placed') return { ...existing(placed), ...reasons }
  const most = await placeExactly(solver, input, { freedom, goal: 'most-leave', limitMs: limits.mostLeaveMs })
  return {
    placement: 'impossible',
    ...(most.is === 'placed' ? { ends: most.ends } : {}),
    ...(most.is === 'placed' && most.isBest ? mostLeaveOf(input, most) : {}),
    ...reasons,
  }
}

function mostLeaveOf({ cluster, drain }: BoardInput, { ends, leastResidents }: Placed): Partial<SolverWord> {
  const leaving = cluster.guests.filter(({ vmid, node }) => ends.has(vmid) && drain.includes(node))
  return { mostLeave: leaving.length, leastResidents }
}

async function wordOnResidents(solver: Solver, input: BoardInput, limits: SolverLimits): Promise<SolverWord> {
  const asks = { freedom: 'residents-may-move', goal: 'fewest-residents', limitMs: limits.placementMs } as const
  const placed = await placeExactly(solver, input, asks)
  return placed.is === 'placed' ? existing(placed) : { placement: 'unanswered' }
}

const existing = ({ ends, leastResidents }: Placed): SolverWord => ({ placement: 'exists', ends, leastResidents })

/** Balance comes last: nothing that weighs more may be worse for it. */
async function evened(request: PlanRequest, own: Plan, solver: Solver, limits: SolverLimits): Promise<Plan> {
  const asks = { freedom: 'residents-stay', goal: 'lowest-fullest', limitMs: limits.evenMs } as const
  const placed = await placeExactly(solver, request, asks)
  if (placed.is !== 'placed') return own
  const fullestAtLeastFraction = Math.floor(placed.atLeastFraction * 1e4) / 1e4
  const { ends } = placed
  const other = proposePlan({
    ...request,
    word: { placement: 'exists', ends, leastResidents: 0, fullestAtLeastFraction },
  })
  if (isMoreEven(other, own)) return other
  return withBound(own, fullestAtLeastFraction, 'answered')
}

/** Who is not moved goes on filling his node. */
function fullestBefore({ cluster, drain }: PlanRequest): number {
  const bytes = new Map(cluster.nodes.map(({ name, memoryUsedBytes }) => [name, memoryUsedBytes]))
  for (const { node, status, memoryBytes } of cluster.guests)
    if (status === 'running') bytes.set(node, (bytes.get(node) ?? 0) + memoryBytes)
  const stay = cluster.nodes.filter(({ name }) => !drain.includes(name))
  return Math.max(0, ...stay.map(({ name, memoryBytes }) => (bytes.get(name) ?? 0) / memoryBytes))
}

function withBound(plan: Plan, fullestAtLeastFraction: number, solver: PlanProof['solver'] = 'not-asked'): Plan {
  return plan.proof === undefined ? plan : { ...plan, proof: { ...plan.proof, solver, fullestAtLeastFraction } }
}

/** Of the fractions in a plan. */
const ROUNDING = 1e-4

function isMoreEven(other: Plan, own: Plan): boolean {
  const pausesMs = ({ moves }: Plan) => moves.reduce((sum, { forecastBlackoutMs }) => sum + forecastBlackoutMs, 0)
  return (
    fullest(other) < fullest(own) - WORTH_FRACTION &&
    other.feasible &&
    other.blockers.length <= own.blockers.length &&
    pausesMs(other) <= pausesMs(own) * ALIKE &&
    other.makespanS <= own.makespanS * ALIKE
  )
}

/** Forecasts that differ by less are alike. */
const ALIKE = 1.01

const fullest = ({ after }: Plan): number =>
  Math.max(...after.map(({ memoryAllocatedFraction }) => memoryAllocatedFraction))
