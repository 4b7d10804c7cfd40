/** /version, /cluster and /nodes as lists: what the cluster says of itself, as stale and as silent as the real one. */
import { nodeName } from '#domain/ids'
import { startMigration } from '#lab/world/commands'
import { quorate } from '#lab/world/queries'
import type { World, WorldNode } from '#lab/world/state'
import { bit, data, inSeconds, notImplemented, type PveAnswer, refusal, wrongParameters } from './answer.ts'
import { byOf, type PveCall, type Route } from './call.ts'
import { guestInList, KIND_PATH, nodeInList, poolOf, taskInList, visible } from './render.ts'
import { may, permissionsOf } from './rights.ts'

const nodesOf = (world: World): WorldNode[] => Object.values(world.nodes)
const MIGRATION_NETWORK = '10.99.0.0/24'
const RECENT_TASKS = 25

const none = (): PveAnswer => data([])

export const clusterRoutes: readonly Route[] = [
  { method: 'GET', path: '/version', answer: ({ world }) => data(version(world)) },
  { method: 'GET', path: '/nodes/{node}/version', answer: ({ world }) => data(version(world)) },
  { method: 'GET', path: '/nodes', answer: (call) => data(call.shuffled(nodesOf(call.world).map(nodeOf(call)))) },
  { method: 'GET', path: '/access/permissions', takes: ['path'], answer: ({ token }) => data(permissionsOf(token)) },
  { method: 'GET', path: '/cluster/status', right: ['/', 'Sys.Audit'], answer: clusterStatus },
  { method: 'GET', path: '/cluster/resources', takes: ['type'], answer: resources },
  { method: 'GET', path: '/cluster/config/nodes', right: ['/', 'Sys.Audit'], answer: configNodes },
  { method: 'GET', path: '/cluster/config/qdevice', right: ['/', 'Sys.Audit'], answer: qdevice },
  { method: 'GET', path: '/cluster/options', right: ['/', 'Sys.Audit'], answer: options },
  { method: 'GET', path: '/cluster/tasks', answer: clusterTasks },
  { method: 'GET', path: '/pools', answer: pools },
  // Nothing is mapped, replicated or backed up by itself in a lab.
  ...['pci', 'usb', 'dir'].map((kind): Route => ({ method: 'GET', path: `/cluster/mapping/${kind}`, answer: none })),
  { method: 'GET', path: '/cluster/replication', answer: none },
  { method: 'GET', path: '/cluster/backup', right: ['/', 'Sys.Audit'], answer: none },
  { method: 'GET', path: '/cluster/nextid', takes: ['vmid'], answer: nextId },
  {
    method: 'GET',
    path: '/cluster/metrics/export',
    takes: ['history', 'local-only', 'node-list', 'start-time'],
    right: ['/', 'Sys.Audit'],
    answer: metrics,
  },
]

const LOWEST_VMID = 100

/** Asked by anybody, and true of guests that the asker may not see. Recorded: the number comes as a string. */
function nextId({ world, params }: PveCall): PveAnswer {
  const isTaken = (id: number) => world.guests[id] !== undefined && world.guests[id]?.lost !== true
  if (params.vmid !== undefined) {
    const id = Number(params.vmid)
    if (!Number.isInteger(id) || id < LOWEST_VMID) return wrongParameters({ vmid: 'invalid format' })
    return isTaken(id) ? wrongParameters({ vmid: `VM ${id} already exists` }) : data(String(id))
  }
  let id = LOWEST_VMID
  while (isTaken(id)) id++
  return data(String(id))
}

/** Everything that has figures, guests included, whatever the token may see of them. */
function metrics({ world, shuffled }: PveCall): PveAnswer {
  const timestamp = inSeconds(world.nowMs)
  const guests = Object.values(world.guests).filter(({ lost }) => !lost)
  const ids = [
    ...nodesOf(world).map(({ name }) => `node/${name}`),
    ...guests.map(({ spec }) => `${KIND_PATH[spec.kind]}/${spec.vmid}`),
  ]
  return data({ data: shuffled(ids.map((id) => ({ id, metric: 'uptime', type: 'gauge', timestamp, value: 0 }))) })
}

