/** What the checker asks of a plan's clock: steps in order, no more at once than allowed, and figures that agree with each other. */
import type { ClusterObservation } from '#domain/cluster'
import type { Move, Plan, Violation } from '#domain/plan'

/** Figures are rounded to milliseconds. */
const TOLERANCE_S = 0.01
/** A plan is judged against later looks too, and resident memory drifts from look to look. */
const DRIFT_FRACTION = 0.05

export function checkTimes(cluster: ClusterObservation, plan: Plan): readonly Violation[] {
  return [...checkSchedule(plan), ...checkBound(cluster, plan)]
}

type Schedule = Pick<Plan, 'moves' | 'parallelMigrations' | 'makespanS'>

/** Of a way home too: spans, barriers between steps, how many at once, and when the last one ends. */
export function checkSchedule(schedule: Schedule): readonly Violation[] {
  return [
    ...schedule.moves.flatMap(checkSpan),
    ...checkBarriers(schedule.moves),
    ...checkParallel(schedule),
    ...checkMakespan(schedule),
  ]
}

function checkSpan({ guest, step, startsAtS, endsAtS }: Move): readonly Violation[] {
  const violations: Violation[] = []
  if (endsAtS < startsAtS || startsAtS < 0) {
    violations.push({ kind: 'time-order', guest, atStep: step, text: `guest ${guest} would end before it begins` })
  }
  if (!Number.isInteger(step) || step < 1) {
    violations.push({
      kind: 'step-order',
      guest,
      atStep: step,
      text: `guest ${guest}: steps count from 1, not ${step}`,
    })
  }
  return violations
}

/** A step begins when the one before has ended. */
function checkBarriers(moves: readonly Move[]): readonly Violation[] {
  const violations: Violation[] = []
  let endedAtS = 0
  const steps = [...Map.groupBy(moves, ({ step }) => step)].toSorted(([a], [b]) => a - b)
  for (const [step, group] of steps) {
    for (const { guest, startsAtS } of group) {
      if (startsAtS >= endedAtS - TOLERANCE_S) continue
      const text = `guest ${guest} begins at ${startsAtS} s in step ${step}, and the step before ends at ${endedAtS} s`
      violations.push({ kind: 'step-order', guest, atStep: step, text })
    }
    endedAtS = Math.max(endedAtS, ...group.map(({ endsAtS }) => endsAtS))
  }
  return violations
}

function checkParallel({ moves, parallelMigrations }: Schedule): readonly Violation[] {
  const edges = moves
    .filter(({ startsAtS, endsAtS }) => endsAtS - startsAtS > TOLERANCE_S)
    .flatMap((move) => [
      { atS: move.startsAtS + TOLERANCE_S / 2, change: 1, move },
      { atS: move.endsAtS - TOLERANCE_S / 2, change: -1, move },
    ])
    .toSorted((a, b) => a.atS - b.atS || a.change - b.change)
  let atOnce = 0
  for (const { change, move, atS } of edges) {
    atOnce += change
    if (atOnce <= parallelMigrations) continue
    const text = `${atOnce} moves run at ${atS.toFixed(1)} s, and the plan allows ${parallelMigrations} at once`
    return [{ kind: 'parallel-limit', guest: move.guest, atStep: move.step, text }]
  }
  return []
}

function checkMakespan({ moves, makespanS }: Schedule): readonly Violation[] {
  const lastS = Math.max(0, ...moves.map(({ endsAtS }) => endsAtS))
  if (Math.abs(lastS - makespanS) <= TOLERANCE_S) return []
  return [{ kind: 'makespan', text: `the last move ends at ${lastS} s, the plan says ${makespanS} s` }]
}

function checkBound(cluster: ClusterObservation, plan: Plan): readonly Violation[] {
  const violations: Violation[] = []
  if (plan.feasible && plan.lowerBoundS > plan.makespanS + TOLERANCE_S) {
    const text = `the lower bound (${plan.lowerBoundS} s) lies above the makespan (${plan.makespanS} s)`
    violations.push({ kind: 'lower-bound', text })
  }
  const leastS = Math.max(0, ...plan.drain.map((name) => overItsLinkS(cluster, name)))
  if (plan.lowerBoundS < leastS * (1 - DRIFT_FRACTION)) {
    const text = `what leaves takes ${leastS.toFixed(1)} s over its link, the plan's lower bound is ${plan.lowerBoundS} s`
    violations.push({ kind: 'lower-bound', text })
  }
  return violations
}

function overItsLinkS(cluster: ClusterObservation, name: string): number {
  const linkBitsPerSecond = cluster.nodes.find((node) => node.name === name)?.linkBitsPerSecond
  if (linkBitsPerSecond === undefined || linkBitsPerSecond <= 0) return 0
  const bytes = cluster.guests
    .filter(({ node, status }) => node === name && status === 'running')
    .reduce((sum, { residentBytes }) => sum + residentBytes, 0)
  return (bytes * 8) / linkBitsPerSecond
}
