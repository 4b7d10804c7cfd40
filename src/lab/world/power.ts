/** A node's life: orderly shutdown, power off, boot, death, cords pulled and put back. */
import type { NodeName } from '#domain/ids'
import { powerIsOn, startFans, stopFans, writeSel } from './bmc.ts'
import { cephOf, DOWN_GRACE_MS, downOsds, osdsOn, refreshMonitors, upOsds } from './ceph.ts'
import { drawBetween } from './draw.ts'
import { cancelEvents, schedule } from './events.ts'
import { guestsAt, haltGuest, isManaged, isRunning, publishSoon, runningAt } from './guests.ts'
import { expectRecovery, SEEN_OFFLINE_AFTER_MS } from './ha.ts'
import { breakMigrations } from './migration.ts'
import type { By, World, WorldNode } from './state.ts'
import { endTask } from './tasks.ts'

const LEAVES_FROM_MS = 10_000
const LEAVES_TO_MS = 20_000
const OFF_FROM_MS = 30_000
const OFF_TO_MS = 70_000
const BOOT_FROM_MS = 100_000
const BOOT_TO_MS = 180_000
const OSDS_UP_FROM_MS = 6_000
const OSDS_UP_TO_MS = 15_000
const ONBOOT_AFTER_MS = 10_000

function enter(world: World, node: WorldNode, state: WorldNode['state']): void {
  node.state = state
  node.stateSinceMs = world.nowMs
}

/** Answered before it acts; leaves the cluster after some seconds, is off within two minutes. */
export function beginShutdown(world: World, node: WorldNode, by: By): void {
  enter(world, node, 'shutting-down')
  node.downBy = by
  breakMigrations(world, node.name)
  for (const guest of runningAt(world, node.name)) haltGuest(world, guest, 'node-shut-down', by)
  if (node.hangsOnShutdown) return
  const leavesMs = drawBetween(world, `power/${node.name}`, LEAVES_FROM_MS, LEAVES_TO_MS)
  schedule(world, world.nowMs + leavesMs, { kind: 'node-seen-offline', node: node.name })
  const offMs = drawBetween(world, `power/${node.name}`, OFF_FROM_MS, OFF_TO_MS)
  schedule(world, world.nowMs + offMs, { kind: 'node-off', node: node.name, by })
}

/** The cluster notices that the node has left: at once when it says goodbye, after the token is lost when it does not. */
export function seenOffline(world: World, name: NodeName): void {
  const node = world.nodes[name]
  if (!node?.online || node.state === 'running') return
  if (node.state === 'hung' && runningAt(world, name).some(isManaged)) resetByWatchdog(world, node)
  node.online = false
  node.offlineSinceMs = world.nowMs
  if (!node.lrmPinned) node.lrm = { ...node.lrm, state: node.haMaintenance === 'off' ? 'lost' : 'maintenance' }
  if (world.cluster.crmMaster === name) passCrm(world)
  refreshMonitors(world)
  osdsSeenDown(world, name)
  if (node.haMaintenance === 'off' && leavesGuests(world, node)) expectRecovery(world, name)
  publishSoon(world)
}

/** Where HA guests run the LRM's watchdog is armed: it fires before quorum starts them elsewhere, so nothing runs twice. */
function resetByWatchdog(world: World, node: WorldNode): void {
  powerIsGone(world, node, 'ha')
  beginBoot(world, node)
}

/** shutdown_policy 'freeze' keeps them frozen for the reboot; every other policy recovers them elsewhere. */
function leavesGuests(world: World, node: WorldNode): boolean {
  if (node.downBy !== undefined && world.cluster.shutdownPolicy === 'freeze') return false
  return guestsAt(world, node.name).some(isManaged)
}

function passCrm(world: World): void {
  const next = Object.values(world.nodes).find(({ online }) => online)
  if (next) world.cluster.crmMaster = next.name
}

function osdsSeenDown(world: World, host: NodeName): void {
  const ceph = cephOf(world)
  if (!ceph) return
  const up = osdsOn(ceph, host).filter((osd) => osd.up)
  downOsds(
    world,
    up.map(({ id }) => id),
  )
}

export function powerIsGone(world: World, node: WorldNode, by: By): void {
  const before = node.state
  if (before === 'off' || before === 'dead') return
  enter(world, node, 'off')
  node.downBy ??= by
  stopFans(node)
  forgetPlans(world, node.name)
  stopWorkers(world, node.name)
  breakMigrations(world, node.name)
  for (const guest of runningAt(world, node.name)) haltGuest(world, guest, 'node-died', by)
  if (before === 'shutting-down') seenOffline(world, node.name)
  else noticeDeath(world, node)
  if (node.startsByItselfAfterS !== undefined) {
    const atMs = world.nowMs + node.startsByItselfAfterS * 1000
    delete node.startsByItselfAfterS
    schedule(world, atMs, { kind: 'powers-on-by-itself', node: node.name })
  }
}

