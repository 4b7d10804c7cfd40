/** Ceph through Proxmox's API: cluster-wide flags only, one daemon a safety question, PG figures that lag. */
import type { NodeName } from '#domain/ids'
import { askOkToStop, cephOf } from '#lab/world/ceph'
import { clearFlag, failMgr, monitorsAway, setFlag, stopOsds } from '#lab/world/commands'
import type { WorldCeph, WorldOsd } from '#lab/world/state'
import { beginTask, endTask } from '#lab/world/tasks'
import { bit, data, type PveAnswer, refusal, wrongParameters } from './answer.ts'
import { byOf, type PveCall, type Route } from './call.ts'

const NO_CEPH = "pveceph configuration not initialized - missing '/etc/pve/ceph.conf', missing '/etc/pve/ceph'"
/** Those that the API offers; recorded with their descriptions, which nobody reads. */
const FLAGS = [
  'nobackfill',
  'nodeep-scrub',
  'nodown',
  'noin',
  'noout',
  'norebalance',
  'norecover',
  'noscrub',
  'notieragent',
  'noup',
  'pause',
]

type WithCeph = (call: PveCall, ceph: WorldCeph) => PveAnswer

/** Without Ceph 500 as recorded; without a quorum of monitors the call hangs in Ceph until it gives up. */
function withCeph(answer: WithCeph): Route['answer'] {
  return (call) => {
    const ceph = cephOf(call.world)
    if (ceph === undefined) return refusal(500, NO_CEPH)
    if (monitorsAway(call.world)) return refusal(500, 'got timeout')
    return answer(call, ceph)
  }
}

const audit = ['/', 'Sys.Audit', 'Datastore.Audit'] as const
const modify = ['/', 'Sys.Modify'] as const
const get = (path: string, answer: WithCeph, takes: readonly string[] = []): Route => ({
  method: 'GET',
  path,
  takes,
  right: audit,
  answer: withCeph(answer),
})

export const cephRoutes: readonly Route[] = [
  get('/cluster/ceph/status', status),
  get('/nodes/{node}/ceph/status', status),
  get('/cluster/ceph/metadata', metadata, ['scope']),
  get('/cluster/ceph/flags', (call, ceph) =>
    data(call.shuffled(FLAGS.map((name) => ({ name, value: bit(ceph.flags.includes(name)), description: name })))),
  ),
  get('/cluster/ceph/flags/{flag}', (call, ceph) => data(bit(ceph.flags.includes(call.at.flag ?? '')))),
  {
    method: 'PUT',
    path: '/cluster/ceph/flags/{flag}',
    takes: ['value'],
    needs: ['value'],
    right: modify,
    answer: withCeph(putFlag),
  },
  get('/nodes/{node}/ceph/osd', osdTree),
  get('/nodes/{node}/ceph/pool', pools),
  get('/nodes/{node}/ceph/mon', monitors),
  get('/nodes/{node}/ceph/mgr', managers),
  get('/nodes/{node}/ceph/crush', (_call, ceph) => data(crushMap(ceph))),
  {
    method: 'GET',
    path: '/nodes/{node}/ceph/cmd-safety',
    takes: ['service', 'id', 'action'],
    needs: ['service', 'id', 'action'],
    right: audit,
    answer: withCeph(commandSafety),
  },
  {
    method: 'POST',
    path: '/nodes/{node}/ceph/stop',
    takes: ['service'],
    right: modify,
    answer: withCeph(stopService),
  },
  {
    method: 'POST',
    path: '/nodes/{node}/ceph/restart',
    takes: ['service'],
    right: modify,
    answer: withCeph(restartService),
  },
]

function putFlag(call: PveCall): PveAnswer {
  const name = call.at.flag ?? ''
  if (!FLAGS.includes(name))
    return wrongParameters({ flag: `value '${name}' does not have a value in the enumeration` })
  const on = call.params.value === '1' || call.params.value === 'true'
  const answer = (on ? setFlag : clearFlag)(call.world, { name }, byOf(call))
  return answer.is === 'done' ? data(null) : refusal(500, answer.text)
}

type Check = {
  severity: string
  muted: boolean
  summary: { message: string; count: number }
  detail: { message: string }[]
}

