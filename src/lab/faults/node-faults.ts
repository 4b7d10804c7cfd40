/** Faults of nodes: fans, supplies, BMCs, corosync, versions. */

import type { NodeName } from '#domain/ids'
import { fanOf, resetBmc, scheduleFlap, turnFan, wipeSel, writeFanEdge, writeSel } from '#lab/world/bmc'
import { drawBetween, drawWaitMs } from '#lab/world/draw'
import { schedule } from '#lab/world/events'
import { guestOf, lockGuest } from '#lab/world/guests'
import { switchMaintenance } from '#lab/world/ha'
import { hangNode, killNode } from '#lab/world/power'
import type { World, WorldNode } from '#lab/world/state'
import { beginTask } from '#lab/world/tasks'
import type { FaultKind, FaultTable } from './kinds.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

type NodeFaults = Extract<
  FaultKind,
  | 'fan-flap'
  | 'fan-bus-flap'
  | 'fan-stop'
  | 'psu-lost'
  | `bmc-${string}`
  | 'sel-cleared'
  | `signals-${string}`
  | 'locate-goes-out'
  | 'powers-on-by-itself'
  | 'power-restore'
  | `node-${string}`
  | 'pending-kernel'
  | 'qemu-older'
  | 'clock-jump'
  | 'lrm-state'
  | 'watchdog-armed'
  | 'task-runs'
  | 'chassis'
  | 'role'
  | `maintenance-mode-${string}`
  | 'crm-master'
  | 'quorum-lost'
  | `corosync-${string}`
  | 'qdevice-down'
>

/** Known to be there: `applyFault` has looked. */
const nodeAt = (world: World, name: NodeName) => world.nodes[name] as WorldNode

