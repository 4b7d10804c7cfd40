/** Ceph before a host goes away: ok-to-stop answers availability, not safety, so there is more to ask. Pure. */
import type { Blocker } from '#domain/blocker'
import { type CephObservation, type CephService, type NooutLease, osdsOf } from '#domain/ceph'
import type { ClusterObservation } from '#domain/cluster'
import type { NodeName } from '#domain/ids'

/** Flags that stop Ceph from healing; noout elsewhere is dealt with by its own blocker. */
const FOREIGN_FLAGS = [
  'norecover',
  'nobackfill',
  'norebalance',
  'noup',
  'noin',
  'pause',
  'pauserd',
  'pausewr',
  'nodown',
]
const GATEWAYS = ['mds', 'rgw', 'nfs', 'iscsi']

/** Everything but ok-to-stop itself, which only Ceph can answer. */
export function cephBlockers(ceph: CephObservation, host: NodeName, monitorsLeftAtLeast: number): readonly Blocker[] {
  return [
    ...poolBlockers(ceph),
    ...roomBlockers(ceph),
    ...placementBlockers(ceph),
    ...elsewhereBlockers(ceph, host),
    ...monitorBlockers(ceph, host, monitorsLeftAtLeast),
    ...serviceBlockers(ceph, host),
  ]
}

/** Ceph's own answer for all OSDs of a host together; 'not-asked' where none is up. */
export type OkToStop = { readonly ok: boolean; readonly text: string } | 'not-asked'

export function okToStopBlockers(host: NodeName, answer: OkToStop): readonly Blocker[] {
  if (answer === 'not-asked' || answer.ok) return []
  const text = `Ceph says that not all OSDs of ${host} may stop together: ${answer.text}`
  return [{ kind: 'osds-not-ok-to-stop', node: host, text, lifts: 'Ceph has healed, or has more copies elsewhere' }]
}

function poolBlockers(ceph: CephObservation): readonly Blocker[] {
  return ceph.pools
    .filter((pool) => pool.size - 1 < 2)
    .map((pool) => ({
      kind: 'pool-below-two-copies',
      text: `pool ${pool.name} is ${pool.size}/${pool.minSize}: with a host away its objects have ${Math.max(0, pool.size - 1)} copy`,
      lifts: `ceph osd pool set ${pool.name} size 3, and wait until it is clean`,
    }))
}

function roomBlockers(ceph: CephObservation): readonly Blocker[] {
  const blockers: Blocker[] = []
  if (ceph.fullness !== 'ok') {
    blockers.push({ kind: 'ceph-nearfull', text: `Ceph is ${ceph.fullness}`, lifts: 'free space, or add OSDs' })
  }
  if (ceph.slowOpsCount > 0) {
    blockers.push({ kind: 'ceph-slow-ops', text: `${ceph.slowOpsCount} slow operations`, lifts: 'they end' })
  }
  const set = ceph.flags.filter((flag) => FOREIGN_FLAGS.includes(flag))
  if (set.length > 0) {
    const text = `somebody set ${set.join(', ')}: Ceph would not heal`
    blockers.push({ kind: 'ceph-flags-by-others', text, lifts: `whoever set it: ceph osd unset ${set.join(' / ')}` })
  }
  return blockers
}

function placementBlockers(ceph: CephObservation): readonly Blocker[] {
  const { total, clean, inconsistent, degraded, recovering } = ceph.placementGroups
  const blockers: Blocker[] = []
  if (inconsistent > 0) {
    const text = `${inconsistent === 1 ? '1 PG is' : `${inconsistent} PGs are`} inconsistent: one of the copies is wrong`
    blockers.push({ kind: 'placement-groups-inconsistent', text, lifts: 'ceph pg repair, and wait until it is done' })
  }
  if (clean < total || degraded > 0 || recovering > 0) {
    const text = `${clean} of ${total} PGs are clean, ${degraded} degraded, ${recovering} recovering`
    blockers.push({ kind: 'placement-groups-not-clean', text, lifts: 'Ceph has healed' })
  }
  return blockers
}