function checksOf(ceph: WorldCeph): Record<string, Check> {
  const checks: Record<string, Check> = {}
  const warn = (name: string, count: number, message: string, detail: readonly string[] = []) => {
    const lines = detail.map((line) => ({ message: line }))
    checks[name] = { severity: 'HEALTH_WARN', muted: false, summary: { message, count }, detail: lines }
  }
  if (ceph.flags.length > 0) warn('OSDMAP_FLAGS', ceph.flags.length, `${ceph.flags.join(',')} flag(s) set`)
  const hosts = Object.entries(ceph.hostFlags).filter(([, flags]) => flags.length > 0)
  if (hosts.length > 0) {
    const detail = hosts.map(([host, flags]) => `host ${host} has flags ${flags.join(',')}`)
    warn('OSD_FLAGS', hosts.length, `${hosts.length} OSDs or CRUSH {nodes, device-classes} have flags set`, detail)
  }
  const down = ceph.osds.filter((osd) => !osd.up && osd.in)
  if (down.length > 0) warn('OSD_DOWN', down.length, `${down.length} osds down`)
  if (ceph.fullness !== 'ok') warn(`OSD_${ceph.fullness.toUpperCase()}`, 1, `1 ${ceph.fullness} osd(s)`)
  const { slowOpsCount, reported } = ceph
  if (slowOpsCount > 0) warn('SLOW_OPS', slowOpsCount, `${slowOpsCount} slow ops, oldest one blocked for 40 sec`)
  if (reported.degraded > 0)
    warn('PG_DEGRADED', reported.degraded, `Degraded data redundancy: ${reported.degraded} pgs`)
  if (reported.inconsistent > 0) warn('PG_DAMAGED', reported.inconsistent, 'Possible data damage')
  return checks
}

/** What the mgr reports lags behind what is: `reported`, never `placementGroups`. */
function pgStates({ reported }: WorldCeph) {
  const recovering = Math.min(reported.recovering, reported.degraded)
  const rest = reported.total - reported.clean - reported.degraded - reported.inconsistent
  const states = [
    ['active+clean', reported.clean],
    ['active+clean+inconsistent', reported.inconsistent],
    ['active+recovering+undersized+degraded', recovering],
    ['active+undersized+degraded', reported.degraded - recovering],
    ['active+remapped+backfilling', Math.max(0, rest)],
  ] as const
  return states.flatMap(([state_name, count]) => (count > 0 ? [{ state_name, count }] : []))
}

function status(call: PveCall, ceph: WorldCeph): PveAnswer {
  const checks = checksOf(ceph)
  const inQuorum = ceph.monitors.filter((monitor) => monitor.inQuorum).map(({ host }) => host)
  const gateways = Map.groupBy(
    ceph.services.filter(({ kind }) => kind !== 'mds'),
    ({ kind }) => kind,
  )
  return data({
    fsid: ceph.fsid,
    health: { status: Object.keys(checks).length === 0 ? 'HEALTH_OK' : 'HEALTH_WARN', checks, mutes: [] },
    election_epoch: 12,
    quorum_names: inQuorum,
    quorum: inQuorum.map((_, rank) => rank),
    monmap: { mons: ceph.monitors.map(({ host }, rank) => ({ name: host, rank })) },
    osdmap: {
      num_osds: ceph.osds.length,
      num_up_osds: ceph.osds.filter((osd) => osd.up).length,
      num_in_osds: ceph.osds.filter((osd) => osd.in).length,
    },
    pgmap: { num_pgs: ceph.reported.total, num_pools: ceph.pools.length, pgs_by_state: call.shuffled(pgStates(ceph)) },
    mgrmap: { available: ceph.activeMgrHost !== undefined, active_name: ceph.activeMgrHost ?? '', standbys: [] },
    servicemap: {
      services: Object.fromEntries(
        [...gateways].map(([kind, list]) => [
          kind,
          { daemons: Object.fromEntries(list.map(({ host }) => [host, { metadata: { hostname: host } }])) },
        ]),
      ),
    },
  })
}

/** What nobody asks a simulated OSD for. */
const OSD_METADATA = {
  back_addr: '',
  front_addr: '',
  ceph_release: 'pacific',
  ceph_version: 'ceph version 16.2.15 pacific (stable)',
  ceph_version_short: '16.2.15',
  mem_swap_kb: 0,
  mem_total_kb: 0,
  osd_objectstore: 'bluestore',
}

function metadata(_call: PveCall, ceph: WorldCeph): PveAnswer {
  const daemons = (hosts: readonly string[]) =>
    Object.fromEntries(hosts.map((host) => [`${host}@${host}`, { name: host, hostname: host }]))
  return data({
    mds: daemons(ceph.services.filter(({ kind }) => kind === 'mds').map(({ host }) => host)),
    mon: daemons(ceph.monitors.map(({ host }) => host)),
    mgr: daemons(ceph.mgrs.map(({ host }) => host)),
    osd: ceph.osds.map(({ id, host }) => ({
      ...OSD_METADATA,
      id,
      hostname: host,
      osd_data: `/var/lib/ceph/osd/ceph-${id}`,
    })),
    node: {},
  })
}

