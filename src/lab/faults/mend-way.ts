/** Mends of hands, parts, signals, clocks, mail and the database. */
import type { NodeName } from '#domain/ids'
import { startFans } from '#lab/world/bmc'
import { hasEvent, schedule } from '#lab/world/events'
import { allGuests, haltGuest } from '#lab/world/guests'
import type { World, WorldGuest, WorldNode } from '#lab/world/state'
import { endTask } from '#lab/world/tasks'

export type About = { readonly node?: NodeName | undefined; readonly flag?: string | undefined }

/** Every node that is named, or all of them. */
export const nodesOf = (world: World, { node }: About): readonly WorldNode[] =>
  Object.values(world.nodes).filter(({ name }) => node === undefined || name === node)

const COMES_AFTER_MS = 20 * 60_000

export const WAY_MENDS = {
  fans: (world, about) => {
    for (const node of nodesOf(world, about)) {
      for (const fan of node.fans) {
        fan.stopped = false
        delete fan.flap
      }
      if (node.state === 'running' || node.state === 'booting') startFans(world, node)
    }
  },
  'psu-lost': (world, about) => {
    for (const node of nodesOf(world, about)) {
      for (const sensor of node.sensors) if (sensor.kind === 'psu') sensor.state = 'ok'
    }
  },
  signals: (world, about) => {
    for (const { bmc } of nodesOf(world, about)) {
      delete bmc.repeatsRecords
      delete bmc.lateByMs
    }
  },
  'quorum-lost': (world) => {
    delete world.cluster.quorumLostUntilMs
  },
  /** Time servers are reached again: those of the nodes, and the control plane's. */
  'clock-jump': (world, about) => {
    for (const node of nodesOf(world, about)) {
      node.hardware = { ...node.hardware, clockSkewMs: node.baseline.clockSkewMs }
      node.bmc.clockOffsetMs = 0
    }
    if (about.node === undefined) delete world.cluster.controlClockOffsetMs
  },
  /** Its owner takes it away again; one that is being moved stays. */
  'target-filled': (world) => {
    for (const guest of allGuests(world)) if (guest.isOutsider && !isMoving(world, guest)) removeOutsider(world, guest)
  },
  'migration-fails': (world) => {
    for (const guest of allGuests(world)) {
      guest.migrationFailures = 0
      delete guest.nextTaskVanishes
    }
  },
  'task-runs': (world) => {
    for (const task of Object.values(world.tasks))
      if (task.by === 'others' && task.status === 'running' && world.migrations[task.upid] === undefined)
        endTask(world, task, 'OK')
  },
  'prober-down': (world) => {
    for (const outage of world.probe.outages) outage.toMs ??= world.nowMs
  },
  'mail-bounces': (world) => {
    delete world.mailBounces
  },
  'double-clicks': (world) => {
    delete world.doubleClicksUntilMs
  },
  'database-away': (world) => {
    delete world.cluster.databaseAwayUntilMs
  },
  /** Somebody who knows his trade takes over, and comes to what is still open. */
  technician: (world) => {
    Object.assign(world.technician, { does: 'repairs', answersAfterMin: 0, sideEffects: [] })
    for (const { order, state } of world.workOrders) {
      if (state === 'answered' || hasEvent(world, (event) => event.kind === 'technician' && event.order === order.id))
        continue
      const step = state === 'issued' ? 'arrives' : 'ends'
      schedule(world, world.nowMs + COMES_AFTER_MS, { kind: 'technician', order: order.id, step })
    }
  },
} as const satisfies Record<string, (world: World, about: About) => void>

const isMoving = (world: World, { spec }: WorldGuest) =>
  Object.values(world.migrations).some(({ guest }) => guest === spec.vmid)

function removeOutsider(world: World, guest: WorldGuest): void {
  guest.stopSaidBy = 'others'
  haltGuest(world, guest, 'stopped', 'others')
  delete world.guests[guest.spec.vmid]
}
