/** The checker on ways home: the one that a plan promises, and the one that is about to be walked. Shares no code with the planner. */
import type { ClusterObservation } from '#domain/cluster'
import type { NodeName, Vmid } from '#domain/ids'
import type { BrokenBefore, HomeMove, HomePlan, Move, Plan, Violation } from '#domain/plan'
import type { PlanPolicy } from '#domain/policy'
import { replayStep, stepsOf } from './check-replay.ts'
import { checkSchedule } from './check-times.ts'
import { CheckWorld } from './check-world.ts'

export type CheckHomeInput = {
  readonly cluster: ClusterObservation
  readonly home: HomePlan
  readonly origins: ReadonlyMap<Vmid, NodeName>
  readonly policy: PlanPolicy
  readonly before?: BrokenBefore
}

/**
 * Empty: every rule holds at every moment of the way, whoever moves was away from home, ends there or nowhere new, and whoever does
 * not come home is said. Never throws, however wrong the way is.
 */
export function checkHome({ cluster, home, origins, policy, before }: CheckHomeInput): readonly Violation[] {
  const world = new CheckWorld(cluster, policy, before === undefined ? {} : { before })
  const moves = home.moves.map(asMove)
  const violations = stepsOf(moves).flatMap((step) => replayStep(world, step, { drain: [] }))
  violations.push(...checkSchedule({ ...home, moves }))
  for (const guest of new Set(moves.map((move) => move.guest))) {
    const origin = origins.get(guest)
    const start = world.originOf(guest)
    const end = world.placeOf(guest)
    if (start === undefined || (origin !== undefined && origin !== start && end === origin)) continue
    const text =
      origin === undefined || origin === start
        ? `guest ${guest} was not away from home, and would be moved`
        : `guest ${guest} belongs on ${origin}, and the way home leaves it on ${end}`
    violations.push({ kind: 'way-home', guest, node: end, text })
  }
  violations.push(...silent(world, home, origins))
  return violations.map(onTheWayHome)
}

/** Who is not home at the end, and nobody says why. */
function silent(world: CheckWorld, home: HomePlan, origins: ReadonlyMap<Vmid, NodeName>): readonly Violation[] {
  const said = new Set(home.stays.filter(({ text }) => text !== '').map(({ guest }) => guest))
  return [...origins].flatMap(([guest, origin]) =>
    !world.hasGuest(guest) || world.placeOf(guest) === origin || said.has(guest)
      ? []
      : [{ kind: 'way-home', guest, text: `guest ${guest} does not come home to ${origin}, and nobody says why` }],
  )
}

/**
 * A plan's way home has an order and no steps: one move after another, and partners who move right after each other are one. `world`
 * stands at the end of the plan; home is where the observation saw the guest.
 */
export function checkWayHome(world: CheckWorld, plan: Plan): readonly Violation[] {
  const home = world.forWayHome()
  const violations = inOrder(home, plan.wayHome).flatMap((step) =>
    replayStep(home, step, { drain: [], repaired: plan.drain }),
  )
  const ends = new Map(plan.wayHome.map(({ guest, to }) => [guest, to]))
  for (const [guest, to] of ends) {
    const origin = world.originOf(guest)
    if (origin === undefined || origin === to) continue
    const text = `guest ${guest} came from ${origin}, and the way home ends on ${to}`
    violations.push({ kind: 'way-home', guest, node: to, text })
  }
  return violations.map((one) => withoutStep(onTheWayHome(one)))
}

/** Each with the partners who follow it at once, from the same node to the same node. */
function inOrder(world: CheckWorld, wayHome: readonly HomeMove[]): readonly (readonly Move[])[] {
  const groups: HomeMove[][] = []
  for (const move of wayHome) {
    const last = groups.at(-1)
    const isWithThem = last?.some(
      ({ guest, from, to }) => from === move.from && to === move.to && world.arePartners(guest, move.guest),
    )
    if (last !== undefined && isWithThem) last.push(move)
    else groups.push([move])
  }
  return groups.map((group, index) => group.map((move) => asMove({ ...move, step: index + 1 })))
}

const asMove = (move: HomeMove & { readonly step: number } & Partial<Omit<Move, 'purpose'>>): Move => ({
  startsAtS: 0,
  endsAtS: 0,
  forecastBlackoutMs: 0,
  ...move,
  purpose: 'drain',
})

const onTheWayHome = (violation: Violation): Violation => ({ ...violation, text: `on the way home: ${violation.text}` })

function withoutStep({ atStep: _, ...rest }: Violation): Violation {
  return rest
}