/** Ids are strings, hosts come in any order. */
function osdTree(call: PveCall, ceph: WorldCeph): PveAnswer {
  const leaf = (osd: WorldOsd) => ({
    id: String(osd.id),
    name: `osd.${osd.id}`,
    type: 'osd',
    host: osd.host,
    status: osd.up ? 'up' : 'down',
    in: bit(osd.in),
    leaf: 1,
    reweight: osd.in ? 1 : 0,
  })
  const hosts = [...Map.groupBy(ceph.osds, ({ host }) => host)].map(([host, osds], index) => ({
    id: String(-3 - 2 * index),
    name: host,
    type: 'host',
    leaf: 0,
    children: call.shuffled(osds.map(leaf)),
  }))
  const root = { id: '-1', name: 'default', type: 'root', leaf: 0, children: call.shuffled(hosts) }
  return data({ flags: ['sortbitwise', ...ceph.flags].join(','), root: { leaf: 0, children: [root] } })
}

const ruleOf = (failureDomain: string) => `by_${failureDomain}`

function pools(call: PveCall, ceph: WorldCeph): PveAnswer {
  return data(
    call.shuffled(
      ceph.pools.map(({ name, size, minSize, failureDomain }, index) => ({
        pool: index + 1,
        pool_name: name,
        type: 'replicated',
        size,
        min_size: minSize,
        crush_rule: 0,
        crush_rule_name: ruleOf(failureDomain),
        pg_num: 32,
      })),
    ),
  )
}

function crushMap(ceph: WorldCeph): string {
  const domains = [...new Set(ceph.pools.map(({ failureDomain }) => failureDomain))]
  return domains
    .map((domain, id) =>
      [
        `rule ${ruleOf(domain)} {`,
        `\tid ${id}`,
        '\ttype replicated',
        '\tstep take default',
        `\tstep chooseleaf firstn 0 type ${domain}`,
        '\tstep emit',
        '}',
      ].join('\n'),
    )
    .join('\n')
}

function monitors(call: PveCall, ceph: WorldCeph): PveAnswer {
  return data(
    call.shuffled(
      ceph.monitors.map(({ host, inQuorum }, rank) => ({
        name: host,
        host,
        rank,
        state: inQuorum ? 'running' : 'stopped',
        ...(inQuorum ? { quorum: 1 } : {}),
      })),
    ),
  )
}

function managers(call: PveCall, ceph: WorldCeph): PveAnswer {
  const state = (host: NodeName, up: boolean) => (!up ? 'stopped' : host === ceph.activeMgrHost ? 'active' : 'standby')
  return data(call.shuffled(ceph.mgrs.map(({ host, up }) => ({ name: host, host, state: state(host, up) }))))
}

/** `safe` is a real boolean here, unlike elsewhere; a yes for an OSD has no status text. */
function commandSafety({ params, world }: PveCall, ceph: WorldCeph): PveAnswer {
  const { service, id = '', action } = params
  if (action !== 'stop') return refusal(500, `Service does not support this action: ${service}: ${action}`)
  if (service === 'osd') {
    const { ok, badPgs } = askOkToStop(world, [Number(id)])
    if (ok) return data({ safe: true })
    return data({
      safe: false,
      status: `unsafe to stop osd(s) at this time (${badPgs} PGs are or would become offline)`,
    })
  }
  if (service === 'mds') return data({ safe: true, status: `should be safe to stop [${id}]` })
  const left = ceph.monitors.filter(({ host, inQuorum }) => inQuorum && host !== id).map(({ host }) => host)
  const safe = left.length * 2 > ceph.monitors.length
  const status = safe
    ? `quorum should be preserved (${left.join(',')}) after stopping [${id}]`
    : `not enough monitors would be available (${left.join(',')}) after stopping mons [${id}]`
  return data({ safe, status })
}

/** A task that has ended before its answer is read. */
function asTask(call: PveCall, id: string, act: () => unknown): PveAnswer {
  const node = call.at.node as NodeName
  const task = beginTask(call.world, { node, type: 'srvstop', id, user: call.token.id, by: byOf(call) })
  act()
  endTask(call.world, task, 'OK')
  return data(task.upid)
}

function stopService(call: PveCall, ceph: WorldCeph): PveAnswer {
  const service = call.params.service ?? 'ceph.target'
  const osd = /^osd\.(\d+)$/.exec(service)?.[1]
  const here = ceph.osds.some(({ id, host }) => String(id) === osd && host === call.at.node)
  if (osd === undefined || !here) return refusal(500, `no service ${service} on ${call.at.node}`)
  return asTask(call, service, () => stopOsds(call.world, [Number(osd)], byOf(call)))
}

function restartService(call: PveCall): PveAnswer {
  const service = call.params.service ?? 'ceph.target'
  if (!service.startsWith('mgr')) return refusal(500, `no service ${service} on ${call.at.node}`)
  return asTask(call, service, () => failMgr(call.world, call.at.node as NodeName, byOf(call)))
}