export const NODE_FAULTS: FaultTable<NodeFaults> = {
  'fan-flap': (world, { node: name, part, dropoutsPerDay, dropoutS, historyH }) =>
    flap(world, nodeAt(world, name), [part], { perDay: dropoutsPerDay, dropoutS, historyH }),
  'fan-bus-flap': (world, { node: name, perDay, dropoutS, historyH }) => {
    const node = nodeAt(world, name)
    const parts = node.fans.map(({ part }) => part)
    flap(world, node, parts, { perDay, dropoutS, historyH })
  },
  'fan-stop': (world, { node: name, part }) => {
    const node = nodeAt(world, name)
    turnFan(world, node, part, true)
    const fan = fanOf(node, part)
    if (fan) fan.stopped = true
  },
  'psu-lost': (world, { node: name, part }) => {
    const node = nodeAt(world, name)
    const sensor = node.sensors.find((one) => one.part === `${part}_Status`)
    if (sensor) sensor.state = 'critical'
    writeSel(world, node, {
      sensor: `${part}_Status`,
      kind: 'psu',
      event: 'Power Supply AC lost',
      severity: 'critical',
      asserted: true,
    })
  },
  'bmc-reset': (world, { node }) => resetBmc(world, nodeAt(world, node)),
  'bmc-silent': (world, { node: name, forS }) => {
    nodeAt(world, name).bmc.state = 'silent'
    if (forS !== undefined)
      schedule(world, world.nowMs + forS * 1000, { kind: 'ends-fault', what: 'bmc-silent', node: name })
  },
  'bmc-swapped': (world, { nodes: [a, b] }) => {
    const { bmc: one } = nodeAt(world, a)
    const { bmc: other } = nodeAt(world, b)
    const { answersAs } = one
    one.answersAs = other.answersAs
    other.answersAs = answersAs
  },
  'bmc-dark-when-unplugged': (world, { node }) => {
    nodeAt(world, node).bmc.darkWhenUnplugged = true
    world.technician.pullsCords = true
  },
  'bmc-anonymous': (world, { node }) => {
    nodeAt(world, node).bmc.anonymous = true
  },
  'locate-goes-out': (world, { node: name, afterS }) => {
    const { bmc } = nodeAt(world, name)
    bmc.locateLimitS = afterS
    if (bmc.locateOn) bmc.locateUntilMs = world.nowMs + afterS * 1000
  },
  'sel-cleared': (world, { node }) => wipeSel(world, nodeAt(world, node)),
  'signals-twice': (world, { node, records }) => {
    nodeAt(world, node).bmc.repeatsRecords = records
  },
  'signals-late': (world, { node, s }) => {
    nodeAt(world, node).bmc.lateByMs = s * 1000
  },
  'powers-on-by-itself': (world, { node: name, afterS }) => {
    const node = nodeAt(world, name)
    if (node.state === 'off') schedule(world, world.nowMs + afterS * 1000, { kind: 'powers-on-by-itself', node: name })
    else node.startsByItselfAfterS = afterS
  },
  'power-restore': (world, { node: name, policy }) => {
    nodeAt(world, name).powerRestorePolicy = policy
  },
  'node-dead': (world, { node }) => killNode(world, nodeAt(world, node), 'others'),
  'node-hangs': (world, { node: name, when }) => {
    const node = nodeAt(world, name)
    if (when === 'shutdown') node.hangsOnShutdown = true
    else if (node.state === 'running') hangNode(world, node)
  },
  'pending-kernel': (world, { node: name, kernel }) => {
    const node = nodeAt(world, name)
    node.versions = { ...node.versions, pendingKernel: kernel }
  },
  'qemu-older': (world, { node: name, qemu }) => {
    const node = nodeAt(world, name)
    node.versions = { ...node.versions, qemu }
  },
  'clock-jump': (world, { node: name, s }) => {
    if (name === undefined) {
      world.cluster.controlClockOffsetMs = (world.cluster.controlClockOffsetMs ?? 0) + s * 1000
      return
    }
    const node = nodeAt(world, name)
    node.hardware = { ...node.hardware, clockSkewMs: s * 1000 }
    node.bmc.clockOffsetMs += s * 1000
  },
  'lrm-state': (world, { node: name, state }) => {
    const node = nodeAt(world, name)
    node.lrmPinned = true
    node.lrm = { ...node.lrm, state }
  },
  'watchdog-armed': (world, { node: name }) => {
    const node = nodeAt(world, name)
    node.lrmPinned = true
    node.lrm = { ...node.lrm, watchdog: 'active' }
  },
  'task-runs': (world, { node, type, guest: vmid, forS }) => {
    const id = vmid === undefined ? '' : String(vmid)
    const about = vmid === undefined ? {} : { guest: vmid }
    const task = beginTask(world, { node, type, id, user: 'root@pam', by: 'others', ...about })
    const guest = vmid === undefined ? undefined : guestOf(world, vmid)
    if (guest && type === 'vzdump') lockGuest(world, guest, 'backup')
    schedule(world, world.nowMs + forS * 1000, { kind: 'ends-fault', what: `task:${task.upid}`, ...about })
  },
  chassis: (world, { nodes, chassis }) => {
    for (const name of nodes) nodeAt(world, name).chassis = chassis
  },
  role: (world, { role, guest, node }) => {
    world.cluster.roles.push({
      kind: role,
      ...(guest === undefined ? {} : { guest }),
      ...(node === undefined ? {} : { node }),
    })
  },
  'maintenance-mode-unavailable': (world) => {
    world.cluster.maintenanceModeAvailable = false
  },
  'crm-master': (world, { node }) => {
    world.cluster.crmMaster = node
  },
  'maintenance-mode-by-other': (world, { node }) => switchMaintenance(world, nodeAt(world, node), true, 'others'),
  'quorum-lost': (world, { forS }) => {
    world.cluster.quorumLostUntilMs = world.nowMs + forS * 1000
  },
  'corosync-token-loss': (world, { node, link, forS }) => {
    world.cluster.corosyncLinksDown.push({ node, link })
    schedule(world, world.nowMs + forS * 1000, { kind: 'ends-fault', what: `link:${link}`, node })
  },
  'corosync-link-down': (world, { node, link }) => {
    world.cluster.corosyncLinksDown.push({ node, link })
  },
  'corosync-is-migration-network': (world) => {
    world.cluster.migrationNetworkIsCorosyncLink = true
  },
  'qdevice-down': (world, { votes }) => {
    if (votes !== undefined) world.cluster.qdeviceVotes = votes
    world.cluster.qdeviceUp = false
  },
}

type Flap = { readonly perDay: number; readonly dropoutS: number; readonly historyH: number }

/** Its log tells of what happened before anybody looked: three records an edge. */
function flap(world: World, node: WorldNode, parts: readonly string[], { perDay, dropoutS, historyH }: Flap): void {
  const shared = parts.length > 1
  for (const part of parts) {
    const fan = fanOf(node, part)
    if (fan) fan.flap = { perDay, dropoutS, shared }
  }
  const subject = `fan-history/${node.name}/${parts.join('+')}`
  let atMs = world.nowMs - historyH * HOUR_MS
  for (;;) {
    atMs += drawWaitMs(world, subject, DAY_MS / perDay)
    const lastsMs = Math.round(dropoutS * 1000 * drawBetween(world, subject, 0.5, 1.5))
    if (atMs + lastsMs >= world.nowMs) break
    for (const down of [true, false]) {
      for (const part of parts) {
        const fan = fanOf(node, part)
        if (fan) writeFanEdge(world, node, fan, down, down ? atMs : atMs + lastsMs)
      }
    }
  }
  scheduleFlap(world, node.name, parts, perDay)
}
