/** Proxmox's HA: the queue behind `hamigrate`, maintenance mode with its silent gaps, recovery from a dead node. */
import type { NodeName, Vmid } from '#domain/ids'
import { drawBetween } from './draw.ts'
import { cancelEvents, hasEvent, schedule } from './events.ts'
import { allGuests, guestOf, isManaged, isRunning, runGuest, runningAt } from './guests.ts'
import { beginMigration } from './migration.ts'
import type { By, World, WorldGuest, WorldMigration, WorldNode } from './state.ts'
import { beginTask, endTask, HA_USER } from './tasks.ts'

/** The LRM's own workers a node; nobody's max-workers limits them. */
const LRM_WORKERS = 4
const QUEUE_FROM_MS = 5_000
const QUEUE_TO_MS = 15_000
const HA_ROUND_MS = 10_000
const QUEUED_TASK_MS = 1_500
/** Offline after about 75 s, guests elsewhere after about 3 min (field notes). */
export const SEEN_OFFLINE_AFTER_MS = 75_000
const RECOVERS_AFTER_SEEN_MS = 100_000
const HA_START_MS = 8_000

type HaMove = { readonly guest: WorldGuest; readonly to: NodeName; readonly by: By }

/** What the API does for a managed guest: a task that is OK once the wish is queued. Returns that task's UPID. */
export function queueMigration(world: World, move: HaMove, user: string): string {
  const { guest, to, by } = move
  const { vmid } = guest.spec
  const task = beginTask(world, { node: guest.node, type: 'hamigrate', id: String(vmid), user, by, guest: vmid })
  task.log.push(`Requesting HA migration for ${guest.spec.kind === 'vm' ? 'VM' : 'CT'} ${vmid} to node ${to}`)
  schedule(world, world.nowMs + QUEUED_TASK_MS, { kind: 'task-ends', upid: task.upid, exitStatus: 'OK' })
  enqueue(world, move)
  for (const partner of partnersOf(world, guest)) enqueue(world, { guest: partner, to, by })
  return task.upid
}

/** A keep-together rule takes its partners along. */
function partnersOf(world: World, guest: WorldGuest): WorldGuest[] {
  const ids = world.rules
    .filter((rule) => rule.kind === 'keep-together' && rule.strict && rule.guests.includes(guest.spec.vmid))
    .flatMap((rule) => rule.guests)
  return allGuests(world).filter(
    (other) => other !== guest && ids.includes(other.spec.vmid) && isManaged(other) && other.node === guest.node,
  )
}

function enqueue(world: World, { guest, to, by }: HaMove): void {
  const { vmid, residentBytes } = guest.spec
  const busy = Object.values(world.migrations).find((migration) => migration.guest === vmid)
  if (busy) return
  const id = `ha/${vmid}/${world.nextSeq}`
  world.migrations[id] = {
    id,
    guest: vmid,
    from: guest.node,
    to,
    mode: guest.spec.kind === 'vm' ? 'live' : 'restart',
    by,
    phase: 'ha-queued',
    phaseSinceMs: world.nowMs,
    beganAtMs: world.nowMs,
    remainingBytes: 0,
    roundBytes: 0,
    roundBeganAtMs: world.nowMs,
    round: 0,
    transferredBytes: 0,
    totalBytes: residentBytes,
    bytesPerSecond: 0,
    settledAtMs: world.nowMs,
    allowedPauseMs: 0,
  }
  guest.haState = 'migrate'
  const atMs = world.nowMs + drawBetween(world, `ha/${vmid}`, QUEUE_FROM_MS, QUEUE_TO_MS)
  schedule(world, atMs, { kind: 'ha-migrate', id })
}