const version = ({ cluster }: World) => ({
  version: cluster.pveVersion,
  release: cluster.pveVersion.split('.').slice(0, 2).join('.'),
  repoid: '14a22df3',
})

/** A token without Sys.Audit sees bare nodes, with 200. */
const nodeOf = (call: PveCall) => (node: WorldNode) => {
  const { hastate: _, 'cgroup-mode': __, ...item } = nodeInList(call, node)
  return may(call.token, `/nodes/${node.name}`, 'Sys.Audit') ? item : bare(node)
}

const bare = (node: WorldNode) => ({
  id: `node/${node.name}`,
  type: 'node',
  node: node.name,
  status: node.listed.online ? 'online' : 'offline',
  level: '',
})

function clusterStatus({ world, entry, shuffled }: PveCall): PveAnswer {
  const nodes = nodesOf(world)
  const members = nodes.map((node, index) => ({
    id: `node/${node.name}`,
    type: 'node',
    name: node.name,
    nodeid: index + 1,
    ip: node.address,
    online: bit(node.online),
    local: bit(node.name === entry),
    level: '',
  }))
  const cluster = {
    id: 'cluster',
    type: 'cluster',
    name: world.cluster.name,
    version: nodes.length,
    nodes: nodes.length,
    quorate: bit(quorate(world)),
  }
  return data([cluster, ...shuffled(members)])
}

function resources(call: PveCall): PveAnswer {
  const { world, params, token } = call
  const wants = (type: string) => params.type === undefined || params.type === type
  const guests = wants('vm')
    ? visible(call)
        .filter(({ unlisted }) => unlisted !== true)
        .map(guestInList)
    : []
  const nodes = wants('node')
    ? nodesOf(world).map((node) =>
        may(token, `/nodes/${node.name}`, 'Sys.Audit') ? nodeInList(call, node) : bare(node),
      )
    : []
  const storages = wants('storage') ? nodesOf(world).flatMap((node) => storagesInList(call, node)) : []
  return data(call.shuffled([...guests, ...nodes, ...storages]))
}

const storagesInList = ({ token }: PveCall, node: WorldNode) =>
  node.storages
    .filter(({ id }) => may(token, `/storage/${id}`, 'Datastore.Audit'))
    .map(({ id, shared, freeBytes }) => ({
      id: `storage/${node.name}/${id}`,
      type: 'storage',
      storage: id,
      node: node.name,
      status: node.listed.online ? 'available' : 'unknown',
      shared: bit(shared),
      plugintype: shared ? 'rbd' : 'dir',
      content: 'images,rootdir',
      disk: 0,
      maxdisk: freeBytes,
    }))

/** Numbers as strings, as recorded. Corosync's ring lies on the nodes' own addresses. */
function configNodes({ world, shuffled }: PveCall): PveAnswer {
  const asHost = world.cluster.migrationNetworkIsCorosyncLink === 'unknown'
  const nodes = nodesOf(world).map((node, index) => ({
    name: node.name,
    node: node.name,
    nodeid: String(index + 1),
    quorum_votes: String(world.cluster.votes[node.name] ?? 1),
    ring0_addr: asHost ? node.name : node.address,
  }))
  return data(shuffled(nodes))
}

function qdevice({ world }: PveCall): PveAnswer {
  const { qdeviceVotes, qdeviceUp } = world.cluster
  if (qdeviceVotes === 0) return data({})
  const Algorithm = qdeviceVotes === 1 ? 'Fifty-Fifty split' : 'LMS'
  return data({ Model: 'Net', Algorithm, State: qdeviceUp ? 'Connected' : 'Connect failed' })
}

function options({ world }: PveCall): PveAnswer {
  const { migrationNetworkIsCorosyncLink, shutdownPolicy } = world.cluster
  return data({
    'allowed-tags': [],
    mac_prefix: 'BC:24:11',
    ...(migrationNetworkIsCorosyncLink === false ? { migration: { type: 'secure', network: MIGRATION_NETWORK } } : {}),
    ...(shutdownPolicy === 'conditional' ? {} : { ha: { shutdown_policy: shutdownPolicy } }),
  })
}

