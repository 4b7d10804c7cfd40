/** One look at Ceph through Proxmox's API: health, OSD tree, pools, flags. Its PG figures lag; callers take two readings. */

import { z } from 'zod'
import type { CephObservation, Osd, PlacementGroups, Pool } from '#domain/ceph'
import { type NodeName, nodeName } from '#domain/ids'
import type { Clock } from '#ports/clock'
import * as wire from './ceph-wire.ts'
import { type ProxmoxClient, path, refused } from './client.ts'
import { saysNoCeph } from './look-cluster.ts'

const UNREADABLE_RULE = 'unknown'

export async function observeCeph(
  client: ProxmoxClient,
  config: { readonly clock: Clock; readonly askVia: () => Promise<NodeName> },
): Promise<CephObservation | 'none'> {
  const observedAtMs = await config.clock.nowMs()
  const call = { doing: 'read the Ceph status', path: '/cluster/ceph/status' }
  const reply = await client.ask(wire.cephStatus, call)
  if (reply.is === 'refused') {
    if (saysNoCeph(reply)) return 'none'
    throw refused(call, reply)
  }
  const status = reply.data
  const via = await config.askVia()
  const [tree, pools, monitors, managers, flags, daemons, crush] = await Promise.all([
    client.get(wire.osdTree, { doing: 'list the OSDs', path: path`/nodes/${via}/ceph/osd` }),
    client.get(wire.pools, { doing: 'list the pools', path: path`/nodes/${via}/ceph/pool` }),
    client.get(wire.monitors, { doing: 'list the monitors', path: path`/nodes/${via}/ceph/mon` }),
    client.get(wire.managers, { doing: 'list the managers', path: path`/nodes/${via}/ceph/mgr` }),
    client.get(wire.flags, { doing: 'list the flags', path: '/cluster/ceph/flags' }),
    client.get(wire.daemons, { doing: 'list the daemons', path: '/cluster/ceph/metadata' }),
    client.ask(z.string(), { doing: 'read the CRUSH map', path: path`/nodes/${via}/ceph/crush` }),
  ])
  const failureDomains = crush.is === 'data' ? failureDomainsOf(crush.data) : new Map<string, string>()
  const active = managers.find((manager) => manager.state === 'active')
  return {
    observedAtMs,
    fsid: status.fsid,
    osds: osdsOf(tree),
    pools: pools.map(
      (pool): Pool => ({
        name: pool.pool_name,
        size: pool.size,
        minSize: pool.min_size,
        failureDomain: failureDomains.get(pool.crush_rule_name ?? '') ?? UNREADABLE_RULE,
      }),
    ),
    placementGroups: placementGroupsOf(status),
    monitors: monitors
      .map(({ name, host, quorum }) => ({ host: nodeName(host ?? name), inQuorum: quorum === true }))
      .sort((left, right) => left.host.localeCompare(right.host)),
    ...(active === undefined ? {} : { activeMgrHost: nodeName(active.host ?? active.name) }),
    services: servicesOf(status, daemons),
    flags: flags
      .filter((flag) => flag.value)
      .map((flag) => flag.name)
      .sort(),
    hostFlags: hostFlagsOf(status),
    fullness: fullnessOf(status),
    slowOpsCount: slowOpsOf(status),
  }
}

/** The tree's ids are strings, its hosts stand under roots, racks and rooms of any depth. */
function osdsOf(tree: z.output<typeof wire.osdTree>): readonly Osd[] {
  const osds: Osd[] = []
  const walk = (items: readonly wire.TreeItem[], host: string) => {
    for (const item of items) {
      if (item.type === 'osd') {
        osds.push({ id: item.id, host: nodeName(host), up: item.status === 'up', in: item.in === true })
      } else walk(item.children ?? [], item.type === 'host' ? item.name : host)
    }
  }
  walk(tree.root.children ?? [], '')
  return osds.sort((left, right) => left.id - right.id)
}

function placementGroupsOf(status: wire.CephStatus): PlacementGroups {
  const sum = (matches: (state: ReadonlySet<string>) => boolean) =>
    (status.pgmap.pgs_by_state ?? [])
      .filter(({ state_name }) => matches(new Set(state_name.split('+'))))
      .reduce((total, { count }) => total + count, 0)
  return {
    total: status.pgmap.num_pgs,
    clean: sum((state) => state.has('active') && state.has('clean') && !state.has('inconsistent')),
    // An undersized PG has fewer copies than it should, objects in it or not.
    degraded: sum((state) => state.has('degraded') || state.has('undersized')),
    misplaced: sum((state) => state.has('remapped')),
    recovering: sum((state) => [...state].some((word) => /^(recover|backfill|peering)/.test(word))),
    inconsistent: sum((state) => state.has('inconsistent')),
  }
}

const checksOf = (status: wire.CephStatus) => Object.entries(status.health.checks ?? {})

function fullnessOf(status: wire.CephStatus): CephObservation['fullness'] {
  const names = checksOf(status).map(([name]) => name)
  if (names.some((name) => /^(OSD|POOL)_FULL$/.test(name))) return 'full'
  if (names.some((name) => /^(OSD|POOL)_BACKFILLFULL$/.test(name))) return 'backfillfull'
  return names.some((name) => /^(OSD|POOL)_NEARFULL$/.test(name)) ? 'nearfull' : 'ok'
}

/** "12 slow ops, oldest one blocked for 40 sec, …" */
function slowOpsOf(status: wire.CephStatus): number {
  const check = checksOf(status).find(([name]) => name === 'SLOW_OPS')?.[1]
  if (check === undefined) return 0
  const told = /^(\d+) slow ops/.exec(check.summary?.message ?? '')
  return told === null ? (check.summary?.count ?? 1) : Number(told[1])
}

/** Flags of one host show in health alone: OSD_FLAGS, "host pve3 has flags noout". */
function hostFlagsOf(status: wire.CephStatus): Record<string, readonly string[]> {
  const details = checksOf(status).find(([name]) => name === 'OSD_FLAGS')?.[1].detail ?? []
  return Object.fromEntries(
    details.flatMap(({ message }) => {
      const match = /^host (\S+) has flags (\S+)/.exec(message ?? '')
      return match === null ? [] : [[match[1] ?? '', (match[2] ?? '').split(',')] as const]
    }),
  )
}

function servicesOf(status: wire.CephStatus, daemons: z.output<typeof wire.daemons>): CephObservation['services'] {
  const mds = Object.values(daemons.mds ?? {}).flatMap(({ hostname }) =>
    hostname === undefined ? [] : [{ kind: 'mds', host: nodeName(hostname) }],
  )
  const gateways = Object.entries(status.servicemap?.services ?? {}).flatMap(([kind, service]) => {
    const known = /^(rgw|nfs|iscsi)/.exec(kind)?.[1]
    const hosts = [...JSON.stringify(service).matchAll(/"hostname":"([^"]+)"/g)].map((match) => match[1] ?? '')
    return known === undefined ? [] : hosts.map((host) => ({ kind: known, host: nodeName(host) }))
  })
  return [...mds, ...gateways]
}

/** From the CRUSH map's text: `rule replicated_rule { … step chooseleaf firstn 0 type host … }`. */
export function failureDomainsOf(crush: string): ReadonlyMap<string, string> {
  const domains = new Map<string, string>()
  for (const [, name = '', body = ''] of crush.matchAll(/^rule (\S+) \{([^}]*)\}/gm)) {
    const domain = /step choose(?:leaf)? \S+ \S+ type (\S+)/.exec(body)?.[1]
    if (domain !== undefined) domains.set(name, domain)
  }
  return domains
}