/** The LRM takes the next wish, if a worker is free: the real task, as root@pam on the source. */
export function startQueued(world: World, id: string) {
  const queued = world.migrations[id]
  const guest = queued && guestOf(world, queued.guest)
  if (!queued) return
  if (!guest) {
    // Deleted while it waited: the CRM forgets a wish for a service that is none any more.
    delete world.migrations[id]
    return
  }
  const workers = Object.values(world.migrations).filter(
    ({ from, phase, upid }) =>
      from === queued.from && phase !== 'ha-queued' && world.tasks[upid ?? '']?.user === HA_USER,
  )
  if (workers.length >= LRM_WORKERS) {
    schedule(world, world.nowMs + QUEUE_FROM_MS, { kind: 'ha-migrate', id })
    return
  }
  delete world.migrations[id]
  guest.haState = 'started'
  if (guest.node !== queued.from || world.nodes[queued.to]?.state !== 'running') return
  const mode = isRunning(guest) ? queued.mode : 'offline'
  if (guest.lock !== undefined) return refuseLocked(world, guest, queued)
  beginMigration(world, { guest, to: queued.to, mode, by: queued.by, user: HA_USER, withLocalDisks: false })
}

function refuseLocked(world: World, guest: WorldGuest, { by }: WorldMigration): void {
  const { vmid, kind } = guest.spec
  const type = kind === 'vm' ? 'qmigrate' : 'vzmigrate'
  const task = beginTask(world, { node: guest.node, type, id: String(vmid), user: HA_USER, by, guest: vmid })
  endTask(world, task, `VM is locked (${guest.lock})`)
}

/** The CRM's round for a node in maintenance mode: it moves managed guests only, and leaves some behind without a word. */
export function maintenanceRound(world: World, name: NodeName): void {
  const node = world.nodes[name]
  if (!node || node.haMaintenance === 'off') return
  node.haMaintenance = 'on'
  if (!node.lrmPinned && node.state === 'running') node.lrm = { state: 'maintenance', watchdog: 'standby' }
  if (node.state === 'running') {
    for (const guest of runningAt(world, name)) {
      if (isManaged(guest) && !isBusy(world, guest)) sendAway(world, guest)
    }
  }
  schedule(world, world.nowMs + HA_ROUND_MS * MAINTENANCE_ROUND_EVERY, { kind: 'ha-maintenance', node: name })
}

const MAINTENANCE_ROUND_EVERY = 3

const isBusy = (world: World, guest: WorldGuest) =>
  Object.values(world.migrations).some((migration) => migration.guest === guest.spec.vmid)

function sendAway(world: World, guest: WorldGuest): void {
  const from = guest.node
  const to = targetFor(world, guest, from)
  if (to === undefined) return
  const together = partnersOf(world, guest)
  if (world.nodes[from]?.haMaintenanceBy !== 'us') guest.tornAwayAtMs = world.nowMs
  // Gaps that Proxmox's own simulator shows: pairs and `failback 0` guests never come back.
  if (together.length === 0 && guest.failback) guest.haHome = from
  enqueue(world, { guest, to, by: 'ha' })
  for (const partner of together) enqueue(world, { guest: partner, to, by: 'ha' })
}

/** The least loaded node by memory that its rules allow; pinned to one node, or pinned and kept apart: it stays. */
export function targetFor(world: World, guest: WorldGuest, from: NodeName): NodeName | undefined {
  const mine = world.rules.filter((rule) => rule.strict && rule.guests.includes(guest.spec.vmid))
  const pin = mine.find((rule) => rule.kind === 'pin')
  const apart = mine.filter((rule) => rule.kind === 'keep-apart').flatMap((rule) => rule.guests)
  if (pin && apart.length > 0) return undefined
  const candidates = Object.values(world.nodes).filter(
    (node) => node.name !== from && takesGuests(node) && (pin?.kind !== 'pin' || pin.nodes.includes(node.name)),
  )
  const free = candidates.filter((node) => !apart.some((vmid) => isAt(world, vmid, node.name)))
  free.sort((a, b) => loadOf(world, a) - loadOf(world, b) || (a.name < b.name ? -1 : 1))
  return free[0]?.name
}

const takesGuests = (node: WorldNode) =>
  node.online && node.state === 'running' && node.haMaintenance === 'off' && !node.cordoned

