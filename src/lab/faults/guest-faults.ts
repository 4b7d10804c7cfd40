/** Faults of guests and their moves. */
import type { Guest } from '#domain/guest'
import { type NodeName, type Vmid, vmid as vmidOf } from '#domain/ids'
import { createGuest } from '#lab/world/create'
import { schedule } from '#lab/world/events'
import { allGuests, guestOf, lockGuest, markBehind, runningAt } from '#lab/world/guests'
import { moveByHa, targetFor } from '#lab/world/ha'
import type { World, WorldGuest, WorldNode } from '#lab/world/state'
import type { FaultKind, FaultTable } from './kinds.ts'

type GuestFaults = Extract<
  FaultKind,
  | `migration-${string}`
  | 'task-vanishes'
  | `guest-${string}`
  | 'target-filled'
  | 'ha-moves'
  | 'failback-off'
  | 'starts-with-node'
>

/** A guest that writes faster than any link of today. */
const NEVER_CONVERGES_BYTES_PER_SECOND = 40e9
const ROOM_LEFT_BYTES = 2 ** 30

/** Known to be there: `applyFault` has looked. */
const guestAt = (world: World, vmid: Vmid) => guestOf(world, vmid) as WorldGuest

export const GUEST_FAULTS: FaultTable<GuestFaults> = {
  'migration-fails': (world, { guest, times }) => {
    guestAt(world, guest).migrationFailures += times
  },
  'migration-never-converges': (world, { guest: vmid }) => {
    const guest = guestAt(world, vmid)
    guest.dirtyBytesPerSecond = NEVER_CONVERGES_BYTES_PER_SECOND
    guest.writableWorkingSetBytes = guest.spec.residentBytes
  },
  'task-vanishes': (world, { guest: vmid }) => {
    const now = Object.values(world.migrations).find((migration) => migration.guest === vmid)
    const task = now?.upid === undefined ? undefined : world.tasks[now.upid]
    if (task) task.vanished = true
    else guestAt(world, vmid).nextTaskVanishes = true
  },
  'guest-locked': (world, { guest: vmid, lock, forS }) => {
    lockGuest(world, guestAt(world, vmid), lock)
    if (forS !== undefined)
      schedule(world, world.nowMs + forS * 1000, { kind: 'ends-fault', what: 'lock', guest: vmid })
  },
  'guest-appears': (world, { node, vmid, memoryBytes }) => addOutsider(world, { node, vmid, memoryBytes }),
  'failback-off': (world, { guest }) => {
    guestAt(world, guest).failback = false
  },
  'starts-with-node': (world, { guest: vmid }) => {
    const guest = guestAt(world, vmid)
    guest.spec = { ...guest.spec, onboot: true }
  },
  'guest-deleted': (world, { guest: vmid }) => deleteGuest(world, guestAt(world, vmid)),
  'guest-stops-slowly': (world, { guest, s }) => {
    guestAt(world, guest).stopS = s
  },
  'target-filled': (world, { node: name, memoryBytes }) => {
    const node = world.nodes[name] as WorldNode
    const used = runningAt(world, name).reduce((sum, { spec }) => sum + spec.memoryBytes, node.memoryUsedBytes)
    addOutsider(world, {
      node: name,
      vmid: undefined,
      memoryBytes: memoryBytes ?? Math.max(ROOM_LEFT_BYTES, node.memoryBytes - used - ROOM_LEFT_BYTES),
    })
  },
  'ha-moves': (world, { guest: vmid, to }) => {
    const guest = guestAt(world, vmid)
    const target = to ?? targetFor(world, guest, guest.node)
    if (target !== undefined) moveByHa(world, guest, target)
  },
}

/** Refused while it is locked, as Proxmox does; its rules forget it. */
function deleteGuest(world: World, guest: WorldGuest): void {
  if (guest.lock !== undefined) return
  const { vmid } = guest.spec
  delete world.guests[vmid]
  world.deleted = [...(world.deleted ?? []), guest]
  world.rules = world.rules.map((rule) => ({ ...rule, guests: rule.guests.filter((one) => one !== vmid) }))
}

type Outsider = { readonly node: NodeName; readonly vmid: Vmid | undefined; readonly memoryBytes: number }

/** Somebody else starts a guest of nobody's plan. */
function addOutsider(world: World, { node, vmid, memoryBytes }: Outsider): void {
  const highest = Math.max(899, ...allGuests(world).map(({ spec }) => spec.vmid))
  const id = vmid !== undefined && !guestOf(world, vmid) ? vmid : vmidOf(highest + 1)
  const spec: Guest = {
    vmid: id,
    name: `new-${id}`,
    kind: 'vm',
    node,
    status: 'running',
    cpuCores: 1,
    memoryBytes,
    residentBytes: Math.min(memoryBytes, 2 ** 30),
    cpuUsedCores: 0.1,
    dirtyBytesPerSecond: 1e6,
    writableWorkingSetBytes: 'unknown',
    cpuType: 'x86-64-v3',
    disks: [],
    bridges: [],
    passthrough: [],
    tags: [],
    ha: { managed: false },
    movable: true,
    onboot: false,
    template: false,
  }
  const guest = createGuest(spec, true)
  guest.arrivedByOthersAtMs = world.nowMs
  guest.unlisted = true
  guest.isOutsider = true
  if (world.nodes[node]?.state !== 'running') guest.runsOn = []
  world.guests[id] = guest
  markBehind(world, guest)
}
