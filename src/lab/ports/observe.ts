/** One look at the whole cluster: lists that lag 10 to 20 s, and what each node tells of itself while it answers. */
import type { ClusterObservation } from '#domain/cluster'
import type { Guest } from '#domain/guest'
import type { NodeName } from '#domain/ids'
import type { Node } from '#domain/node'
import { allGuests } from '#lab/world/guests'
import { quorate, reachable } from '#lab/world/queries'
import type { World, WorldGuest, WorldNode } from '#lab/world/state'

export function observeCluster(world: World, avoid: NodeName | undefined): ClusterObservation {
  const { cluster } = world
  const nodes = Object.values(world.nodes)
  return {
    observedAtMs: world.nowMs,
    name: cluster.name,
    pveVersion: cluster.pveVersion,
    quorate: quorate(world),
    votes: cluster.votes,
    qdeviceVotes: cluster.qdeviceVotes,
    qdeviceUp: cluster.qdeviceUp,
    ...(world.ceph === 'none' ? {} : { cephFsid: world.ceph.fsid }),
    nodes: nodes.map(asNode),
    guests: allGuests(world)
      .filter((guest) => !guest.lost && guest.unlisted !== true)
      .map(asGuest),
    rules: world.rules,
    tasks: tasksSeen(world),
    roles: [...cluster.roles],
    migrationNetworkIsCorosyncLink: cluster.migrationNetworkIsCorosyncLink,
    corosyncLinksDown: [...cluster.corosyncLinksDown],
    conntrackStateOffered: cluster.conntrackStateOffered,
    shutdownPolicy: cluster.shutdownPolicy,
    ...(cluster.crmMaster === undefined ? {} : { crmMaster: cluster.crmMaster }),
    blind: [
      ...nodes.filter(({ name, online }) => online && name !== avoid).flatMap(({ name }) => blindSpot(world, name)),
      ...nodes.flatMap((node) => clockFault(world, node)),
    ],
  }
}

/** Listed as online, and its API does not answer: its tasks and its guests' true state are unseen. */
function blindSpot(world: World, name: NodeName): string[] {
  const answer = reachable(world, name)
  return answer.is === 'refused' ? [`${name} does not answer: ${answer.status} ${answer.text}`] : []
}

/** Tasks are looked for by their times: one clock that is further from ours than the driver allows for hides them. */
const CLOCK_LIMIT_MS = 60_000

function clockFault({ cluster }: World, { name, online, hardware }: WorldNode): string[] {
  const skewMs = hardware.clockSkewMs === 'unknown' ? 0 : hardware.clockSkewMs
  const differenceMs = skewMs - (cluster.controlClockOffsetMs ?? 0)
  if (!online || Math.abs(differenceMs) <= CLOCK_LIMIT_MS) return []
  const by = `${Math.round(Math.abs(differenceMs) / 1000)} s ${differenceMs > 0 ? 'ahead of' : 'behind'} ours`
  return [`the clock of ${name} is ${by}: tasks there cannot be found by their times`]
}

const asNode = (node: WorldNode): Node => ({
  name: node.name,
  online: node.online,
  rack: node.rack,
  ...(node.chassis === undefined ? {} : { chassis: node.chassis }),
  cpuCores: node.cpuCores,
  ...(node.cpuModel === undefined ? {} : { cpuModel: node.cpuModel }),
  memoryBytes: node.memoryBytes,
  memoryUsedBytes: node.memoryUsedBytes,
  cpuUsedCores: 'unknown',
  linkBitsPerSecond: node.linkBitsPerSecond,
  storages: node.storages,
  bridges: node.bridges,
  maintenance: node.cordoned || node.haMaintenance !== 'off',
  versions: node.versions,
  lrm: node.lrm,
})

/** As the list has it, which may be 20 s old; of a dead node it still says "running". */
function asGuest({ spec, listed, haState }: WorldGuest): Guest {
  const { lock: _asItBegan, ...rest } = spec
  return {
    ...rest,
    node: listed.node,
    status: listed.status,
    ...(listed.lock === undefined ? {} : { lock: listed.lock }),
    ha: haState === undefined ? spec.ha : { managed: spec.ha.managed, state: haState },
  }
}

function tasksSeen(world: World) {
  return Object.values(world.tasks)
    .filter((task) => task.status === 'running' && !task.vanished && reachable(world, task.node).is === 'done')
    .map(({ upid, node, type, guest, startedAtMs }) => ({
      id: upid,
      node,
      type,
      ...(guest === undefined ? {} : { guest }),
      startedAtMs,
    }))
}
