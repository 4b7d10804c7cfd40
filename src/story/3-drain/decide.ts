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
  /** Those who must be on the same node. */
  readonly together: readonly Vmid[]
  /** Who may run on the target without surprise: those who are there, and those who are on their way. */
  readonly expectedThere: readonly Vmid[]
}

/** Strict keep-together partners of a guest, without itself. */
export function partnersOf(cluster: ClusterObservation, guest: Vmid): readonly Vmid[] {
  const all = cluster.rules
    .filter((rule) => rule.kind === 'keep-together' && rule.strict && rule.guests.includes(guest))
    .flatMap((rule) => rule.guests)
  return [...new Set(all)].filter((other) => other !== guest)
}

/** @param moves all that are about to begin together. @param leaving who may turn up anywhere meanwhile, wherever HA lets them end */
export function moveFacts(
  cluster: ClusterObservation,
  moves: readonly { readonly guest: Vmid; readonly to?: NodeName }[],
  { defaultBudgetMs, leaving = [] }: { readonly defaultBudgetMs: number; readonly leaving?: readonly Vmid[] },
) {
  const shared = new Set(
    cluster.nodes.flatMap((node) => node.storages.filter((one) => one.shared).map((one) => one.id)),
  )
  const byId = new Map(cluster.guests.map((guest) => [guest.vmid, guest]))
  const coming = [...moves.map(({ guest }) => guest), ...leaving]
  return moves.map(({ guest, to }): MoveFacts => {
    const known = byId.get(guest)
    const there = cluster.guests.flatMap(({ vmid, node }) => (node === to ? [vmid] : []))
    return {
      guest,
      haManaged: known?.ha.managed ?? false,
      withLocalDisks: known?.disks.some((disk) => !shared.has(disk.storage)) ?? false,
      pauseBudgetMs: known?.pauseBudgetMs ?? defaultBudgetMs,
      together: partnersOf(cluster, guest),
      expectedThere: [...there, ...coming],
    }
  })
}

export type Next =
  /** `isLast`: when all of them have moved, the plan is done. */
  | { readonly is: 'batch'; readonly moves: readonly Move[]; readonly isLast: boolean }
  /** The plan is done. */
  | { readonly is: 'proof' }
  /** The world is not what the plan was made for: a guest appeared, a target is gone, HA chose otherwise. */
  | { readonly is: 'revise'; readonly why: string; readonly appeared?: Guest }
  /** A guest that would not go anywhere: the drain waits, and tries again at another time. */
  | { readonly is: 'wait'; readonly blockers: readonly Blocker[] }

/** What a guest's moves have come to since the last wait. */
export type Trouble = {
  /** In a row, to the target of the present plan. */
  readonly tries: number
  readonly triedTargets: readonly NodeName[]
  readonly overBudget: boolean
  readonly text: string
}

export type Troubles = Readonly<Record<string, Trouble>>

/**
 * The next step of the plan whose moves are not done yet. What failed MOVE_TRIES times (once, where the pause budget was the reason)
 * wants another target, once; then it waits for another time.
 */
export function nextBatch(view: {
  readonly cluster: ClusterObservation
  readonly plan: Plan
  readonly node: NodeName
  readonly troubles: Troubles
}): Next {
  const { cluster, plan, node, troubles } = view
  const byId = new Map(cluster.guests.map((guest) => [guest.vmid, guest]))
  const waiting = plan.moves.flatMap((move) => {
    const guest = byId.get(move.guest)
    if (!isDone(move, guest)) return [move]
    return guest !== undefined && isTorn(cluster, move, { guest, node }) ? [{ ...move, from: guest.node }] : []
  })
  const planned = new Set(plan.moves.map((move) => move.guest))
  const stranger = guestsOn(cluster, node).find((guest) => guest.status === 'running' && !planned.has(guest.vmid))
  if (stranger !== undefined) {
    return { is: 'revise', why: `guest ${stranger.vmid} appeared on ${node}`, appeared: stranger }
  }
  if (waiting.length === 0) return { is: 'proof' }
  const step = Math.min(...waiting.map((move) => move.step))
  const moves = waiting.filter((move) => move.step === step).sort((a, b) => a.startsAtS - b.startsAtS)
  const stuck = moves.filter((move) => isTired(troubles[move.guest]))
  const another = stuck.find((move) => (troubles[move.guest]?.triedTargets.length ?? 0) < TARGETS_TRIED)
  if (another !== undefined) {
    return { is: 'revise', why: `guest ${another.guest} does not move to ${another.to}: another target is tried` }
  }
  const lost = moves.find((move) => !isTargetThere(cluster, move.to))
  if (lost !== undefined)
    return { is: 'revise', why: `${lost.to}, where guest ${lost.guest} was to go, takes nothing any more` }
  const free = soon(
    cluster,
    moves.filter((move) => !stuck.includes(move)),
  )
  if (free.length > 0) return { is: 'batch', moves: free, isLast: free.length === waiting.length }
  return { is: 'wait', blockers: stuck.map((move) => wontMove(node, move, troubles[move.guest])) }
}