function noticeDeath(world: World, node: WorldNode): void {
  const ceph = cephOf(world)
  const ids = ceph ? osdsOn(ceph, node.name).map(({ id }) => id) : []
  if (ids.length > 0) schedule(world, world.nowMs + DOWN_GRACE_MS, { kind: 'osds-down-seen', osds: ids })
  schedule(world, world.nowMs + SEEN_OFFLINE_AFTER_MS, { kind: 'node-seen-offline', node: node.name })
}

function stopWorkers(world: World, name: NodeName): void {
  for (const task of Object.values(world.tasks)) {
    if (task.node === name && task.status === 'running') endTask(world, task, 'unexpected status')
  }
}

const forgetPlans = (world: World, name: NodeName) =>
  cancelEvents(world, (event) => (event.kind === 'node-off' || event.kind === 'node-booted') && event.node === name)

/** Board or supply: off, and it cannot be started. */
export function killNode(world: World, node: WorldNode, by: By): void {
  powerIsGone(world, node, by)
  enter(world, node, 'dead')
}

/** Powered, and answers nobody: its guests go on running until it is fenced, so nobody may start them. */
export function hangNode(world: World, node: WorldNode): void {
  enter(world, node, 'hung')
  breakMigrations(world, node.name)
  noticeDeath(world, node)
}

export function beginBoot(world: World, node: WorldNode): void {
  if (node.state !== 'off' || node.cordsPulled) return
  enter(world, node, 'booting')
  startFans(world, node)
  if (node.repairEffects.includes('does-not-boot')) return
  const bootMs = drawBetween(world, `power/${node.name}`, BOOT_FROM_MS, BOOT_TO_MS)
  schedule(world, world.nowMs + bootMs, { kind: 'node-booted', node: node.name })
}

export function booted(world: World, name: NodeName): void {
  const node = world.nodes[name]
  if (node?.state !== 'booting') return
  enter(world, node, 'running')
  node.bootedAtMs = world.nowMs
  node.online = true
  delete node.offlineSinceMs
  delete node.downBy
  bootIntoPendingKernel(node)
  if (node.repairEffects.includes('sel-dirty')) writeMemoryError(world, node)
  const { haInUse } = world.cluster
  if (!node.lrmPinned && node.lrm.state !== 'absent')
    node.lrm = { state: node.haMaintenance === 'off' ? 'idle' : 'maintenance', watchdog: 'standby' }
  if (haInUse) world.cluster.crmMaster ??= name
  refreshMonitors(world)
  const osdsMs = drawBetween(world, `power/${name}`, OSDS_UP_FROM_MS, OSDS_UP_TO_MS)
  schedule(world, world.nowMs + osdsMs, { kind: 'osds-up', node: name })
  startOnboot(world, name)
  publishSoon(world)
}

const writeMemoryError = (world: World, node: WorldNode) =>
  writeSel(world, node, {
    sensor: 'DIMM_A3',
    kind: 'memory',
    event: 'Correctable ECC logging limit reached',
    severity: 'critical',
    asserted: true,
  })

function bootIntoPendingKernel(node: WorldNode): void {
  const { pendingKernel, ...versions } = node.versions
  if (pendingKernel === undefined) return
  node.versions = { ...versions, kernel: pendingKernel }
}

/** The node starts its own onboot guests; HA the managed ones that are still configured here. */
function startOnboot(world: World, name: NodeName): void {
  let delayMs = ONBOOT_AFTER_MS
  for (const guest of guestsAt(world, name)) {
    if (isRunning(guest) || guest.spec.template) continue
    const wanted = isManaged(guest) ? guest.haState === 'started' && guest.stopSaidBy === undefined : guest.spec.onboot
    if (!wanted) continue
    const by = isManaged(guest) ? 'ha' : 'others'
    schedule(world, world.nowMs + delayMs, { kind: 'guest-starts', guest: guest.spec.vmid, node: name, by })
    delayMs += 3_000
  }
}

export const osdsAreUp = (world: World, name: NodeName) => {
  if (world.nodes[name]?.state === 'running') upOsds(world, name)
}

export function pullCords(world: World, node: WorldNode, by: By): void {
  if (node.cordsPulled) return
  node.cordsPulled = true
  if (powerIsOn(node)) powerIsGone(world, node, by)
  cancelEvents(world, (event) => event.kind === 'powers-on-by-itself' && event.node === node.name)
  if (node.bmc.darkWhenUnplugged && node.bmc.state !== 'silent') node.bmc.state = 'dark'
}

/** By its policy the node may start as soon as the cord is back; its BMC needs a minute. */
export function putCordsBack(world: World, node: WorldNode): void {
  if (!node.cordsPulled) return
  node.cordsPulled = false
  if (node.bmc.state === 'dark') {
    node.bmc.state = 'booting'
    schedule(world, world.nowMs + BMC_POWER_UP_MS, { kind: 'bmc-up', node: node.name })
  }
  if (node.powerRestorePolicy === 'always-on') beginBoot(world, node)
}

const BMC_POWER_UP_MS = 60_000
