/** Clusters for tests, by name: what a test does not say is ordinary. */
import type { ClusterObservation } from '#domain/cluster'
import type { Guest, Rule } from '#domain/guest'
import { clusterName, nodeName, planId, vmid } from '#domain/ids'
import type { Node } from '#domain/node'
import type { Plan } from '#domain/plan'
import { DEFAULT_PLAN_POLICY, type PlanPolicy } from '#domain/policy'
import { proposePlan } from './decide.ts'

export const GIB = 2 ** 30

export const aNode = (name: string, over: Partial<Omit<Node, 'name'>> = {}): Node => ({
  name: nodeName(name),
  online: true,
  cpuCores: 32,
  memoryBytes: 128 * GIB,
  memoryUsedBytes: 4 * GIB,
  cpuUsedCores: 'unknown',
  linkBitsPerSecond: 10e9,
  storages: [
    { id: 'ceph-vm', shared: true, freeBytes: 2 ** 45 },
    { id: 'local-zfs', shared: false, freeBytes: 500 * GIB },
  ],
  bridges: ['vmbr0'],
  maintenance: false,
  versions: {},
  lrm: { state: 'idle', watchdog: 'unknown' },
  ...over,
})

export const aGuest = (id: number, node: string, over: Partial<Omit<Guest, 'vmid' | 'node'>> = {}): Guest => ({
  vmid: vmid(id),
  name: `web-${id}`,
  kind: 'vm',
  node: nodeName(node),
  status: 'running',
  cpuCores: 2,
  memoryBytes: 8 * GIB,
  residentBytes: 6 * GIB,
  cpuUsedCores: 'unknown',
  dirtyBytesPerSecond: 4e6,
  writableWorkingSetBytes: 'unknown',
  cpuType: 'x86-64-v3',
  disks: [{ storage: 'ceph-vm', bytes: 20 * GIB }],
  bridges: ['vmbr0'],
  passthrough: [],
  tags: [],
  ha: { managed: false },
  movable: true,
  onboot: false,
  template: false,
  ...over,
})

export const aCluster = (
  nodes: readonly Node[],
  guests: readonly Guest[],
  rules: readonly Rule[] = [],
): ClusterObservation => ({
  observedAtMs: Date.parse('2026-11-22T08:00:00Z'),
  name: clusterName('mad1'),
  quorate: true,
  votes: {},
  qdeviceVotes: 0,
  qdeviceUp: true,
  nodes,
  guests,
  rules,
  tasks: [],
  roles: [],
  migrationNetworkIsCorosyncLink: 'unknown',
  corosyncLinksDown: [],
  conntrackStateOffered: false,
  shutdownPolicy: 'conditional',
  blind: [],
})

export const keepApart = (...guests: number[]): Rule => ({
  kind: 'keep-apart',
  guests: guests.map(vmid),
  strict: true,
})
export const keepTogether = (...guests: number[]): Rule => ({
  kind: 'keep-together',
  guests: guests.map(vmid),
  strict: true,
})
export const pin = (guests: number[], nodes: string[]): Rule => ({
  kind: 'pin',
  guests: guests.map(vmid),
  nodes: nodes.map(nodeName),
  strict: true,
})

export const planOf = (
  cluster: ClusterObservation,
  drain: readonly string[] = ['pve3'],
  policy: Partial<PlanPolicy> = {},
): Plan =>
  proposePlan({
    cluster,
    drain: drain.map(nodeName),
    policy: { ...DEFAULT_PLAN_POLICY, ...policy },
    revision: 1,
    id: planId('plan-1'),
  })

/** Every order of the items: n! of them, for few. */
export function* permutations<T>(items: readonly T[]): Generator<readonly T[]> {
  if (items.length <= 1) {
    yield items
    return
  }
  for (const [index, first] of items.entries()) {
    for (const rest of permutations(items.toSpliced(index, 1))) yield [first, ...rest]
  }
}