/** Who is to begin within this time is moved by the look of now: later, a target may be another's. */
const BY_ONE_LOOK_S = 20

/** Those who begin soon, and whoever belongs to them; HA moves its own at once, and all of those are followed. */
function soon(cluster: ClusterObservation, moves: readonly Move[]): readonly Move[] {
  const managed = new Set(cluster.guests.filter(({ ha }) => ha.managed).map(({ vmid }) => vmid))
  const first = moves.find(({ guest }) => !managed.has(guest))
  const untilS = (first?.startsAtS ?? 0) + BY_ONE_LOOK_S
  const isSoon = ({ guest, startsAtS }: Move) => managed.has(guest) || startsAtS <= untilS
  const partners = new Set(moves.filter(isSoon).flatMap(({ guest }) => partnersOf(cluster, guest)))
  return moves.filter((move) => isSoon(move) || partners.has(move.guest))
}

const MOVE_TRIES = 3
const TARGETS_TRIED = 2

const isTired = (trouble: Trouble | undefined) =>
  trouble !== undefined && trouble.tries >= (trouble.overBudget ? 1 : MOVE_TRIES)

/** What would help, in the words of the person who can do it. */
function wontMove(node: NodeName, { guest }: Move, trouble: Trouble | undefined): Blocker {
  const where = trouble?.triedTargets.join(' and ') ?? 'anywhere'
  if (trouble?.overBudget === true) {
    const text = `guest ${guest} writes faster than it can be copied: to ${where} it would be paused over its budget`
    const lifts = 'it writes less, its owner stops it, or an approver lifts it and it is paused for longer'
    return { kind: 'pause-budget', node, guest, text, lifts }
  }
  const text = `guest ${guest} did not move to ${where}: ${trouble?.text ?? 'nobody knows why'}`
  return {
    kind: 'guest-did-not-move',
    node,
    guest,
    text,
    lifts: 'its cause is mended, it is moved by hand, or stopped',
  }
}

const isTargetThere = (cluster: ClusterObservation, target: NodeName) =>
  cluster.nodes.some((node) => node.name === target && node.online && !node.maintenance)

/** Away from where the move began is done: HA may have chosen another target. A guest that was deleted needs no move. */
const isDone = (move: Move, guest: Guest | undefined) => guest === undefined || guest.node !== move.from

/** By the memory of those who run there: what was over the limit before may not get worse. */
export function isTargetFull(
  cluster: ClusterObservation,
  { guest: vmid, to }: { readonly guest: Vmid; readonly to: NodeName },
  headroomFraction: number,
): boolean {
  const node = cluster.nodes.find(({ name }) => name === to)
  const guest = cluster.guests.find((one) => one.vmid === vmid)
  if (node === undefined || guest === undefined || guest.node === to) return false
  const running = guestsOn(cluster, to).filter(({ status }) => status === 'running')
  const bytes = running.reduce((sum, { memoryBytes }) => sum + memoryBytes, node.memoryUsedBytes + guest.memoryBytes)
  return bytes > node.memoryBytes * (1 - headroomFraction)
}

/** HA took it elsewhere than planned, and a partner with whom it belongs runs on another node: it goes where the plan has room for both. */
function isTorn(
  cluster: ClusterObservation,
  { to }: Move,
  { guest, node }: { readonly guest: Guest; readonly node: NodeName },
): boolean {
  if (guest.status !== 'running' || guest.node === to) return false
  const partners = partnersOf(cluster, guest.vmid)
  return cluster.guests.some(
    (other) =>
      partners.includes(other.vmid) && other.status === 'running' && other.node !== node && other.node !== guest.node,
  )
}

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