function isAt(world: World, vmid: Vmid, node: NodeName): boolean {
  const guest = guestOf(world, vmid)
  if (!guest) return false
  const coming = Object.values(world.migrations).some((migration) => migration.guest === vmid && migration.to === node)
  return guest.node === node || coming
}

function loadOf(world: World, node: WorldNode): number {
  const here = allGuests(world).filter((guest) => isAt(world, guest.spec.vmid, node.name))
  return here.reduce((sum, guest) => sum + guest.spec.memoryBytes, node.memoryUsedBytes) / node.memoryBytes
}

export function switchMaintenance(world: World, node: WorldNode, on: boolean, by: By): void {
  if (on === (node.haMaintenance !== 'off')) return
  cancelEvents(world, (event) => event.kind === 'ha-maintenance' && event.node === node.name)
  node.haMaintenance = on ? 'requested' : 'off'
  if (on) node.haMaintenanceBy = by
  else delete node.haMaintenanceBy
  if (on) {
    schedule(world, world.nowMs + HA_ROUND_MS, { kind: 'ha-maintenance', node: node.name })
    return
  }
  const manages = runningAt(world, node.name).some(isManaged)
  if (!node.lrmPinned) node.lrm = { state: manages ? 'active' : 'idle', watchdog: manages ? 'active' : 'standby' }
  for (const guest of allGuests(world)) {
    if (guest.haHome !== node.name) continue
    schedule(world, world.nowMs + drawBetween(world, `ha/${guest.spec.vmid}`, QUEUE_FROM_MS, QUEUE_TO_MS), {
      kind: 'ha-failback',
      guest: guest.spec.vmid,
    })
  }
}

/** Maintenance mode has ended: HA brings back what it moved itself. */
export function failBack(world: World, vmid: Vmid): void {
  const guest = guestOf(world, vmid)
  const home = guest?.haHome === undefined ? undefined : world.nodes[guest.haHome]
  if (!guest || !home) return
  delete guest.haHome
  if (guest.node === home.name || !takesGuests(home) || isBusy(world, guest)) return
  enqueue(world, { guest, to: home.name, by: 'ha' })
}

/** Quorum says that the node is gone: its managed guests are started elsewhere after it was fenced. */
export function expectRecovery(world: World, node: NodeName): void {
  if (hasEvent(world, (event) => event.kind === 'ha-recovers' && event.node === node)) return
  schedule(world, world.nowMs + RECOVERS_AFTER_SEEN_MS, { kind: 'ha-recovers', node })
}

export function recoverFrom(world: World, name: NodeName): void {
  const node = world.nodes[name]
  if (!node || node.online) return
  for (const guest of allGuests(world)) {
    if (guest.node !== name || !isManaged(guest) || guest.stopSaidBy !== undefined) continue
    const to = targetFor(world, guest, name)
    if (to === undefined) continue
    guest.node = to
    guest.tornAwayAtMs = world.nowMs
    delete guest.lock
    guest.haState = 'started'
    const delayMs = drawBetween(world, `ha/${guest.spec.vmid}`, HA_START_MS, 3 * HA_START_MS)
    schedule(world, world.nowMs + delayMs, { kind: 'guest-starts', guest: guest.spec.vmid, node: to, by: 'ha' })
  }
}

export function startGuestNow(world: World, start: { guest: Vmid; node: NodeName; by: By }): void {
  const guest = guestOf(world, start.guest)
  if (!guest || world.nodes[start.node]?.state !== 'running' || guest.node !== start.node) return
  const { vmid, kind } = guest.spec
  const type = kind === 'vm' ? 'qmstart' : 'vzstart'
  const task = beginTask(world, { node: start.node, type, id: String(vmid), user: HA_USER, by: start.by, guest: vmid })
  if (start.by !== 'us') guest.arrivedByOthersAtMs = world.nowMs
  runGuest(world, guest, start.node)
  endTask(world, task, 'OK')
}

/** HA's own idea: auto-rebalance, or a colleague's wish. */
export function moveByHa(world: World, guest: WorldGuest, to: NodeName): void {
  guest.tornAwayAtMs = world.nowMs
  enqueue(world, { guest, to, by: 'ha' })
}
