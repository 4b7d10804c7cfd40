/** Draws a cluster: nodes, guests, rules, Ceph, as a snapshot file says them. Each thing has its own stream of chance. */
import type { SnapshotFile } from '#drivers/snapshot/snapshot-schema'
import type { Streams } from './chance.ts'

type NodeFile = SnapshotFile['nodes'][number]
type GuestFile = SnapshotFile['guests'][number]
type RuleFile = SnapshotFile['rules'][number]
type CephFile = NonNullable<SnapshotFile['ceph']>

const GIB = 2 ** 30
const CUSTOMERS = ['acorn', 'birch', 'cedar', 'dogwood', 'elder', 'fir'] as const
const TRADES = ['web', 'db', 'mail', 'cache', 'queue', 'files', 'build', 'auth'] as const
const RACKS = ['a', 'b', 'c', 'd'] as const
/** More guests make a night longer, and no worse. */
const GUESTS_LIMIT = 36
const FIRST_VMID = 101

export function drawCluster(streams: Streams): SnapshotFile {
  const chance = streams('cluster')
  const nodeCount = chance.pick([3, 3, 4, 4, 4, 5, 5, 6, 7, 8, 10, 12])
  const hasCeph = chance.isLikely(0.8)
  const hasHa = chance.isLikely(0.5)
  const kind: ClusterKind = {
    hasCeph,
    hasHa,
    memoryGib: chance.pick([64, 128, 256, 512]),
    linkBits: chance.pick([10e9, 10e9, 25e9, 1e9]),
    hasChassis: chance.isLikely(0.15),
    hasModels: chance.isLikely(0.15),
    load: 0.3 + 0.4 * chance.next(),
  }
  const names = Array.from({ length: nodeCount }, (_, index) => `pve${index + 1}`)
  const nodes = names.map((name, index) => drawNode(streams, name, index, kind))
  const guests = drawGuests(streams, nodes, kind)
  const isEven = nodeCount % 2 === 0
  return {
    format: 'coulisse/snapshot@1',
    observedAt: '2026-11-23T08:00:00Z',
    cluster: {
      name: 'mad1',
      pveVersion: '9.2.11',
      votes: Object.fromEntries(names.map((name) => [name, 1])),
      qdeviceVotes: isEven && chance.isLikely(0.4) ? 1 : 0,
      ...(hasCeph ? { cephFsid: '5f0c7c2e-6b1c-4c1e-9a54-0d8d0f3a2b11' } : {}),
    },
    nodes,
    guests,
    rules: [...drawRules(streams, guests, names)],
    ...(hasCeph ? { ceph: drawCeph(streams, names) } : {}),
    policy: drawPlanPolicy(streams, guests),
  }
}

type ClusterKind = {
  readonly hasCeph: boolean
  readonly hasHa: boolean
  readonly memoryGib: number
  readonly linkBits: number
  readonly hasChassis: boolean
  readonly hasModels: boolean
  /** Share of a node's memory that its guests are given. */
  readonly load: number
}

function drawNode(streams: Streams, name: string, index: number, kind: ClusterKind): NodeFile {
  const chance = streams(`node/${name}`)
  const isOther = kind.hasModels && chance.isLikely(0.4)
  return {
    name,
    online: true,
    rack: RACKS[index % RACKS.length] as string,
    ...(kind.hasChassis ? { chassis: `chassis-${Math.floor(index / 2) + 1}` } : {}),
    cpuCores: chance.pick([16, 32, 32, 64]),
    cpuModel: isOther ? 'EPYC-9454' : 'EPYC-7543',
    memoryBytes: kind.memoryGib * GIB * (chance.isLikely(0.1) ? 2 : 1),
    memoryUsedBytes: 6 * GIB,
    linkBitsPerSecond: kind.linkBits,
    storages: [
      { id: 'shared', shared: true, freeBytes: 20_000 * GIB },
      { id: 'local-zfs', shared: false, freeBytes: chance.between(20, 800) * GIB },
    ],
    bridges: chance.isLikely(0.99) ? ['vmbr0', 'vmbr1'] : ['vmbr0'],
  }
}

function drawGuests(streams: Streams, nodes: readonly NodeFile[], kind: ClusterKind): GuestFile[] {
  const guests: GuestFile[] = []
  const perNode = Math.max(1, Math.min(6, Math.floor(GUESTS_LIMIT / nodes.length)))
  for (const node of nodes) {
    let freeBytes = node.memoryBytes * kind.load
    const count = streams(`guests/${node.name}`).between(1, perNode)
    for (let index = 0; index < count; index++) {
      const guest = drawGuest(streams, { vmid: FIRST_VMID + guests.length, node: node.name, kind })
      const bytes = guest.memoryBytes
      if (bytes > freeBytes) continue
      freeBytes -= bytes
      guests.push(guest)
    }
  }
  return guests
}