/** The newest of every node, running ones first known by having no end. */
function clusterTasks({ world, token, shuffled }: PveCall): PveAnswer {
  const seen = Object.values(world.tasks).filter(
    (task) => !task.vanished && (task.user === token.id || may(token, `/nodes/${task.node}`, 'Sys.Audit')),
  )
  const byNode = Map.groupBy(seen, (task) => task.node)
  const recent = [...byNode.values()].flatMap((tasks) => tasks.slice(-RECENT_TASKS))
  return data(
    shuffled(
      recent.map((task) => {
        const { pstart: _, ...item } = taskInList(task)
        return { ...item, saved: '1' }
      }),
    ),
  )
}

function pools({ world, token, shuffled }: PveCall): PveAnswer {
  const names = new Set(Object.values(world.guests).flatMap((guest) => poolOf(guest) ?? []))
  return data(
    shuffled([...names].filter((name) => may(token, `/pool/${name}`, 'Pool.Audit')).map((poolid) => ({ poolid }))),
  )
}

/** 9.x keeps rules and refuses groups; before that it was the other way round. */
const hasRules = ({ cluster }: World) => Number.parseInt(cluster.pveVersion, 10) >= 9

const sid = (guest: { readonly spec: { readonly kind: 'vm' | 'ct'; readonly vmid: number } }) =>
  `${guest.spec.kind}:${guest.spec.vmid}`

const managed = (world: World) => Object.values(world.guests).filter(({ spec, lost }) => spec.ha.managed && !lost)

export const haRoutes: readonly Route[] = [
  { method: 'GET', path: '/cluster/ha/resources', right: ['/', 'Sys.Audit'], answer: haResources },
  { method: 'GET', path: '/cluster/ha/rules', right: ['/', 'Sys.Audit'], answer: haRules },
  { method: 'GET', path: '/cluster/ha/groups', right: ['/', 'Sys.Audit'], answer: haGroups },
  { method: 'GET', path: '/cluster/ha/status/current', right: ['/', 'Sys.Audit'], answer: haCurrent },
  { method: 'GET', path: '/cluster/ha/status/manager_status', right: ['/', 'Sys.Audit'], answer: managerStatus },
  {
    method: 'POST',
    path: '/cluster/ha/resources/{sid}/migrate',
    takes: ['node'],
    needs: ['node'],
    right: ['/', 'Sys.Console'],
    answer: haMigrate,
  },
]

/** Recorded: an unknown node is accepted with 200, and nothing comes of it. */
function haMigrate(call: PveCall): PveAnswer {
  const { world, at, params } = call
  const guest = managed(world).find((one) => sid(one) === at.sid)
  if (guest === undefined) return refusal(500, `cannot migrate service '${at.sid}', not HA managed`)
  const to = nodeName(params.node ?? '')
  const request = { guest: guest.spec.vmid, from: guest.node, to, mode: 'live', withLocalDisks: false } as const
  if (world.nodes[to] !== undefined) startMigration(world, { ...request, by: byOf(call), user: call.token.id })
  return data({ sid: at.sid, 'requested-node': to })
}

function haResources({ world, shuffled }: PveCall): PveAnswer {
  return data(
    shuffled(
      managed(world).map((guest) => ({
        sid: sid(guest),
        type: guest.spec.kind,
        state: 'started',
        digest: '0bccf6137003848ba868ae4418cbb2eccfe3442a',
      })),
    ),
  )
}

function haRules({ world, shuffled }: PveCall): PveAnswer {
  if (!hasRules(world)) return notImplemented('GET', '/cluster/ha/rules')
  const rules = world.rules.map((rule, index) => {
    const guests = rule.guests.map((id) => `${world.guests[id]?.spec.kind ?? 'vm'}:${id}`).join(',')
    const common = { rule: `rule-${index + 1}`, resources: guests, order: index + 1 }
    if (rule.kind !== 'pin') {
      return { ...common, type: 'resource-affinity', affinity: rule.kind === 'keep-apart' ? 'negative' : 'positive' }
    }
    return { ...common, type: 'node-affinity', nodes: rule.nodes.join(','), ...(rule.strict ? { strict: 1 } : {}) }
  })
  return data(shuffled(rules))
}

