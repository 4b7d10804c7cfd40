/** Promises 1 and 2: what is switched off, through whose BMC, and what else is away then. */
import { askOkToStop, cephOf, osdsOn } from '#lab/world/ceph'
import { runningAt } from '#lab/world/guests'
import type { World, WorldCommand, WorldNode } from '#lab/world/state'
import { breakPromise } from './broken.ts'

export function checkShutdown(world: World, command: WorldCommand): void {
  const node = command.node === undefined ? undefined : world.nodes[command.node]
  if (!node) return
  const running = runningAt(world, node.name).map(({ spec }) => spec.vmid)
  if (running.length > 0) breakPromise(world, 1, `${node.name} was switched off while ${running.join(', ')} ran on it`)
  checkOsds(world, command)
  checkSecondAway(world, node)
  checkSharedCeph(world, command)
}

/** Another cluster on the same Ceph has a host away, by the lease that it holds there: ours would be the second. */
export function checkSharedCeph(world: World, { kind, node }: WorldCommand): void {
  for (const [key, text] of Object.entries(cephOf(world)?.configKeys ?? {})) {
    if (!key.startsWith(LEASE_KEY) || key === LEASE_KEY + node) continue
    const lease = JSON.parse(text) as { owner: string; setAtMs: number; expiresAtMs: number }
    const isOurs = Object.keys(world.nodes).some((name) => lease.owner.startsWith(`coulisse/${name}-`))
    if (isOurs || lease.expiresAtMs < world.nowMs || world.nowMs - lease.setAtMs < UNSEEN_MS) continue
    breakPromise(
      world,
      2,
      `${kind} of ${node} while ${lease.owner} has ${key.slice(LEASE_KEY.length)} away in the same Ceph`,
    )
  }
}

const LEASE_KEY = 'coulisse/lease/'

/** All OSDs of the host together. */
export function checkOsds(world: World, { node, kind }: WorldCommand): void {
  const ceph = cephOf(world)
  const osds = ceph && node !== undefined ? osdsOn(ceph, node).map(({ id }) => id) : []
  const answer = osds.length > 0 ? askOkToStop(world, osds) : undefined
  if (answer && !answer.ok) breakPromise(world, 1, `${kind} of ${node}: ${answer.text}`)
}

export function checkHardOff(world: World, command: WorldCommand): void {
  checkWhoseBmc(world, command)
  const bmc = command.asked === undefined ? undefined : world.nodes[command.asked]?.bmc
  if (bmc?.anonymous === true)
    breakPromise(world, 1, `${command.node} was switched off hard by a BMC that cannot say whose it is`)
  checkShutdown(world, command)
}

/** No power command, off or on, through a BMC that is another's: hands may be in the node that it really reaches. */
export function checkWhoseBmc(world: World, { kind, node, asked }: WorldCommand): void {
  if (asked !== node) breakPromise(world, 1, `${kind} reached ${node} through the BMC address of ${asked}`)
}

/** A node that died so lately has not kept anybody waiting for an answer yet: nobody could know. */
const UNSEEN_MS = 30_000

const domainOf = (node: WorldNode) => node.chassis ?? node.name
const isAway = (node: WorldNode) => node.state !== 'running'

/** Somebody else's node is away already: ours would be the second. */
function checkSecondAway(world: World, node: WorldNode): void {
  const other = Object.values(world.nodes).find(
    (one) => isAway(one) && domainOf(one) !== domainOf(node) && world.nowMs - one.stateSinceMs >= UNSEEN_MS,
  )
  if (other) breakPromise(world, 2, `${node.name} was switched off while ${other.name} was away`)
}

export function checkTwoAway(world: World): void {
  const ours = Object.values(world.nodes).filter((node) => isAway(node) && node.downBy === 'us')
  const domains = [...new Set(ours.map(domainOf))]
  if (domains.length > 1) breakPromise(world, 2, `${domains.join(' and ')} are away at once`)
}
