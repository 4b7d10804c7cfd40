/** Which node may take which guest at all: everything that does not depend on how full the nodes are. */
import type { BlockerKind } from '#domain/blocker'
import type { Guest, Rule } from '#domain/guest'
import type { NodeName, Vmid } from '#domain/ids'
import { isQemuOlder, type Node } from '#domain/node'
import type { MoveMode } from '#domain/plan'
import type { PlanPolicy } from '#domain/policy'

/** Strict pins by guest; several pins on one guest hold together. */
export type Pins = ReadonlyMap<Vmid, ReadonlySet<NodeName>>

export function strictPins(rules: readonly Rule[]): Pins {
  const pins = new Map<Vmid, ReadonlySet<NodeName>>()
  for (const rule of rules) {
    if (rule.kind !== 'pin' || !rule.strict) continue
    for (const guest of rule.guests) {
      const before = pins.get(guest)
      pins.set(guest, new Set(before ? rule.nodes.filter((node) => before.has(node)) : rule.nodes))
    }
  }
  return pins
}

const mayRestart = (guest: Guest, policy: PlanPolicy): boolean =>
  policy.allowRestart === 'all' || policy.allowRestart.includes(guest.vmid)

/** Why this guest cannot go anywhere, whatever the target. Empty: nothing of its own holds it. */
export function guestFaults(guest: Guest, policy: PlanPolicy): readonly BlockerKind[] {
  const faults: BlockerKind[] = []
  if (!guest.movable) faults.push('guest-not-movable')
  if (guest.lock !== undefined && guest.lock !== '') faults.push('guest-locked')
  if (guest.passthrough.length > 0) faults.push('passthrough')
  if (guest.kind === 'ct' && guest.status === 'running' && !mayRestart(guest, policy))
    faults.push('restart-not-allowed')
  return faults
}

/** A disk that has to be copied: on either end the storage is the node's own. */
export function isLocalDisk({ storage, source, target }: { storage: string; source: Node; target: Node }): boolean {
  const there = target.storages.find(({ id }) => id === storage)
  const here = source.storages.find(({ id }) => id === storage)
  return !(there?.shared && (here?.shared ?? true))
}

/** Why this target cannot take the guest, however empty it were. */
export function targetFaults(options: {
  guest: Guest
  source: Node
  target: Node
  pins: Pins
  policy: PlanPolicy
}): readonly BlockerKind[] {
  const { guest, source, target, pins, policy } = options
  const faults: BlockerKind[] = []
  if (pins.get(guest.vmid)?.has(target.name) === false) faults.push('pinned')
  if (guest.disks.some(({ storage }) => !target.storages.some(({ id }) => id === storage)))
    faults.push('storage-missing')
  if (guest.bridges.some((bridge) => !target.bridges.includes(bridge))) faults.push('bridge-missing')
  const runsAsVm = guest.status === 'running' && guest.kind === 'vm'
  if (runsAsVm && !goesLive({ guest, source, target }) && !mayRestart(guest, policy)) faults.push('cpu-model')
  const runsLive = runsAsVm && goesLive({ guest, source, target })
  if (runsLive && isQemuOlder(target.versions, source.versions)) faults.push('qemu-older-on-target')
  return faults
}

/** CPU models that are both unknown count as equal: then nothing tells them apart (the plan's notes say so). */
const goesLive = ({ guest, source, target }: { guest: Guest; source: Node; target: Node }): boolean =>
  guest.kind === 'vm' && (guest.cpuType !== 'host' || source.cpuModel === target.cpuModel)

export function modeOf(move: { guest: Guest; source: Node; target: Node }): MoveMode {
  if (move.guest.status === 'stopped') return 'offline'
  return goesLive(move) ? 'live' : 'restart'
}

/** Nodes that may take guests while `drain` is away: of a drained node's chassis none, since they share its fate. */
export function takersOf(nodes: readonly Node[], drain: readonly NodeName[]): readonly Node[] {
  const chassis = new Set(nodes.filter(({ name }) => drain.includes(name)).map((node) => node.chassis))
  return nodes.filter(
    (node) =>
      node.online &&
      !node.maintenance &&
      !drain.includes(node.name) &&
      (node.chassis === undefined || !chassis.has(node.chassis)),
  )
}
