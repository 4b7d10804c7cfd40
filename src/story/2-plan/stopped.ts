/** What becomes of stopped guests on a drained node: they go along offline where that helps their owner, else they stay, with the reason. */
import type { Blocker } from '#domain/blocker'
import type { Guest, Rule } from '#domain/guest'
import type { NodeName, Vmid } from '#domain/ids'
import type { Stay } from '#domain/plan'
import type { Board } from './board.ts'
import { guestFaults, isLocalDisk, targetFaults } from './eligibility.ts'
import type { DraftMove } from './forecast.ts'
import type { Hop } from './order.ts'

export type Stopped = {
  readonly moves: readonly DraftMove[]
  readonly stays: readonly Stay[]
  readonly blockers: readonly Blocker[]
}

/**
 * `board` is the end state. A guest that starts at power-on would otherwise be started by the node while it is being repaired, and its
 * owner could not start it meanwhile: it moves where its disks are shared. A stopped partner follows the partners that must stay with it.
 */
export function decideStopped(board: Board, hops: readonly Hop[]): Stopped {
  const { cluster, drain } = board.input
  const moves: DraftMove[] = []
  const stays: Stay[] = []
  const blockers: Blocker[] = []
  for (const guest of cluster.guests) {
    if (guest.status !== 'stopped' || !drain.includes(guest.node)) continue
    const lead = leaderOf(board, guest, hops)
    const wantsToGo = guest.onboot && !guest.template
    const target = lead?.to ?? (wantsToGo ? board.takers.find((index) => mayLie(board, guest, index)) : undefined)
    if (target !== undefined && mayLie(board, guest, target)) {
      moves.push({
        step: lead?.step ?? 1,
        guest,
        source: board.node(board.indexOf(guest.node)),
        target: board.node(target),
        mode: 'offline',
        purpose: 'drain',
        diskBytes: 0,
      })
      continue
    }
    stays.push({
      guest: guest.vmid,
      reason: 'stopped',
      text: `guest ${guest.vmid} (${guest.name}) is stopped and stays on ${guest.node}`,
    })
    if (wantsToGo) blockers.push(staysBlocker(guest))
  }
  return { moves, stays, blockers }
}

const staysBlocker = (guest: Guest): Blocker => ({
  kind: 'stopped-guest-stays',
  guest: guest.vmid,
  node: guest.node,
  text: `guest ${guest.vmid} (${guest.name}) is stopped, starts with its node, and cannot move offline: it would start on a node under repair`,
  lifts: `onboot is switched off for guest ${guest.vmid}, or an approver accepts it by name`,
})

/** The last hop of a running partner that must stay with this guest and left the same node. */
function leaderOf(board: Board, guest: Guest, hops: readonly Hop[]): { to: number; step: number } | undefined {
  const partners = new Set(
    board.input.cluster.rules
      .filter((rule) => rule.kind === 'keep-together' && rule.strict && rule.guests.includes(guest.vmid))
      .flatMap(({ guests }) => guests),
  )
  if (partners.size === 0) return undefined
  const ofPartners = hops.filter(({ unit }) =>
    unit.guests.some(({ vmid, node }) => partners.has(vmid) && node === guest.node),
  )
  return ofPartners.at(-1)
}

function mayLie(board: Board, guest: Guest, index: number): boolean {
  const { policy, cluster } = board.input
  const source = board.node(board.indexOf(guest.node))
  const target = board.node(index)
  return (
    source.online &&
    guestFaults(guest, policy).length === 0 &&
    targetFaults({ guest, source, target, pins: board.pins, policy }).length === 0 &&
    !guest.disks.some(({ storage }) => isLocalDisk({ storage, source, target })) &&
    !cluster.rules.some((rule) => meetsFoe(board, rule, guest.vmid, target.name))
  )
}

function meetsFoe(board: Board, rule: Rule, guest: Vmid, target: NodeName): boolean {
  if (rule.kind !== 'keep-apart' || !rule.guests.includes(guest)) return false
  return rule.guests.some((id) => {
    if (id === guest) return false
    const unit = board.unitOf.get(id)
    const place = unit === undefined ? undefined : board.node(board.placeOf(unit)).name
    return (place ?? board.input.cluster.guests.find(({ vmid }) => vmid === id)?.node) === target
  })
}
