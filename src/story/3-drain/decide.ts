/** What to move next, and whether the node is empty. Pure: the drain's loop asks again after every batch. */
import type { Blocker } from '#domain/blocker'
import { type ClusterObservation, guestsOn } from '#domain/cluster'
import type { Guest } from '#domain/guest'
import type { NodeName, Vmid } from '#domain/ids'
import type { Move, Plan } from '#domain/plan'

/** What a mover must know of a guest besides where it goes. */
export type MoveFacts = {
  readonly guest: Vmid
  readonly haManaged: boolean
  readonly withLocalDisks: boolean
  readonly pauseBudgetMs: number
}

export function moveFacts(cluster: ClusterObservation, moves: readonly { guest: Vmid }[], defaultBudgetMs: number) {
  const shared = new Set(
    cluster.nodes.flatMap((node) => node.storages.filter((one) => one.shared).map((one) => one.id)),
  )
  const byId = new Map(cluster.guests.map((guest) => [guest.vmid, guest]))
  return moves.map(({ guest }): MoveFacts => {
    const known = byId.get(guest)
    return {
      guest,
      haManaged: known?.ha.managed ?? false,
      withLocalDisks: known?.disks.some((disk) => !shared.has(disk.storage)) ?? false,
      pauseBudgetMs: known?.pauseBudgetMs ?? defaultBudgetMs,
    }
  })
}

export type Next =
  | { readonly is: 'batch'; readonly moves: readonly Move[] }
  /** The plan is done. */
  | { readonly is: 'proof' }
  /** The world is not what the plan was made for: a guest appeared, a target is gone, HA chose otherwise. */
  | { readonly is: 'revise'; readonly why: string }

/**
 * The next step of the plan whose moves are not done yet. `failed` counts the failures of a guest in this plan: what failed
 * MOVE_TRIES times wants a revision, for another target.
 */
export function nextBatch(view: {
  readonly cluster: ClusterObservation
  readonly plan: Plan
  readonly node: NodeName
  readonly failures: Readonly<Record<string, number>>
}): Next {
  const { cluster, plan, node, failures } = view
  const byId = new Map(cluster.guests.map((guest) => [guest.vmid, guest]))
  const waiting = plan.moves.filter((move) => !isDone(move, byId.get(move.guest)))
  const planned = new Set(plan.moves.map((move) => move.guest))
  const stranger = guestsOn(cluster, node).find((guest) => guest.status === 'running' && !planned.has(guest.vmid))
  if (stranger !== undefined) return { is: 'revise', why: `guest ${stranger.vmid} appeared on ${node}` }
  if (waiting.length === 0) return { is: 'proof' }
  const step = Math.min(...waiting.map((move) => move.step))
  const moves = waiting.filter((move) => move.step === step).sort((a, b) => a.startsAtS - b.startsAtS)
  const tired = moves.find((move) => (failures[move.guest] ?? 0) >= MOVE_TRIES)
  if (tired !== undefined)
    return { is: 'revise', why: `guest ${tired.guest} did not move to ${tired.to}, ${MOVE_TRIES} times` }
  const lost = moves.find((move) => !isTargetThere(cluster, move.to))
  if (lost !== undefined)
    return { is: 'revise', why: `${lost.to}, where guest ${lost.guest} was to go, takes nothing any more` }
  return { is: 'batch', moves }
}

export const MOVE_TRIES = 3

const isTargetThere = (cluster: ClusterObservation, target: NodeName) =>
  cluster.nodes.some((node) => node.name === target && node.online && !node.maintenance)

/** Away from where the move began is done: HA may have chosen another target. A guest that was deleted needs no move. */
const isDone = (move: Move, guest: Guest | undefined) => guest === undefined || guest.node !== move.from

/** Who is on the node still, by either look, and may not be there when the power goes. */
export function notEmptyBlockers(
  cluster: ClusterObservation,
  node: NodeName,
  byNodeItself: readonly Vmid[],
): readonly Blocker[] {
  const byList = guestsOn(cluster, node)
    .filter((guest) => guest.status === 'running')
    .map((guest) => guest.vmid)
  return [...new Set([...byList, ...byNodeItself])]
    .sort((a, b) => a - b)
    .map((guest) => ({
      kind: 'node-not-empty',
      node,
      guest,
      text: `guest ${guest} runs on ${node}`,
      lifts: 'it moves, or its owner stops it',
    }))
}
