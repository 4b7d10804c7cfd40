/** A complete look at the cluster. Placement is each node's own word; the cluster's list, 10 to 20 s stale, only adds to it. */
import type { ClusterObservation } from '#domain/cluster'
import { DriverError } from '#domain/driver-error'
import type { Guest } from '#domain/guest'
import { clusterName, type NodeName, vmid } from '#domain/ids'
import type { Node } from '#domain/node'
import type { ProxmoxClient } from './client.ts'
import { path } from './client.ts'
import { customerOfPool, NOT_MOVABLE_TAG, type ProxmoxConfig, pauseBudgetOfTags } from './config.ts'
import { configReader, UNREAD } from './config-reader.ts'
import type { ConfigFacts } from './guest-config.ts'
import { type ClusterFacts, cephFsid, lookAtCluster, type Member } from './look-cluster.ts'
import { type ListedAs, lookAtNode, type NodeFacts, versionsOf } from './look-node.ts'
import { notOffered, type Sight, shortMemory, sightOf } from './sight.ts'
import * as wire from './wire.ts'

const PACKAGES_KEPT_MS = 600_000
const ENTRIES_LIMIT = 20_000

export type Placed = { readonly kind: 'vm' | 'ct'; readonly node: NodeName; readonly listed: ListedAs | undefined }

export function observer(client: ProxmoxClient, config: ProxmoxConfig) {
  const configs = configReader()
  const packages = shortMemory<Awaited<ReturnType<typeof readPackages>>>(PACKAGES_KEPT_MS, ENTRIES_LIMIT)
  const capabilities = shortMemory<boolean>(PACKAGES_KEPT_MS, ENTRIES_LIMIT)
  const fsids = shortMemory<string>(PACKAGES_KEPT_MS, 1)

  async function lookAtMember(sight: Sight, member: Member, nowMs: number) {
    const facts = await lookAtNode(sight, member.name)
    const read = () => readPackages(sight, member.name)
    // A reboot may have changed them: the running kernel is part of the key.
    const key = `${member.name} ${facts.status?.['current-kernel']?.release}`
    return { facts, packages: await packages.get(key, nowMs, read) }
  }

  async function offersConntrack(sight: Sight, node: NodeName, nowMs: number): Promise<boolean> {
    const call = { doing: `ask what ${node} can migrate`, path: path`/nodes/${node}/capabilities/qemu/migration` }
    const read = async () =>
      (await sight.seeUnless(notOffered, wire.migrationCapabilities, call, undefined))?.['has-dbus-vmstate']
    return (await capabilities.get(node, nowMs, read)) ?? false
  }

  return async function observe(avoid?: NodeName): Promise<ClusterObservation> {
    const observedAtMs = await config.clock.nowMs()
    const sight = sightOf(client, avoid)
    const cluster = await lookAtCluster(client, sight, avoid)
    const online = cluster.members.filter((member) => member.online)
    const looks = new Map(
      await Promise.all(
        online.map(async (member) => [member.name, await lookAtMember(sight, member, observedAtMs)] as const),
      ),
    )
    const placements = placeGuests(cluster, new Map([...looks].map(([name, look]) => [name, look.facts])))
    sayHidden(sight, cluster, placements)
    const guests = await Promise.all(
      [...placements].map(async ([id, placed]) => {
        const readable = looks.has(placed.node)
        if (!readable) sight.say(`guest ${id}: its node ${placed.node} is offline, its configuration cannot be read`)
        const facts = readable ? await configs.read(sight, { id, ...placed }, observedAtMs) : UNREAD
        return guestOf(config, cluster, { id, placed, facts })
      }),
    )
    const fsid = await fsids.get('ceph', observedAtMs, () => cephFsid(sight))
    const conntrack = await Promise.all(online.map((member) => offersConntrack(sight, member.name, observedAtMs)))
    const linksDown = await corosyncLinksDown(sight, config)
    return {
      observedAtMs,
      name: clusterName(cluster.name),
      ...(cluster.pveVersion === undefined ? {} : { pveVersion: cluster.pveVersion }),
      quorate: cluster.quorate,
      votes: cluster.votes,
      qdeviceVotes: cluster.qdeviceVotes,
      qdeviceUp: cluster.qdeviceUp,
      ...(fsid === undefined ? {} : { cephFsid: fsid }),
      nodes: cluster.members.map((member) => nodeOf(config, cluster, member, looks.get(member.name))),
      guests: guests.sort((left, right) => left.vmid - right.vmid),
      rules: cluster.rules,
      tasks: cluster.tasks,
      roles: config.roles ?? [],
      migrationNetworkIsCorosyncLink: cluster.migrationNetworkIsCorosyncLink,
      corosyncLinksDown: linksDown,
      conntrackStateOffered: conntrack.length > 0 && conntrack.every(Boolean),
      shutdownPolicy: cluster.shutdownPolicy,
      ...(cluster.ha.master === undefined ? {} : { crmMaster: cluster.ha.master }),
      blind: [...sight.blind].sort(),
    }
  }
}

async function corosyncLinksDown(sight: Sight, { corosyncLinksDown: ask }: ProxmoxConfig) {
  try {
    return (await ask?.()) ?? []
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    sight.say(error.message)
    return []
  }
}

function readPackages(sight: Sight, node: NodeName) {
  const call = { doing: `list the packages of ${node}`, path: path`/nodes/${node}/apt/versions` }
  return sight.see(wire.packages, call, undefined)
}

