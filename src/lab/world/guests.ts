/** Guests start, stop, move and pause: what their customers could feel is written down as interruptions. */
import type { NodeName } from '#domain/ids'
import { drawBetween } from './draw.ts'
import { schedule } from './events.ts'
import type { By, Interruption, World, WorldGuest, WorldNode } from './state.ts'

/** /cluster/resources runs this far behind the truth (field notes). */
const STALE_FROM_MS = 10_000
const STALE_TO_MS = 20_000

export const guestOf = (world: World, vmid: number): WorldGuest | undefined => world.guests[vmid]
export const isRunning = (guest: WorldGuest) => guest.runsOn.length > 0
export const allGuests = (world: World): WorldGuest[] => Object.values(world.guests)
export const guestsAt = (world: World, node: NodeName) => allGuests(world).filter((guest) => guest.node === node)
export const runningAt = (world: World, node: NodeName) =>
  allGuests(world).filter((guest) => guest.runsOn.includes(node))

/** The cluster's list will show the change 10 to 20 s later. */
export function markBehind(world: World, guest: WorldGuest): void {
  guest.listedBehind = true
  publishSoon(world)
}

export function publishSoon(world: World): void {
  if (world.cluster.publishPending) return
  world.cluster.publishPending = true
  schedule(world, world.nowMs + drawBetween(world, 'publish', STALE_FROM_MS, STALE_TO_MS), { kind: 'publish' })
}

/** The guests of a dead node stay as they were in the list: nobody reports them. */
export function publish(world: World): void {
  world.cluster.publishPending = false
  for (const node of Object.values(world.nodes)) refreshLrm(world, node)
  for (const node of Object.values(world.nodes)) node.listed = { online: node.online, atMs: world.nowMs }
  for (const guest of allGuests(world)) {
    if (!guest.listedBehind || !reports(world.nodes[guest.node])) continue
    guest.listedBehind = false
    delete guest.unlisted
    const status = isRunning(guest) ? 'running' : 'stopped'
    guest.listed = { node: guest.node, status, ...(guest.lock === undefined ? {} : { lock: guest.lock }) }
  }
}

/** Only a node that lives tells of its guests. */
const reports = (node: WorldNode | undefined) =>
  node?.state === 'running' || (node?.state === 'shutting-down' && node.online)

/** Without services the LRM goes idle and its watchdog stands by; maintenance mode is told by the CRM. */
function refreshLrm(world: World, node: WorldNode): void {
  const { state } = node.lrm
  if (node.lrmPinned || node.state !== 'running' || (state !== 'active' && state !== 'idle')) return
  const manages = runningAt(world, node.name).some(isManaged)
  node.lrm = { state: manages ? 'active' : 'idle', watchdog: manages ? 'active' : 'standby' }
}

/** At most one interruption is open: a longer one swallows a shorter. */
export function interrupt(world: World, guest: WorldGuest, why: Interruption['why'], by: By): void {
  const last = guest.interruptions.at(-1)
  if (last && last.toMs === undefined) return
  guest.interruptions.push({ fromMs: world.nowMs, why, by })
}

export function endInterruption(world: World, guest: WorldGuest, extraMs = 0): void {
  const last = guest.interruptions.at(-1)
  if (last && last.toMs === undefined) last.toMs = Math.round(world.nowMs + extraMs)
}

export function runGuest(world: World, guest: WorldGuest, node: NodeName): void {
  if (!guest.runsOn.includes(node)) guest.runsOn.push(node)
  guest.node = node
  delete guest.stopSaidBy
  endInterruption(world, guest)
  markBehind(world, guest)
}

export function haltGuest(world: World, guest: WorldGuest, why: Interruption['why'], by: By): void {
  guest.runsOn = []
  interrupt(world, guest, why, by)
  markBehind(world, guest)
}

export function lockGuest(world: World, guest: WorldGuest, lock: string): void {
  guest.lock = lock
  markBehind(world, guest)
}

export function unlockGuest(world: World, guest: WorldGuest): void {
  delete guest.lock
  markBehind(world, guest)
}

/** The configuration and, where it runs, the process are on `to` from now on. */
export function moveGuest(world: World, move: { guest: WorldGuest; to: NodeName; by: By }): void {
  const { guest, to, by } = move
  guest.node = to
  guest.arrivedAtMs = world.nowMs
  if (isRunning(guest)) guest.runsOn = [to]
  if (by !== 'us') guest.arrivedByOthersAtMs = world.nowMs
  if (by === 'others') guest.tornAwayAtMs = world.nowMs
  markBehind(world, guest)
}

/** A disk that is on none of the target's shared storages has to be copied. */
export function localDiskBytes(world: World, guest: WorldGuest): number {
  const storages = world.nodes[guest.node]?.storages ?? []
  const isLocal = (id: string) => storages.some((storage) => storage.id === id && !storage.shared)
  return guest.spec.disks.reduce((sum, disk) => sum + (isLocal(disk.storage) ? disk.bytes : 0), 0)
}

export const isManaged = (guest: WorldGuest) => guest.spec.ha.managed
