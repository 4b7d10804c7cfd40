/** What the checker asks of the reserve: may as many further nodes fail as the plan says, and as the policy wants? */
import type { Guest } from '#domain/guest'
import type { NodeName } from '#domain/ids'
import type { Node } from '#domain/node'
import type { Plan, Violation } from '#domain/plan'
import type { CheckWorld } from './check-world.ts'

/** The search for a packing ends after so many tries; what is then open counts for the plan. */
const TRIES_LIMIT = 100_000

/** `world` stands at the end of the plan. Only what is proven impossible is a violation. */
export function checkSpare(world: CheckWorld, plan: Plan): readonly Violation[] {
  const remain = world.cluster.nodes.filter(({ name, online }) => online && !plan.drain.includes(name))
  const { reserveNodes, lifted } = world.policy
  const wanted = reserveNodes === 'auto' ? (remain.length >= 4 ? 1 : 0) : reserveNodes
  const isSaid = plan.blockers.some(({ kind }) => kind === 'reserve-unmet') || lifted.includes('reserve-unmet')
  const claimed = plan.spare.nodesThatMayFail
  if (claimed <= 0 && (wanted === 0 || isSaid)) return []
  for (const failed of remain) {
    if (canBePacked(world, plan, failed, remain)) continue
    const violations: Violation[] = []
    if (claimed > 0) {
      const text = `the plan says ${claimed} further nodes may fail; ${failed.name} may not: its guests do not fit elsewhere`
      violations.push({ kind: 'spare', node: failed.name, text })
    }
    if (wanted > 0 && !isSaid) {
      const text = `the reserve is unmet if ${failed.name} fails, and the plan does not say so`
      violations.push({ kind: 'reserve-unmet', node: failed.name, text })
    }
    return violations
  }
  return []
}

type Bin = { readonly name: NodeName; memoryBytes: number; cores: number; readonly guests: Set<number> }

function canBePacked(world: CheckWorld, plan: Plan, failed: Node, remain: readonly Node[]): boolean {
  const memory = world.memoryByNode()
  const cores = world.coresByNode()
  const running = world.runningByNode()
  const chassis = new Set(plan.drain.map((name) => world.node(name)?.chassis).filter((name) => name !== undefined))
  const bins: Bin[] = remain
    .filter(
      (node) => node !== failed && !node.maintenance && !(node.chassis !== undefined && chassis.has(node.chassis)),
    )
    .map((node) => ({
      name: node.name,
      memoryBytes: world.memoryLimit(node) - (memory.get(node.name) ?? 0),
      cores: world.coresLimit(node) - (cores.get(node.name) ?? 0),
      guests: new Set(running.get(node.name)),
    }))
  const groups = partnersOn(world, failed).filter(
    (group) => !group.every((guest) => isPinnedTo(world, guest, failed.name)),
  )
  const order = groups
    .map((group) => group.filter((guest) => !isPinnedTo(world, guest, failed.name)))
    .toSorted((a, b) => bytes(b) - bytes(a))
  const neededBytes = order.reduce((sum, group) => sum + bytes(group), 0)
  const freeBytes = bins.reduce((sum, bin) => sum + Math.max(0, bin.memoryBytes), 0)
  if (neededBytes > freeBytes + 1) return false
  const search = { tries: TRIES_LIMIT }
  return tryPack(world, order, 0, bins, search) || search.tries <= 0
}

const bytes = (group: readonly Guest[]): number => group.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
const coresOf = (group: readonly Guest[]): number => group.reduce((sum, { cpuCores }) => sum + cpuCores, 0)

/** Several pins on one guest hold together: what is left may be this node alone. */
function isPinnedTo(world: CheckWorld, guest: Guest, only: NodeName): boolean {
  const pins = world.cluster.rules.filter(
    (rule) => rule.kind === 'pin' && rule.strict && rule.guests.includes(guest.vmid),
  )
  if (pins.length === 0) return false
  const allowed = world.cluster.nodes.filter(({ name }) =>
    pins.every((rule) => rule.kind === 'pin' && rule.nodes.includes(name)),
  )
  return allowed.every(({ name }) => name === only)
}

/** Running guests of the node, with the partners who were with them from the start. */
function partnersOn(world: CheckWorld, node: Node): readonly (readonly Guest[])[] {
  const rest = new Set(world.runningOn([node.name]))
  const groups: Guest[][] = []
  for (const first of rest) {
    const group = new Set([first])
    rest.delete(first)
    for (const member of group) {
      for (const rule of world.cluster.rules) {
        if (rule.kind !== 'keep-together' || !rule.strict || !rule.guests.includes(member)) continue
        for (const other of rule.guests) {
          if (world.originOf(other) === world.originOf(member) && rest.delete(other)) group.add(other)
        }
      }
    }
    groups.push([...group].flatMap((vmid) => world.guest(vmid) ?? []))
  }
  return groups
}

function tryPack(
  world: CheckWorld,
  groups: readonly (readonly Guest[])[],
  next: number,
  bins: readonly Bin[],
  search: { tries: number },
): boolean {
  const group = groups[next]
  if (group === undefined) return true
  for (const bin of bins.toSorted((a, b) => b.memoryBytes - a.memoryBytes)) {
    if (search.tries-- <= 0) return false
    if (bytes(group) > bin.memoryBytes + 1 || coresOf(group) > bin.cores + 1e-6) continue
    if (!group.every((guest) => isWelcome(world, guest, bin))) continue
    bin.memoryBytes -= bytes(group)
    bin.cores -= coresOf(group)
    for (const { vmid } of group) bin.guests.add(vmid)
    if (tryPack(world, groups, next + 1, bins, search)) return true
    bin.memoryBytes += bytes(group)
    bin.cores += coresOf(group)
    for (const { vmid } of group) bin.guests.delete(vmid)
  }
  return false
}

function isWelcome(world: CheckWorld, guest: Guest, bin: Bin): boolean {
  return world.cluster.rules.every((rule) => {
    if (!rule.strict || !rule.guests.includes(guest.vmid)) return true
    if (rule.kind === 'pin') return rule.nodes.includes(bin.name)
    if (rule.kind === 'keep-together') return true
    return !rule.guests.some(
      (other) => other !== guest.vmid && bin.guests.has(other) && world.originOf(other) !== guest.node,
    )
  })
}