/** Nodes that answered speak for their guests; the cluster's list speaks for guests of nodes that are offline or did not answer. */
function placeGuests(cluster: ClusterFacts, looks: ReadonlyMap<string, NodeFacts>): ReadonlyMap<number, Placed> {
  const placed = new Map<number, Placed>()
  for (const item of cluster.resources) {
    if ((item.type !== 'qemu' && item.type !== 'lxc') || item.vmid === undefined || item.node === undefined) continue
    const kind = item.type === 'qemu' ? 'vm' : 'ct'
    placed.set(item.vmid, { kind, node: item.node as NodeName, listed: undefined })
  }
  for (const [node, look] of looks) {
    for (const listed of look.guests) {
      placed.set(listed.vmid, { kind: listed.kind, node: node as NodeName, listed })
    }
  }
  return placed
}

/** Guests that HA or a running task names and no list shows: the token may not see them. */
function sayHidden(sight: Sight, cluster: ClusterFacts, placements: ReadonlyMap<number, Placed>): void {
  const named = new Set<number>(cluster.ha.managed.keys())
  for (const id of named) {
    if (!placements.has(id)) sight.say(`guest ${id} is under HA, but the token may not see it`)
  }
}

function guestOf(
  config: ProxmoxConfig,
  cluster: ClusterFacts,
  { id, placed, facts }: { readonly id: number; readonly placed: Placed; readonly facts: ConfigFacts },
): Guest {
  const item = cluster.resources.find((resource) => resource.vmid === id)
  const { listed } = placed
  const running = (listed?.status ?? item?.status) === 'running'
  const cpuCores = listed?.cpus ?? item?.maxcpu ?? 0
  const memoryBytes = listed?.maxmem ?? item?.maxmem ?? 0
  const hostBytes = listed?.memhost ?? item?.memhost ?? 0
  const usedFraction = listed?.cpu ?? item?.cpu
  const lock = listed?.lock ?? (listed === undefined ? item?.lock : undefined)
  const told = {
    vmid: vmid(id),
    pool: item?.pool,
    tags: (listed?.tags ?? item?.tags ?? '').split(/[;, ]+/).filter(Boolean),
  }
  const budgetMs = (config.pauseBudgetMsOf ?? pauseBudgetOfTags)(told)
  const customer = (config.customerOf ?? customerOfPool)(told)
  const haState = item?.hastate ?? cluster.ha.managed.get(told.vmid)
  return {
    vmid: told.vmid,
    name: listed?.name ?? item?.name ?? String(id),
    kind: placed.kind,
    node: placed.node,
    status: running ? 'running' : 'stopped',
    cpuCores,
    memoryBytes,
    // memhost (9.x) is what QEMU's process holds on the node, so what has to be copied; 0 when it was not measured.
    residentBytes: running && hostBytes > 0 ? Math.min(hostBytes, memoryBytes) : memoryBytes,
    cpuUsedCores: usedFraction === undefined ? 'unknown' : usedFraction * cpuCores,
    dirtyBytesPerSecond: 'unknown',
    writableWorkingSetBytes: 'unknown',
    ...facts,
    template: facts.template || listed?.template === true || item?.template === true,
    ...(lock === undefined ? {} : { lock }),
    ...(told.pool === undefined ? {} : { pool: told.pool }),
    tags: told.tags,
    ha: { managed: cluster.ha.managed.has(told.vmid), ...(haState === undefined ? {} : { state: haState }) },
    ...(budgetMs === undefined ? {} : { pauseBudgetMs: budgetMs }),
    ...(customer === undefined ? {} : { customer }),
    movable: !told.tags.includes(NOT_MOVABLE_TAG),
  }
}

type NodeLook = { readonly facts: NodeFacts; readonly packages: Awaited<ReturnType<typeof readPackages>> }

function nodeOf(config: ProxmoxConfig, cluster: ClusterFacts, member: Member, look: NodeLook | undefined): Node {
  const name = member.name
  const item = cluster.resources.find((resource) => resource.type === 'node' && resource.node === name)
  const status = look?.facts.status
  const guestBytes = (look?.facts.guests ?? [])
    .filter((guest) => guest.status === 'running')
    .reduce((sum, guest) => sum + (guest.memhost ?? 0), 0)
  const place = config.place?.(name)
  const cpuCores = status?.cpuinfo?.cpus ?? item?.maxcpu ?? 0
  const usedFraction = status?.cpu ?? item?.cpu
  const cpuModel = status?.cpuinfo?.model
  const { linkBitsPerSecond } = config
  return {
    name,
    online: member.online,
    ...(place?.rack === undefined ? {} : { rack: place.rack }),
    ...(place?.chassis === undefined ? {} : { chassis: place.chassis }),
    cpuCores,
    ...(cpuModel === undefined ? {} : { cpuModel }),
    memoryBytes: status?.memory?.total ?? item?.maxmem ?? 0,
    memoryUsedBytes: Math.max(0, (status?.memory?.used ?? item?.mem ?? 0) - guestBytes),
    cpuUsedCores: usedFraction === undefined ? 'unknown' : usedFraction * cpuCores,
    linkBitsPerSecond: typeof linkBitsPerSecond === 'number' ? linkBitsPerSecond : linkBitsPerSecond(name),
    storages: look?.facts.storages ?? [],
    bridges: look?.facts.bridges ?? [],
    maintenance: item?.hastate === 'maintenance' || cluster.ha.inMaintenance(name),
    versions: versionsOf(status, look?.packages),
    lrm: cluster.ha.lrmOf(name),
  }
}