function drawGuest(
  streams: Streams,
  { vmid, node, kind }: { readonly vmid: number; readonly node: string; readonly kind: ClusterKind },
): GuestFile {
  const chance = streams(`guest/${vmid}`)
  const isVm = chance.isLikely(0.85)
  const isRunning = chance.isLikely(0.9)
  const memoryBytes = chance.pick([1, 2, 2, 4, 4, 8, 16, 32]) * GIB
  const customer = chance.isLikely(0.93) ? chance.pick(CUSTOMERS) : undefined
  const name = `${chance.pick(TRADES)}-${vmid}`
  const isManaged = kind.hasHa && chance.isLikely(0.6)
  // HA takes no local disk along: nobody gives it such guests.
  const isLocal = chance.isLikely(0.06) && !isManaged
  return {
    vmid,
    name,
    kind: isVm ? 'vm' : 'ct',
    node,
    status: isRunning ? 'running' : 'stopped',
    cpuCores: chance.pick([1, 2, 2, 4, 8]),
    memoryBytes,
    residentBytes: Math.round(memoryBytes * (0.3 + 0.7 * chance.next())),
    dirtyBytesPerSecond: Math.round(chance.next() ** 3 * 300e6),
    writableWorkingSetBytes: Math.round(memoryBytes * 0.2 * chance.next()),
    cpuType: chance.isLikely(0.08) ? 'host' : 'x86-64-v3',
    disks: [{ storage: isLocal ? 'local-zfs' : 'shared', bytes: chance.between(4, 64) * GIB }],
    bridges: [chance.isLikely(0.9) ? 'vmbr0' : 'vmbr1'],
    ...(chance.isLikely(0.006) ? { passthrough: ['hostpci0'] } : {}),
    ha: isManaged ? { managed: true, state: isRunning ? 'started' : 'stopped' } : { managed: false },
    ...(chance.isLikely(0.6) ? { pauseBudgetMs: chance.pick([100, 250, 500, 1000, 3000]) } : {}),
    ...(customer === undefined ? {} : { customer, pool: customer }),
    ...(chance.isLikely(0.006) ? { movable: false } : {}),
    onboot: chance.isLikely(0.5),
  }
}

/** A guest is in one rule at most, and every rule holds when the night begins. */
function drawRules(streams: Streams, guests: readonly GuestFile[], nodes: readonly string[]): readonly RuleFile[] {
  const chance = streams('rules')
  const free = new Set(guests)
  const rules: RuleFile[] = []
  for (let count = chance.between(0, 4); count > 0; count--) {
    const first = chance.pick([...free, undefined])
    if (first === undefined) continue
    const strict = chance.isLikely(0.85)
    const kind = chance.pick(['keep-apart', 'keep-together', 'pin'] as const)
    if (kind === 'pin') {
      const others = chance.sample(nodes, chance.between(1, 3)).filter((name) => name !== first.node)
      rules.push({ kind, guests: [first.vmid], nodes: [first.node, ...others], strict })
      free.delete(first)
      continue
    }
    // Proxmox's own rules name HA resources, those by tags name the rest: a rule for both sorts is nobody's.
    const fits = ({ node, ha }: GuestFile) =>
      ha?.managed === first.ha?.managed && (kind === 'keep-together' ? node === first.node : node !== first.node)
    const partner = chance.sample(
      [...free].filter((guest) => guest !== first && fits(guest)),
      1,
    )[0]
    if (partner === undefined) continue
    rules.push({ kind, guests: [first.vmid, partner.vmid], strict })
    free.delete(first)
    free.delete(partner)
  }
  return rules
}

function drawCeph(streams: Streams, names: readonly string[]): CephFile {
  const chance = streams('ceph')
  const perNode = chance.between(1, 4)
  const hosts = names.length > 4 && chance.isLikely(0.2) ? names.slice(0, names.length - 1) : names
  const osds = hosts.flatMap((host, at) =>
    Array.from({ length: perNode }, (_, index) => ({ id: at * perNode + index, host, up: true, in: true })),
  )
  const isThin = chance.isLikely(0.02)
  const pools = Array.from({ length: chance.between(1, 3) }, (_, index) => ({
    name: `pool-${index + 1}`,
    size: isThin && index === 0 ? 2 : 3,
    minSize: isThin && index === 0 ? 1 : 2,
    failureDomain: 'host',
  }))
  const monitors = names.slice(0, names.length >= 5 && chance.isLikely(0.5) ? 5 : 3)
  return { osds, pools, monitors: [...monitors], flags: [], hostFlags: {}, degradedPgs: 0 }
}

function drawPlanPolicy(streams: Streams, guests: readonly GuestFile[]): NonNullable<SnapshotFile['policy']> {
  const chance = streams('policy/plan')
  const containers = guests.filter(({ kind }) => kind === 'ct').map(({ vmid }) => vmid)
  const allowRestart = chance.pick(['all', 'all', 'all', 'all', 'all', 'all', 'some', 'none'] as const)
  return {
    allowRestart:
      allowRestart === 'all' ? 'all' : allowRestart === 'some' ? containers.filter((_, at) => at % 2 === 0) : [],
    returnHome: chance.isLikely(0.85),
    parallelMigrations: chance.pick(['auto', 'auto', 1, 2, 3] as const),
    ...(chance.isLikely(0.2) ? { reserveNodes: chance.pick([0, 1]) } : {}),
    lifted: chance.isLikely(0.5) ? ['reserve-unmet'] : [],
  }
}
