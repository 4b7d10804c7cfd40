/** Faults of Ceph, and what other people do to it. */

import { nodeName } from '#domain/ids'
import {
  cephOf,
  downOsds,
  flagsAt,
  lowerFlag,
  raiseFlag,
  refreshMonitors,
  refreshPlacementGroups,
} from '#lab/world/ceph'
import { schedule } from '#lab/world/events'
import type { World, WorldCeph } from '#lab/world/state'
import type { FaultKind, FaultTable } from './kinds.ts'

type CephFaults = Extract<
  FaultKind,
  | 'osd-down'
  | 'osd-nearfull'
  | 'pool-size'
  | `pgs-${string}`
  | 'slow-ops'
  | 'monitor-down'
  | 'mgr-active'
  | 'lease-deleted'
  | 'lease-by-other'
  | 'service-on-node'
  | 'ceph-flag'
  | `noout-${string}`
>

const FOUR_HOURS_MS = 4 * 3_600_000

/** Known to be there: `applyFault` has looked. */
const here = (world: World) => cephOf(world) as WorldCeph

export const CEPH_FAULTS: FaultTable<CephFaults> = {
  'osd-down': (world, { osd: id }) => {
    const osd = here(world).osds.find((one) => one.id === id)
    if (osd) osd.broken = true
    downOsds(world, [id])
  },
  'osd-nearfull': (world, { level }) => {
    here(world).fullness = level
  },
  'pool-size': (world, { pool: name, size, minSize }) => {
    const ceph = here(world)
    ceph.pools = ceph.pools.map((pool) =>
      name === undefined || pool.name === name ? { ...pool, size, minSize } : pool,
    )
  },
  'monitor-down': (world, { node }) => {
    for (const monitor of here(world).monitors) if (monitor.host === node) monitor.broken = true
    refreshMonitors(world)
  },
  'mgr-active': (world, { node }) => {
    here(world).activeMgrHost = node
  },
  'lease-by-other': (world, { host, owner }) => {
    const ceph = here(world)
    const [setAtMs, expiresAtMs] = [world.nowMs, world.nowMs + FOUR_HOURS_MS]
    const lease = { owner, host, reason: 'a disk is swapped', setAtMs, expiresAtMs, flagsBefore: [] }
    ceph.configKeys[`coulisse/lease/${host}`] = JSON.stringify(lease)
    raiseFlag(world, ceph, { name: 'noout', host: nodeName(host) }, 'others')
  },
  'lease-deleted': (world, { node }) => {
    delete here(world).configKeys[`coulisse/lease/${node}`]
  },
  'pgs-degraded': (world, { count, forS }) => {
    here(world).degradedByFault = count
    refreshPlacementGroups(world)
    if (forS !== undefined) schedule(world, world.nowMs + forS * 1000, { kind: 'ends-fault', what: 'degraded' })
  },
  'pgs-inconsistent': (world, { count }) => {
    here(world).inconsistentByFault = count
    refreshPlacementGroups(world)
  },
  'slow-ops': (world, { count, forS }) => {
    here(world).slowOpsCount = count
    if (forS !== undefined) schedule(world, world.nowMs + forS * 1000, { kind: 'ends-fault', what: 'slow-ops' })
  },
  'service-on-node': (world, { node, service }) => {
    here(world).services.push({ kind: service, host: node })
  },
  'ceph-flag': (world, { flag, node }) =>
    raiseFlag(world, here(world), { name: flag, ...(node === undefined ? {} : { host: node }) }, 'others'),
  'noout-cleared-by-other': (world, { node }) => {
    const ceph = here(world)
    const hosts = node === undefined ? Object.keys(ceph.hostFlags).map((name) => world.nodes[name]?.name) : [node]
    for (const host of [undefined, ...hosts]) {
      if (flagsAt(ceph, host).includes('noout'))
        lowerFlag(world, ceph, { name: 'noout', ...(host === undefined ? {} : { host }) })
    }
  },
  'noout-set-by-other': (world, { node }) =>
    raiseFlag(world, here(world), { name: 'noout', ...(node === undefined ? {} : { host: node }) }, 'others'),
}
