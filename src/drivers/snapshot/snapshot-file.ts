/** Reads a `coulisse/snapshot@1` file into the domain, with the contract's defaults, and writes it back. */
import type { CephObservation } from '#domain/ceph'
import type { ClusterObservation } from '#domain/cluster'
import type { Guest } from '#domain/guest'
import { clusterName, customerId, type NodeName, nodeName, vmid } from '#domain/ids'
import type { Node } from '#domain/node'
import { DEFAULT_PLAN_POLICY, type PlanPolicy } from '#domain/policy'
import type { Snapshot } from '#domain/snapshot'
import { findContradictions, readableParts } from './contradictions.ts'
import { type Parsed, parseJson } from './faults.ts'
import { type PolicyFile, policySchema, type SnapshotFile, snapshotSchema } from './snapshot-schema.ts'

/** Where a node does not say: the link that most migration networks have. Said among the assumptions. */
const ASSUMED_LINK_BITS_PER_SECOND = 10e9

export type ParsedSnapshot = Parsed<{
  readonly snapshot: Snapshot
  /** What the file does not say and was assumed: shown to whoever reads the plan. */
  readonly assumptions: readonly string[]
}>

/** Every fault at once, one line each, never only the first. The policy file's fields win over the snapshot's own. */
export function parseSnapshot(text: string, policyText?: string): ParsedSnapshot {
  const parsed = parseJson(text, snapshotSchema, 'snapshot')
  const policy = parseJson(policyText ?? '{}', policySchema, 'policy')
  const contradictions = findContradictions(parsed.ok ? parsed.value : readableParts(jsonOf(text))).map(
    (line) => `snapshot ${line}`,
  )
  if (!parsed.ok || !policy.ok || contradictions.length > 0) {
    const faults = [...(parsed.ok ? [] : parsed.faults), ...contradictions, ...(policy.ok ? [] : policy.faults)]
    return { ok: false, faults }
  }
  const assumptions: string[] = []
  const cluster = toCluster(parsed.value, assumptions)
  return {
    ok: true,
    snapshot: {
      cluster,
      ceph: toCeph(parsed.value, cluster.observedAtMs),
      policy: toPolicy(parsed.value.policy ?? {}, policy.value),
    },
    assumptions,
  }
}

