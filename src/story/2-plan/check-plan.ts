/** The independent checker: replays any plan, a person's too, step by step, and says every rule that it breaks. Shares no code with the planner. */
import type { ClusterObservation } from '#domain/cluster'
import type { NodeName } from '#domain/ids'
import type { Move, Plan, Violation } from '#domain/plan'
import type { PlanPolicy } from '#domain/policy'
import { checkAfter } from './check-after.ts'
import { checkMove } from './check-move.ts'
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
  for (const step of stepsOf(plan.moves)) violations.push(...replayStep(world, plan, step))
  violations.push(...checkEnd(world, plan))
  violations.push(...checkAfter(world, plan))
  violations.push(...checkTimes(cluster, plan))
  violations.push(...checkSpare(world, plan))
  violations.push(...checkWayHome(world, plan))
  return violations
}

function stepsOf(moves: readonly Move[]): readonly (readonly Move[])[] {
  const steps = Map.groupBy(moves, ({ step }) => step)
  return [...steps.entries()].toSorted(([a], [b]) => a - b).map(([, group]) => group)
}

function replayStep(world: CheckWorld, plan: Plan, moves: readonly Move[]): readonly Violation[] {
  const violations: Violation[] = []
  const atStep = moves[0]?.step ?? 0
  const legal: Move[] = []
  const seen = new Set<number>()
  for (const move of moves) {
    if (seen.has(move.guest)) {
      violations.push({
        kind: 'moved-twice',
        guest: move.guest,
        atStep,
        text: `guest ${move.guest} moves twice in step ${atStep}`,
      })
      continue
    }
    seen.add(move.guest)
    violations.push(...checkMove(world, { move, drain: plan.drain }))
    if (world.hasGuest(move.guest) && world.hasNode(move.to)) legal.push(move)
  }
  violations.push(...world.checkWhileMoving(legal, atStep))
  world.apply(legal)
  violations.push(...world.checkAfter(atStep))
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

/** Move by move; partners that move right after each other are one move. Home is where the observation saw the guest. */
function checkWayHome(world: CheckWorld, plan: Plan): readonly Violation[] {
  const violations: Violation[] = []
  const home = world.forWayHome()
  for (const move of plan.wayHome) {
    const asMove: Move = { ...move, step: 0, purpose: 'drain', startsAtS: 0, endsAtS: 0, forecastBlackoutMs: 0 }
    const found = [
      ...checkMove(home, { move: asMove, drain: [], repaired: plan.drain }),
      ...(home.hasGuest(move.guest) && home.hasNode(move.to) ? home.checkWhileMoving([asMove], 0, 'singly') : []),
    ]
    violations.push(...found.map((one) => onTheWayHome(one)))
    if (home.hasGuest(move.guest) && home.hasNode(move.to)) home.apply([asMove])
  }
  violations.push(...home.checkAfter(0).map((one) => onTheWayHome(one)))
  const ends = new Map<number, NodeName>(plan.wayHome.map(({ guest, to }) => [guest, to]))
  for (const [guest, to] of ends) {
    const origin = world.originOf(guest)
    if (origin !== undefined && origin !== to) {
      violations.push({
        kind: 'way-home',
        guest: guest as Move['guest'],
        node: to,
        text: `guest ${guest} came from ${origin}, and the way home ends on ${to}`,
      })
    }
  }
  return violations
}

function onTheWayHome(violation: Violation): Violation {
  const { atStep, ...rest } = violation
  return { ...rest, text: `on the way home: ${violation.text}` }
}
