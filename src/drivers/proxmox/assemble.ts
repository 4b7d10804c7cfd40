/** From what was read to the domain's guests and nodes: nodes speak for their guests, the cluster's list adds to it. */
import type { z } from 'zod'
import type { Guest } from '#domain/guest'
import { type NodeName, vmid } from '#domain/ids'
import type { Node, NodeStorage } from '#domain/node'
import { customerOfPool, NOT_MOVABLE_TAG, type ProxmoxConfig, pauseBudgetOfTags } from './config.ts'
import type { ClusterFacts } from './look-cluster.ts'
import { type ListedAs, type NodeFacts, versionsOf } from './look-node.ts'
import type * as wire from './wire.ts'

export type Placed = { readonly kind: 'vm' | 'ct'; readonly node: NodeName; readonly listed: ListedAs | undefined }
export type Packages = z.output<typeof wire.packages>

export const nodeItem = ({ resources }: ClusterFacts, node: string) =>
  resources.find((item) => item.type === 'node' && item.node === node)

/** Nodes that answered speak for their guests; the cluster's list speaks for guests of nodes that are offline or did not answer. */
export function placeGuests(cluster: ClusterFacts, looks: ReadonlyMap<string, NodeFacts>): ReadonlyMap<number, Placed> {
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

/** The node's own word, else the list's. */
export const statusOf = (cluster: ClusterFacts, id: number, { listed }: Placed): Guest['status'] =>
  (listed?.status ?? cluster.resources.find((resource) => resource.vmid === id)?.status) === 'running'
    ? 'running'
    : 'stopped'

type GuestFacts = Pick<Guest, 'cpuType' | 'disks' | 'bridges' | 'passthrough' | 'onboot' | 'template'> & {
  readonly notes: string
}

export function guestOf(
  config: ProxmoxConfig,
  cluster: ClusterFacts,
  { id, placed, facts }: { readonly id: number; readonly placed: Placed; readonly facts: GuestFacts },
): Guest {
  const item = cluster.resources.find((resource) => resource.vmid === id)
  const { listed } = placed
  const status = statusOf(cluster, id, placed)
  const cpuCores = listed?.cpus ?? item?.maxcpu ?? 0
  const memoryBytes = listed?.maxmem ?? item?.maxmem ?? 0
  const hostBytes = listed?.memhost ?? item?.memhost ?? 0
  const usedFraction = listed?.cpu ?? item?.cpu
  const lock = listed?.lock ?? (listed === undefined ? item?.lock : undefined)
  const told = {
    vmid: vmid(id),
    pool: item?.pool,
    tags: (listed?.tags ?? item?.tags ?? '').split(/[;, ]+/).filter(Boolean),
    notes: facts.notes,
  }
  const budgetMs = (config.pauseBudgetMsOf ?? pauseBudgetOfTags)(told)
  const customer = (config.customerOf ?? customerOfPool)(told)
  const haState = item?.hastate ?? cluster.ha.managed.get(told.vmid)
  return {
    vmid: told.vmid,
    name: listed?.name ?? item?.name ?? String(id),
    kind: placed.kind,
    node: placed.node,
    status,
    cpuCores,
    memoryBytes,
    // memhost (9.x) is what QEMU's process holds on the node, so what has to be copied; 0 when it was not measured.
    residentBytes: status === 'running' && hostBytes > 0 ? Math.min(hostBytes, memoryBytes) : memoryBytes,
    cpuUsedCores: usedFraction === undefined ? 'unknown' : usedFraction * cpuCores,
    dirtyBytesPerSecond: 'unknown',
    writableWorkingSetBytes: 'unknown',
    cpuType: facts.cpuType,
    disks: facts.disks,
    bridges: facts.bridges,
    passthrough: facts.passthrough,
    onboot: facts.onboot,
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

export type NodeLook = NodeFacts & {
  readonly packages: Packages | undefined
  readonly bridges: readonly string[]
  readonly conntrack: boolean
}

type NodeTold = {
  readonly name: NodeName
  readonly isOnline: boolean
  readonly look: NodeLook | undefined
  readonly storages: readonly NodeStorage[]
}

export function nodeOf(
  config: ProxmoxConfig,
  cluster: ClusterFacts,
  { name, isOnline, look, storages }: NodeTold,
): Node {
  const item = nodeItem(cluster, name)
  const status = look?.status
  // Containers, and VMs before 9, have no memhost: `mem` is then what they take from their node.
  const guestBytes = (look?.guests ?? [])
    .filter((guest) => guest.status === 'running')
    .reduce((sum, guest) => sum + (guest.memhost ?? guest.mem ?? 0), 0)
  const place = config.place?.(name)
  const cpuCores = status?.cpuinfo?.cpus ?? item?.maxcpu ?? 0
  const usedFraction = status?.cpu ?? item?.cpu
  const cpuModel = status?.cpuinfo?.model
  const { linkBitsPerSecond } = config
  return {
    name,
    online: isOnline,
    ...(place?.rack === undefined ? {} : { rack: place.rack }),
    ...(place?.chassis === undefined ? {} : { chassis: place.chassis }),
    cpuCores,
    ...(cpuModel === undefined ? {} : { cpuModel }),
    memoryBytes: status?.memory?.total ?? item?.maxmem ?? 0,
    memoryUsedBytes: Math.max(0, (status?.memory?.used ?? item?.mem ?? 0) - guestBytes),
    cpuUsedCores: usedFraction === undefined ? 'unknown' : usedFraction * cpuCores,
    linkBitsPerSecond: typeof linkBitsPerSecond === 'number' ? linkBitsPerSecond : linkBitsPerSecond(name),
    storages,
    bridges: look?.bridges ?? [],
    maintenance: item?.hastate === 'maintenance' || cluster.ha.inMaintenance(name),
    versions: versionsOf(status, look?.packages),
    lrm: cluster.ha.lrmOf(name),
  }
}
