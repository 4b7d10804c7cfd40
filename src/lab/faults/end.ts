/** Faults that end by themselves. */

import { refreshPlacementGroups } from '#lab/world/ceph'
import { guestOf, unlockGuest } from '#lab/world/guests'
import { beginBoot, putCordsBack } from '#lab/world/power'
import type { World, WorldEvent } from '#lab/world/state'
import { endTask } from '#lab/world/tasks'

type Ends = Extract<WorldEvent, { kind: 'ends-fault' }>

export function endFault(world: World, event: Ends): void {
  const node = event.node === undefined ? undefined : world.nodes[event.node]
  const guest = event.guest === undefined ? undefined : guestOf(world, event.guest)
  if (event.what === 'lock' && guest) unlockGuest(world, guest)
  if (event.what === 'bmc-silent' && node) node.bmc.state = 'up'
  if (event.what === 'cords' && node) {
    putCordsBack(world, node)
    beginBoot(world, node)
  }
  if (event.what.startsWith('task:')) {
    const task = world.tasks[event.what.slice('task:'.length)]
    if (task) endTask(world, task, 'OK')
    if (guest?.lock === 'backup') unlockGuest(world, guest)
  }
  if (event.what.startsWith('link:') && node) {
    const link = event.what.slice('link:'.length)
    const { cluster } = world
    cluster.corosyncLinksDown = cluster.corosyncLinksDown.filter((one) => one.node !== node.name || one.link !== link)
  }
  if (event.what === 'probe') for (const outage of world.probe.outages) outage.toMs ??= world.nowMs
  if (world.ceph !== 'none' && event.what === 'slow-ops') world.ceph.slowOpsCount = 0
  if (world.ceph !== 'none' && event.what === 'degraded') {
    world.ceph.degradedByFault = 0
    refreshPlacementGroups(world)
  }
}
