/** The independent checker: replays any plan, a person's too, step by step, and says every rule that it breaks. Shares no code with the planner. */
import type { ClusterObservation } from '#domain/cluster'
import type { Plan, Violation } from '#domain/plan'
import type { PlanPolicy } from '#domain/policy'
import { checkAfter } from './check-after.ts'
import { checkWayHome } from './check-home.ts'
import { replayStep, stepsOf } from './check-replay.ts'
import { checkSpare } from './check-spare.ts'
import { checkTimes } from './check-times.ts'
import { CheckWorld } from './check-world.ts'

export type CheckInput = { readonly cluster: ClusterObservation; readonly plan: Plan; readonly policy: PlanPolicy }

/** Empty: the plan keeps every rule at every moment, and what it says of itself is so. Never throws on a plan, however wrong. */
export function checkPlan({ cluster, plan, policy }: CheckInput): readonly Violation[] {
  const violations: Violation[] = []
  for (const node of plan.drain) {
    if (!cluster.nodes.some(({ name }) => name === node)) {
      violations.push({ kind: 'node-unknown', node, text: `the plan drains ${node}, which the cluster does not have` })
    }
  }
  const world = new CheckWorld(cluster, policy)
  for (const step of stepsOf(plan.moves)) violations.push(...replayStep(world, step, { drain: plan.drain }))
  violations.push(...checkEnd(world, plan))
  violations.push(...checkAfter(world, plan))
  violations.push(...checkTimes(cluster, plan))
  violations.push(...checkSpare(world, plan))
  violations.push(...checkWayHome(world, plan))
  return violations
}

function checkEnd(world: CheckWorld, plan: Plan): readonly Violation[] {
  const violations: Violation[] = []
  const left = world.runningOn(plan.drain)
  if (plan.feasible) {
    for (const guest of left) {
      const node = world.placeOf(guest)
      violations.push({
        kind: 'node-not-empty',
        guest,
        node,
        text: `guest ${guest} still runs on ${node}, and the plan says that it is feasible`,
      })
    }
  } else if (left.length === 0 && plan.drain.every((node) => world.hasNode(node))) {
    violations.push({
      kind: 'feasible-flag',
      text: 'the plan says that it is not feasible, and leaves no running guest on a drained node',
    })
  }
  return violations
}
