/** Ceph's maps of the simulated world, as `--format json` prints them; what our driver never reads is left out. */
import type { PgCounts, World, WorldCeph } from '#lab/world/state'

const HOUSEKEEPING = ['pglog_hardlimit', 'purged_snapdirs', 'recovery_deletes', 'sortbitwise']

const quorumNames = (ceph: WorldCeph) => ceph.monitors.filter(({ inQuorum }) => inQuorum).map(({ host }) => host)
const hostsOf = (ceph: WorldCeph) => [...new Set(ceph.osds.map(({ host }) => host))]

export function status(world: World, ceph: WorldCeph) {
  const checks = healthChecks(ceph)
  const gateways = ceph.services.filter(({ kind }) => kind !== 'mds')
  const services = Object.fromEntries(
    gateways.map(({ kind }) => [kind, { daemons: { summary: '', ...daemonsOf(gateways, kind) } }]),
  )
  return {
    fsid: ceph.fsid,
    health: { status: healthWord(checks), checks, mutes: [] },
    election_epoch: 6,
    quorum: ceph.monitors.flatMap(({ inQuorum }, rank) => (inQuorum ? [rank] : [])),
    quorum_names: quorumNames(ceph),
    monmap: { epoch: 1, min_mon_release_name: 'squid', num_mons: ceph.monitors.length },
    osdmap: {
      epoch: world.changeCount,
      num_osds: ceph.osds.length,
      num_up_osds: ceph.osds.filter(({ up }) => up).length,
      num_in_osds: ceph.osds.filter((osd) => osd.in).length,
    },
    pgmap: {
      // The mgr's figures: some seconds behind the truth.
      pgs_by_state: pgsByState(ceph.reported),
      num_pgs: ceph.reported.total,
      num_pools: ceph.pools.length,
    },
    mgrmap: { available: ceph.activeMgrHost !== undefined, num_standbys: standbys(ceph), modules: [], services: {} },
    servicemap: { epoch: 2, services },
  }
}

const daemonsOf = (gateways: WorldCeph['services'], kind: string) =>
  Object.fromEntries(
    gateways
      .filter((one) => one.kind === kind)
      .map(({ host }, gid) => [String(4100 + gid), { metadata: { hostname: host } }]),
  )

type Check = {
  readonly severity: string
  readonly summary: { readonly message: string; readonly count: number }
  readonly muted: false
}

const warn = (message: string, count: number, severity = 'HEALTH_WARN'): Check => ({
  severity,
  summary: { message, count },
  muted: false,
})

function healthChecks(ceph: WorldCeph): Readonly<Record<string, Check>> {
  const downCount = ceph.osds.filter((osd) => !osd.up && osd.in).length
  const awayHosts = hostsOf(ceph).filter((host) => ceph.osds.every((osd) => osd.host !== host || !osd.up))
  const monsAway = ceph.monitors.length - quorumNames(ceph).length
  const { degraded, inconsistent } = ceph.reported
  const flagged = Object.keys(ceph.hostFlags).length
  const full = { ok: '', nearfull: 'NEARFULL', backfillfull: 'BACKFILLFULL', full: 'FULL' }[ceph.fullness]
  return {
    ...(monsAway > 0 ? { MON_DOWN: warn(`${monsAway}/${ceph.monitors.length} mons down`, monsAway) } : {}),
    ...(ceph.flags.length > 0 ? { OSDMAP_FLAGS: warn(`${ceph.flags.join(',')} flag(s) set`, ceph.flags.length) } : {}),
    ...(downCount > 0 ? { OSD_DOWN: warn(`${downCount} osds down`, downCount) } : {}),
    ...(flagged > 0
      ? {
          OSD_FLAGS: warn(
            `${flagged} OSDs or CRUSH {nodes, device-classes} have {NOUP,NODOWN,NOIN,NOOUT} flags set`,
            flagged,
          ),
        }
      : {}),
    ...(awayHosts.length > 0 ? { OSD_HOST_DOWN: warn(`${awayHosts.length} host down`, awayHosts.length) } : {}),
    ...(full === ''
      ? {}
      : { [`OSD_${full}`]: warn(`1 ${ceph.fullness} osd(s)`, 1, full === 'FULL' ? 'HEALTH_ERR' : 'HEALTH_WARN') }),
    ...(degraded > 0 ? { PG_DEGRADED: warn(`Degraded data redundancy: ${degraded} pgs degraded`, degraded) } : {}),
    ...(inconsistent > 0
      ? { PG_DAMAGED: warn(`Possible data damage: ${inconsistent} pg inconsistent`, inconsistent, 'HEALTH_ERR') }
      : {}),
    ...(ceph.slowOpsCount > 0
      ? {
          SLOW_OPS: warn(
            `${ceph.slowOpsCount} slow ops, oldest one blocked for 35 sec, osd.0 has slow ops`,
            ceph.slowOpsCount,
          ),
        }
      : {}),
  }
}