/** A policy file over a policy that is known already: its fields win. */
export function parsePolicy(text: string, own: PlanPolicy): Parsed<{ readonly policy: PlanPolicy }> {
  const parsed = parseJson(text, policySchema, 'policy')
  return parsed.ok
    ? { ok: true, policy: { ...own, ...(withoutUndefined(parsed.value) as Partial<PlanPolicy>) } }
    : parsed
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A drain names nodes of the snapshot, each once. */
export function findDrainFaults(cluster: ClusterObservation, drain: readonly string[]): readonly string[] {
  const known = new Set<string>(cluster.nodes.map(({ name }) => name))
  const names = [...known].join(', ')
  if (drain.length === 0) return ['--drain: name at least one node']
  return [...new Set(drain)].flatMap((name) =>
    known.has(name) ? [] : [`--drain: no node ${name} in $.nodes; there are ${names}`],
  )
}

const toPolicy = (own: PolicyFile, over: PolicyFile): PlanPolicy => ({
  ...DEFAULT_PLAN_POLICY,
  ...(withoutUndefined({ ...own, ...withoutUndefined(over) }) as Partial<PlanPolicy>),
})

const withoutUndefined = <T extends object>(value: T): Partial<T> =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Partial<T>

function toCluster(file: SnapshotFile, assumptions: string[]): ClusterObservation {
  const { cluster } = file
  const fillStorages = allStorages(file, assumptions)
  const fillBridges = allBridges(file, assumptions)
  const linkless = file.nodes.filter(({ linkBitsPerSecond }) => linkBitsPerSecond === undefined)
  if (linkless.length > 0)
    assumptions.push(`The link of ${list(linkless.map(({ name }) => name))} is not told: 10 Gbit/s is assumed.`)
  const managed = new Set(
    file.guests.filter(({ ha, status }) => ha?.managed && status === 'running').map(({ node }) => node),
  )
  return {
    observedAtMs: Date.parse(file.observedAt),
    name: clusterName(cluster.name),
    ...(cluster.pveVersion === undefined ? {} : { pveVersion: cluster.pveVersion }),
    quorate: true,
    votes: cluster.votes ?? Object.fromEntries(file.nodes.map(({ name }) => [name, 1])),
    qdeviceVotes: cluster.qdeviceVotes ?? 0,
    qdeviceUp: true,
    ...(cluster.cephFsid === undefined ? {} : { cephFsid: cluster.cephFsid }),
    nodes: file.nodes.map((node) =>
      toNode(node, { file, fillStorages, fillBridges, isManaged: managed.has(node.name) }),
    ),
    guests: file.guests.map(toGuest),
    rules: file.rules.map((rule) =>
      rule.kind === 'pin'
        ? { ...rule, guests: rule.guests.map(vmid), nodes: rule.nodes.map(nodeName) }
        : { ...rule, guests: rule.guests.map(vmid) },
    ),
    tasks: [],
    roles: [],
    migrationNetworkIsCorosyncLink: 'unknown',
    corosyncLinksDown: [],
    conntrackStateOffered: false,
    shutdownPolicy: 'conditional',
    blind: [],
  }
}

const list = (names: readonly string[]): string => names.join(', ')

/** Where no node tells its storages, nothing can be held against any: each has all that the disks name. */
function allStorages(file: SnapshotFile, assumptions: string[]): Node['storages'] {
  if (file.nodes.some(({ storages }) => storages !== undefined)) return []
  const ids = [...new Set(file.guests.flatMap(({ disks = [] }) => disks.map(({ storage }) => storage)))]
  if (ids.length > 0) assumptions.push(`No node tells its storages: ${list(ids)} count as shared by all.`)
  return ids.map((id) => ({ id, shared: true, freeBytes: Number.MAX_SAFE_INTEGER }))
}

function allBridges(file: SnapshotFile, assumptions: string[]): readonly string[] {
  if (file.nodes.some(({ bridges }) => bridges !== undefined)) return []
  const names = [...new Set(file.guests.flatMap(({ bridges = [] }) => bridges))]
  if (names.length > 0) assumptions.push(`No node tells its bridges: ${list(names)} count as present on all.`)
  return names
}

function toNode(
  node: SnapshotFile['nodes'][number],
  fill: { file: SnapshotFile; fillStorages: Node['storages']; fillBridges: readonly string[]; isManaged: boolean },
): Node {
  const { name, online, cpuCores, memoryBytes, rack, chassis, cpuModel, storages, bridges } = node
  const { pveVersion } = fill.file.cluster
  return {
    name: nodeName(name),
    online,
    cpuCores,
    memoryBytes,
    ...withoutUndefined({ rack, chassis, cpuModel }),
    memoryUsedBytes: node.memoryUsedBytes ?? 0,
    cpuUsedCores: node.cpuUsedCores ?? 'unknown',
    linkBitsPerSecond: node.linkBitsPerSecond ?? ASSUMED_LINK_BITS_PER_SECOND,
    storages:
      storages?.map(({ id, shared, freeBytes = Number.MAX_SAFE_INTEGER }) => ({ id, shared, freeBytes })) ??
      fill.fillStorages,
    bridges: bridges ?? fill.fillBridges,
    maintenance: node.maintenance ?? false,
    versions: pveVersion === undefined ? {} : { pve: pveVersion },
    lrm: { state: fill.isManaged ? 'active' : 'idle', watchdog: 'unknown' },
  }
}

function toGuest(guest: SnapshotFile['guests'][number]): Guest {
  const { lock, pool, pauseBudgetMs, customer } = guest
  return {
    vmid: vmid(guest.vmid),
    name: guest.name,
    kind: guest.kind,
    node: nodeName(guest.node),
    status: guest.status,
    cpuCores: guest.cpuCores,
    memoryBytes: guest.memoryBytes,
    residentBytes: guest.residentBytes ?? guest.memoryBytes,
    cpuUsedCores: guest.cpuUsedCores ?? 'unknown',
    dirtyBytesPerSecond: guest.dirtyBytesPerSecond ?? 'unknown',
    writableWorkingSetBytes: guest.writableWorkingSetBytes ?? 'unknown',
    cpuType: guest.cpuType ?? 'unknown',
    disks: guest.disks ?? [],
    bridges: guest.bridges ?? [],
    passthrough: guest.passthrough ?? [],
    ...withoutUndefined({ pool, pauseBudgetMs }),
    ...(lock ? { lock } : {}),
    ...(customer === undefined ? {} : { customer: customerId(customer) }),
    tags: guest.tags ?? [],
    ha: { managed: guest.ha?.managed ?? false, ...withoutUndefined({ state: guest.ha?.state }) },
    movable: guest.movable ?? true,
    onboot: guest.onboot ?? false,
    template: guest.template ?? false,
  }
}

/** Proxmox makes 32 placement groups a pool where nobody says; the file tells only of degraded ones. */
const ASSUMED_PGS_A_POOL = 32

function toCeph(file: SnapshotFile, observedAtMs: number): CephObservation | 'none' {
  const { ceph } = file
  if (ceph === undefined) return 'none'
  const total = Math.max(ceph.pools.length * ASSUMED_PGS_A_POOL, ceph.degradedPgs)
  return {
    observedAtMs,
    fsid: file.cluster.cephFsid ?? 'unknown',
    osds: ceph.osds.map((osd) => ({ ...osd, host: nodeName(osd.host) })),
    pools: ceph.pools,
    placementGroups: {
      total,
      clean: total - ceph.degradedPgs,
      degraded: ceph.degradedPgs,
      misplaced: 0,
      recovering: 0,
      inconsistent: 0,
    },
    monitors: ceph.monitors.map((host) => ({ host: nodeName(host), inQuorum: true })),
    services: [],
    flags: ceph.flags,
    hostFlags: ceph.hostFlags,
    fullness: 'ok',
    slowOpsCount: 0,
  }
}

export const drainNames = (names: readonly string[]): readonly NodeName[] => [...new Set(names)].map(nodeName)

/** The file of a snapshot; parsed again it gives the same planning facts. */
export function snapshotToFile({ cluster, ceph, policy }: Snapshot): string {
  const known = (value: unknown) => (value === 'unknown' ? undefined : value)
  return JSON.stringify({
    format: 'coulisse/snapshot@1',
    observedAt: new Date(cluster.observedAtMs).toISOString(),
    cluster: {
      name: cluster.name,
      pveVersion: cluster.pveVersion,
      votes: cluster.votes,
      qdeviceVotes: cluster.qdeviceVotes,
      cephFsid: cluster.cephFsid,
    },
    nodes: cluster.nodes.map(({ versions, lrm, cpuUsedCores, ...node }) => ({
      ...node,
      cpuUsedCores: known(cpuUsedCores),
    })),
    guests: cluster.guests.map((guest) => ({
      ...guest,
      cpuUsedCores: known(guest.cpuUsedCores),
      dirtyBytesPerSecond: known(guest.dirtyBytesPerSecond),
      writableWorkingSetBytes: known(guest.writableWorkingSetBytes),
      cpuType: known(guest.cpuType),
    })),
    rules: cluster.rules,
    ...(ceph === 'none'
      ? {}
      : {
          ceph: {
            osds: ceph.osds,
            pools: ceph.pools,
            monitors: ceph.monitors.map(({ host }) => host),
            flags: ceph.flags,
            hostFlags: ceph.hostFlags,
            degradedPgs: ceph.placementGroups.degraded,
          },
        }),
    policy,
  })
}
