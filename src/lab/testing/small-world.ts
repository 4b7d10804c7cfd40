/** Small clusters for tests, by name and rack: three nodes, three customers, whole in every part. */

import type { Guest } from '#domain/guest'
import { clusterName, customerId, nodeName, vmid } from '#domain/ids'
import type { Node } from '#domain/node'
import { DEFAULT_PLAN_POLICY } from '#domain/policy'
import type { Snapshot } from '#domain/snapshot'
import { createWorld } from '#lab/world/create'
import { LabWorld } from '#lab/world/lab-world'

export const START_AT_MS = Date.UTC(2026, 10, 23, 9, 0, 0)
const GIB = 2 ** 30

export const pve1 = nodeName('pve1')
export const pve2 = nodeName('pve2')
export const pve3 = nodeName('pve3')
export const pve4 = nodeName('pve4')

export function node(name: string, changes: Partial<Node> = {}): Node {
  return {
    name: nodeName(name),
    online: true,
    rack: name.endsWith('1') ? 'a' : name.endsWith('2') ? 'b' : 'c',
    cpuCores: 64,
    cpuModel: 'EPYC-7543',
    memoryBytes: 256 * GIB,
    memoryUsedBytes: 8 * GIB,
    cpuUsedCores: 1,
    linkBitsPerSecond: 10e9,
    storages: [
      { id: 'ceph-vm', shared: true, freeBytes: 40e12 },
      { id: 'local-zfs', shared: false, freeBytes: 1e12 },
    ],
    bridges: ['vmbr0'],
    maintenance: false,
    versions: {},
    lrm: { state: 'idle', watchdog: 'standby' },
    ...changes,
  }
}

export function guest(id: number, on: string, changes: Partial<Guest> = {}): Guest {
  return {
    vmid: vmid(id),
    name: `web-${id}`,
    kind: 'vm',
    node: nodeName(on),
    status: 'running',
    cpuCores: 2,
    memoryBytes: 8 * GIB,
    residentBytes: 6 * GIB,
    cpuUsedCores: 0.5,
    dirtyBytesPerSecond: 4e6,
    writableWorkingSetBytes: 'unknown',
    cpuType: 'x86-64-v3',
    disks: [{ storage: 'ceph-vm', bytes: 20 * GIB }],
    bridges: ['vmbr0'],
    passthrough: [],
    tags: [],
    ha: { managed: false },
    customer: customerId('acorn'),
    movable: true,
    onboot: false,
    template: false,
    ...changes,
  }
}

/** pve1 to pve4; 101 (acorn) and 102 (birch, by HA) on pve3, 103 (cedar) on pve1; Ceph of eight OSDs, size 3, min_size 2. */
export function smallSnapshot(changes: { guests?: readonly Guest[]; nodes?: readonly Node[] } = {}): Snapshot {
  const nodes = changes.nodes ?? ['pve1', 'pve2', 'pve3', 'pve4'].map((name) => node(name))
  const guests = changes.guests ?? [
    guest(101, 'pve3'),
    guest(102, 'pve3', { customer: customerId('birch'), ha: { managed: true, state: 'started' } }),
    guest(103, 'pve1', { customer: customerId('cedar') }),
  ]
  return {
    cluster: {
      observedAtMs: START_AT_MS,
      name: clusterName('mad1'),
      pveVersion: '9.2.11',
      quorate: true,
      votes: Object.fromEntries(nodes.map(({ name }) => [name, 1])),
      qdeviceVotes: 0,
      qdeviceUp: false,
      nodes,
      guests,
      rules: [],
      tasks: [],
      roles: [],
      migrationNetworkIsCorosyncLink: false,
      corosyncLinksDown: [],
      conntrackStateOffered: true,
      shutdownPolicy: 'conditional',
      blind: [],
    },
    ceph: {
      observedAtMs: START_AT_MS,
      fsid: 'b0b4f3ac-0000-4000-8000-000000000001',
      osds: nodes.flatMap(({ name }, at) =>
        [0, 1].map((one) => ({ id: at * 2 + one, host: name, up: true, in: true })),
      ),
      pools: [{ name: 'vm', size: 3, minSize: 2, failureDomain: 'host' }],
      placementGroups: { total: 128, clean: 128, degraded: 0, misplaced: 0, recovering: 0, inconsistent: 0 },
      monitors: nodes.slice(0, 3).map(({ name }) => ({ host: name, inQuorum: true })),
      services: [],
      flags: [],
      hostFlags: {},
      fullness: 'ok',
      slowOpsCount: 0,
    },
    policy: DEFAULT_PLAN_POLICY,
  }
}

export function smallLab(changes: { seed?: number; snapshot?: Snapshot } = {}): LabWorld {
  const snapshot = changes.snapshot ?? smallSnapshot()
  return new LabWorld(createWorld({ snapshot, seed: changes.seed ?? 1, startAtMs: START_AT_MS }))
}