function haGroups({ world }: PveCall): PveAnswer {
  return hasRules(world) ? refusal(500, 'cannot index groups: ha groups have been migrated to rules') : data([])
}

const DEAD = 'old timestamp - dead?'
const LRM_WORDS = { idle: 'idle', active: 'active', maintenance: 'maintenance mode', lost: DEAD, absent: '' } as const

const lrmsOf = (world: World) => nodesOf(world).filter(({ lrm }) => lrm.state !== 'absent')

function haCurrent({ world, entry, shuffled }: PveCall): PveAnswer {
  const isQuorate = quorate(world)
  const at = inSeconds(world.nowMs)
  const stamp = new Date(world.nowMs).toUTCString()
  const quorum = {
    id: 'quorum',
    type: 'quorum',
    node: entry,
    quorate: bit(isQuorate),
    status: isQuorate ? 'OK' : `No quorum on node '${entry}'!`,
  }
  const { crmMaster } = world.cluster
  const master =
    crmMaster === undefined
      ? []
      : [{ id: 'master', type: 'master', node: crmMaster, timestamp: at, status: `${crmMaster} (active, ${stamp})` }]
  const lrms = lrmsOf(world).map(({ name, lrm, online }) => ({
    id: `lrm:${name}`,
    type: 'lrm',
    node: name,
    timestamp: at,
    status: `${name} (${online ? LRM_WORDS[lrm.state] : DEAD}, watchdog ${lrm.watchdog}, ${stamp})`,
  }))
  const services = managed(world).map((guest) => ({
    id: `service:${sid(guest)}`,
    type: 'service',
    sid: sid(guest),
    node: guest.node,
    state: guest.haState ?? 'started',
    crm_state: guest.haState ?? 'started',
    request_state: 'started',
    failback: bit(guest.failback),
    max_restart: 1,
    max_relocate: 1,
    status: `${sid(guest)} (${guest.node}, ${guest.haState ?? 'started'})`,
  }))
  return data([quorum, ...master, ...shuffled([...lrms, ...services])])
}

const LRM_STATES = {
  idle: 'wait_for_agent_lock',
  active: 'active',
  maintenance: 'maintenance',
  lost: 'lost_agent_lock',
}

function managerStatus({ world, entry }: PveCall): PveAnswer {
  const quorum = { quorate: quorate(world) ? '1' : '0', node: entry }
  if (!world.cluster.haInUse) return data({ manager_status: {}, lrm_status: {}, quorum })
  const status = (node: WorldNode) =>
    node.haMaintenance === 'on'
      ? 'maintenance'
      : node.online
        ? 'online'
        : node.lrm.state === 'lost'
          ? 'fence'
          : 'unknown'
  const asked = nodesOf(world).filter((node) => node.haMaintenance !== 'off')
  return data({
    quorum,
    manager_status: {
      timestamp: inSeconds(world.nowMs),
      ...(world.cluster.crmMaster === undefined ? {} : { master_node: world.cluster.crmMaster }),
      node_status: Object.fromEntries(nodesOf(world).map((node) => [node.name, status(node)])),
      ...(asked.length === 0
        ? {}
        : { node_request: Object.fromEntries(asked.map(({ name }) => [name, { maintenance: 1 }])) }),
      service_status: Object.fromEntries(
        managed(world).map((guest) => [sid(guest), { node: guest.node, state: guest.haState ?? 'started' }]),
      ),
    },
    lrm_status: Object.fromEntries(
      lrmsOf(world).map(({ name, lrm }) => [
        name,
        {
          mode: lrm.state === 'maintenance' ? 'maintenance' : 'active',
          state: lrm.state === 'absent' ? 'wait_for_agent_lock' : LRM_STATES[lrm.state],
          timestamp: inSeconds(world.nowMs),
          results: {},
        },
      ]),
    ),
  })
}