function healthWord(checks: Readonly<Record<string, Check>>): string {
  const all = Object.values(checks)
  if (all.some(({ severity }) => severity === 'HEALTH_ERR')) return 'HEALTH_ERR'
  return all.length > 0 ? 'HEALTH_WARN' : 'HEALTH_OK'
}

/** The world counts by property; Ceph by state. The worst PGs bear every property that is left to give out. */
function pgsByState(counts: PgCounts) {
  const states = new Map<string, number>()
  const { total, clean, degraded, misplaced, recovering, inconsistent } = counts
  if (clean > 0) states.set('active+clean', clean)
  for (let pg = 0; pg < total - clean; pg++) {
    const words = ['active']
    if (pg < recovering) words.push('recovering')
    if (pg < degraded) words.push('undersized', 'degraded')
    if (pg < misplaced) words.push('remapped')
    if (words.length === 1) words.push(pg < inconsistent ? 'clean' : 'activating')
    if (pg < inconsistent) words.push('inconsistent')
    const name = words.join('+')
    states.set(name, (states.get(name) ?? 0) + 1)
  }
  return [...states].map(([state_name, count]) => ({ state_name, count }))
}

export function osdDump(ceph: WorldCeph) {
  const flags_set = [
    ...ceph.flags.flatMap((flag) => (flag === 'pause' ? ['pauserd', 'pausewr'] : [flag])),
    ...HOUSEKEEPING,
  ]
  return {
    epoch: 23,
    fsid: ceph.fsid,
    flags: flags_set.join(','),
    flags_set,
    pools: ceph.pools.map(({ name, size, minSize }, index) => ({
      pool: index + 1,
      pool_name: name,
      type: 1,
      size,
      min_size: minSize,
      crush_rule: index,
    })),
    osds: ceph.osds.map(({ id, up, in: isIn }) => ({
      osd: id,
      up: up ? 1 : 0,
      in: isIn ? 1 : 0,
      weight: isIn ? 1 : 0,
      state: up ? ['exists', 'up'] : ['exists'],
    })),
    crush_node_flags: ceph.hostFlags,
    device_class_flags: {},
  }
}

/** Buckets have negative ids, the root -1. */
export function osdTree(ceph: WorldCeph) {
  const hosts = hostsOf(ceph)
  const osdsOn = (host: string) => ceph.osds.filter((osd) => osd.host === host)
  return {
    nodes: [
      { id: -1, name: 'default', type: 'root', type_id: 11, children: hosts.map((_, index) => -2 - index) },
      ...hosts.flatMap((host, index) => [
        { id: -2 - index, name: host, type: 'host', type_id: 1, children: osdsOn(host).map(({ id }) => id) },
        ...osdsOn(host).map(({ id, up, in: isIn }) => ({
          id,
          name: `osd.${id}`,
          type: 'osd',
          type_id: 0,
          crush_weight: 1,
          exists: 1,
          status: up ? 'up' : 'down',
          reweight: isIn ? 1 : 0,
        })),
      ]),
    ],
    stray: [],
  }
}

/** One rule a pool, since pools may differ in their failure domain. */
export const crushRules = (ceph: WorldCeph) =>
  ceph.pools.map(({ name, failureDomain }, index) => ({
    rule_id: index,
    rule_name: `${name}_rule`,
    type: 1,
    steps: [
      { op: 'take', item: -1, item_name: 'default' },
      { op: 'chooseleaf_firstn', num: 0, type: failureDomain },
      { op: 'emit' },
    ],
  }))

export const quorumStatus = (ceph: WorldCeph) => ({
  election_epoch: 6,
  quorum_names: quorumNames(ceph),
  monmap: { epoch: 1, fsid: ceph.fsid, mons: ceph.monitors.map(({ host }, rank) => ({ rank, name: host })) },
})

const standbys = (ceph: WorldCeph) => ceph.mgrs.filter(({ host, up }) => up && host !== ceph.activeMgrHost).length

export const mgrStat = (ceph: WorldCeph) => ({
  epoch: 4,
  available: ceph.activeMgrHost !== undefined,
  active_name: ceph.activeMgrHost ?? '',
  num_standby: standbys(ceph),
})

export function nodeLs(ceph: WorldCeph) {
  const byHost = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, [name]]))
  return {
    mon: byHost(ceph.monitors.map(({ host }) => host)),
    osd: Object.fromEntries(
      hostsOf(ceph).map((host) => [host, ceph.osds.filter((osd) => osd.host === host).map(({ id }) => id)]),
    ),
    mds: byHost(ceph.services.filter(({ kind }) => kind === 'mds').map(({ host }) => host)),
    mgr: byHost(ceph.mgrs.filter(({ up }) => up).map(({ host }) => host)),
  }
}

export const versions = (ceph: WorldCeph) => ({
  overall: { [VERSION]: ceph.osds.length + ceph.monitors.length + ceph.mgrs.length },
})
const VERSION = 'ceph version 19.2.3 (2f03f1cd83e5d40cdf1393cb64a662a8e8bb07c6) squid (stable)'