function elsewhereBlockers(ceph: CephObservation, host: NodeName): readonly Blocker[] {
  const down = ceph.osds.filter((osd) => osd.host !== host && !osd.up)
  if (down.length === 0) return []
  const names = down.map((osd) => `osd.${osd.id} on ${osd.host}`).join(', ')
  return [
    {
      kind: 'osd-down-elsewhere',
      text: `${names} down`,
      lifts: 'they are up again, or taken out of Ceph for good (ceph osd purge) and it has healed',
    },
  ]
}

function monitorBlockers(ceph: CephObservation, host: NodeName, atLeast: number): readonly Blocker[] {
  const left = ceph.monitors.filter((monitor) => monitor.inQuorum && monitor.host !== host).length
  const needed = Math.floor(ceph.monitors.length / 2) + 1
  if (ceph.monitors.length === 0 || left >= Math.max(needed, Math.min(atLeast, ceph.monitors.length))) return []
  const text = `without ${host} ${left} of ${ceph.monitors.length} Ceph monitors are left in quorum`
  return [{ kind: 'monitors-too-few', node: host, text, lifts: 'bring a monitor back, or add one on another node' }]
}

function serviceBlockers(ceph: CephObservation, host: NodeName): readonly Blocker[] {
  const here = ceph.services.filter((service) => service.host === host && GATEWAYS.includes(service.kind))
  if (here.length === 0) return []
  const names = here.map((service) => serviceName(service, ceph)).join(', ')
  const text = `${names} on ${host} goes away with it`
  return [
    {
      kind: 'services-on-node',
      node: host,
      text,
      lifts: 'an approver lifts it: a standby takes over, or it may be away',
    },
  ]
}

/** A metadata server with what becomes of its file system; the others say no more than what they are. */
function serviceName({ kind, host, role }: CephService, { services }: CephObservation): string {
  if (role === undefined) return kind
  if (role === 'standby') return `${kind} (standby)`
  const standbys = services.filter((other) => other.kind === kind && other.role === 'standby' && other.host !== host)
  if (standbys.length === 0) return `${kind} (active, and none stands by elsewhere: CephFS would stop)`
  return `${kind} (active; ${standbys.map((other) => other.host).join(', ')} would take over)`
}

/** The host's noout: ours, or somebody's who is not us. A flag that stood before us is not ours. */
export function nooutBlockers(ceph: CephObservation, host: NodeName, ours: boolean): readonly Blocker[] {
  const flags = ceph.hostFlags[host] ?? []
  if (ours || !flags.includes('noout')) return []
  const text = `noout stands on ${host} already, and no lease of ours says why`
  return [{ kind: 'noout-by-others', node: host, text, lifts: `whoever set it: ceph osd unset-group noout ${host}` }]
}

/** noout on another host, with the lease that says whose it is; null: nobody says. */
export type ElsewhereFlag = { readonly host: NodeName; readonly lease: NooutLease | null }

/** noout on another host: another maintenance, in this cluster or in one that shares its Ceph; or somebody's who says nothing. */
export function elsewhereFlagBlockers(
  flags: readonly ElsewhereFlag[],
  cluster: ClusterObservation,
): readonly Blocker[] {
  return flags.map(({ host, lease }) => {
    if (lease === null) {
      const text = `noout stands on ${host}, and nobody says why: its redundancy may be away`
      return { kind: 'noout-by-others', node: host, text, lifts: `whoever set it: ceph osd unset-group noout ${host}` }
    }
    const isOfCluster = cluster.nodes.some(({ name }) => name === host)
    const kind = isOfCluster ? 'maintenance-in-cluster' : 'maintenance-in-ceph'
    const text = `${lease.owner} holds noout on ${host}: ${lease.reason}`
    return { kind, node: host, text, lifts: 'that maintenance ends, and gives its lease back' }
  })
}

/** All OSDs of the host up and in, but for those that held no data before, and every PG clean. */
export function backBlockers(ceph: CephObservation, host: NodeName, outBefore: readonly number[]): readonly Blocker[] {
  const away = osdsOf(ceph, host).filter((osd) => !(osd.up && osd.in) && !outBefore.includes(osd.id))
  const blockers: Blocker[] = []
  if (away.length > 0) {
    const names = away.map((osd) => `osd.${osd.id}`).join(', ')
    blockers.push({ kind: 'osds-not-up', node: host, text: `${names} of ${host} not up and in`, lifts: 'they are' })
  }
  return [...blockers, ...placementBlockers(ceph)]
}
