/** Moves the world through its events, one after the other; the promises are looked at after each. */

import { applyScheduledFault } from '#lab/faults/apply'
import { endFault } from '#lab/faults/end'
import { checkAfterEvent } from '#lab/promises/check'
import { bmcIsUp, flapNow, turnFan } from './bmc.ts'
import { cephOf, downOsds, endRecovery, markOut, reportPlacementGroups } from './ceph.ts'
import { publish } from './guests.ts'
import { failBack, maintenanceRound, recoverFrom, startGuestNow, startQueued } from './ha.ts'
import { stepMigration } from './migration.ts'
import { beginBoot, booted, osdsAreUp, powerIsGone, seenOffline } from './power.ts'
import type { World, WorldEvent } from './state.ts'
import { endTask } from './tasks.ts'
import { technicianStep } from './technician.ts'

/** More events than this in one moment are a loop. */
const EVENTS_IN_ONE_MOMENT_LIMIT = 10_000

export const nextEventAtMs = (world: World): number | undefined => world.events[0]?.atMs

/** Time never goes back: an earlier moment changes nothing. */
export function advanceTo(world: World, atMs: number): void {
  let inThisMoment = 0
  for (let next = world.events[0]; next && next.atMs <= atMs; next = world.events[0]) {
    world.events.shift()
    inThisMoment = next.atMs > world.nowMs ? 0 : inThisMoment + 1
    if (inThisMoment > EVENTS_IN_ONE_MOMENT_LIMIT) throw new Error(`the world goes round in circles at ${next.kind}`)
    world.nowMs = Math.max(world.nowMs, next.atMs)
    handle(world, next)
    world.changeCount++
    checkAfterEvent(world, next)
  }
  world.nowMs = Math.max(world.nowMs, atMs)
}

function handle(world: World, event: WorldEvent) {
  switch (event.kind) {
    case 'migration':
      return stepMigration(world, event.id)
    case 'ha-migrate':
      return startQueued(world, event.id)
    case 'task-ends': {
      const task = world.tasks[event.upid]
      return task ? endTask(world, task, event.exitStatus) : undefined
    }
    case 'ha-maintenance':
      return maintenanceRound(world, event.node)
    case 'ha-recovers':
      return recoverFrom(world, event.node)
    case 'ha-failback':
      return failBack(world, event.guest)
    case 'node-off': {
      const node = world.nodes[event.node]
      return node ? powerIsGone(world, node, event.by) : undefined
    }
    case 'node-booted':
      return booted(world, event.node)
    case 'node-seen-offline':
      return seenOffline(world, event.node)
    case 'osds-up':
      return osdsAreUp(world, event.node)
    case 'powers-on-by-itself': {
      const node = world.nodes[event.node]
      return node ? beginBoot(world, node) : undefined
    }
    case 'publish':
      return publish(world)
    case 'pg-report':
      return reportPlacementGroups(world)
    case 'osds-down-seen':
      return downOsds(
        world,
        event.osds.filter((id) => !hostRuns(world, id)),
      )
    case 'down-out':
      return markOut(world, event.osd)
    case 'recovered':
      return endRecovery(world)
    default:
      return handleRest(world, event)
  }
}

/** It may have started again within the grace. */
function hostRuns(world: World, id: number): boolean {
  const host = cephOf(world)?.osds.find((osd) => osd.id === id)?.host
  return host !== undefined && world.nodes[host]?.state === 'running'
}

function handleRest(world: World, event: WorldEvent) {
  switch (event.kind) {
    case 'fan-edge': {
      const node = world.nodes[event.node]
      if (node) for (const part of event.parts) turnFan(world, node, part, event.down)
      return
    }
    case 'fan-flap':
      return flapNow(world, event.node, event.parts)
    case 'bmc-up': {
      const node = world.nodes[event.node]
      return node ? bmcIsUp(world, node) : undefined
    }
    case 'technician':
      return technicianStep(world, event.order, event.step)
    case 'guest-starts':
      return startGuestNow(world, event)
    case 'fault':
      return applyScheduledFault(world, event.index)
    case 'ends-fault':
      return endFault(world, event)
    default:
      return
  }
}
