/** Random clusters for properties and benchmarks: from a seed, with everything that makes a drain hard. */
import type { ClusterObservation } from '#domain/cluster'
import type { Guest, Rule } from '#domain/guest'
import type { Node } from '#domain/node'
import type { PlanPolicy } from '#domain/policy'
import { drawAt } from '#domain/random'
import { aCluster, aGuest, aNode, GIB, keepApart, keepTogether, pin } from './testing.ts'

export type Shape = {
  readonly nodeCount: number
  /** Of every node's memory limit. */
  readonly fill: number
  /** Oddities: rules, containers, local disks, CPU islands, locks, nodes that take nothing. 0: none. */
  readonly oddity: number
  readonly largestGib: number
}

export function randomCluster(
  seed: number,
  shape: Shape,
): { cluster: ClusterObservation; policy: Partial<PlanPolicy> } {
  let draws = 0
  const draw = () => drawAt(seed, 'cluster', draws++)
  const odd = (chance: number) => draw() < chance * shape.oddity
  const pick = <T>(items: readonly T[]): T => items[Math.floor(draw() * items.length)] as T
  const nodes = Array.from({ length: shape.nodeCount }, (_, index) => randomNode(index, { draw, odd, pick }))
  const guests = nodes.flatMap((node, at) => fillNode(node, 1000 * (at + 1), shape, { draw, odd, pick }))
  const rules = randomRules(nodes, guests, { draw, odd, pick })
  const policy: Partial<PlanPolicy> = {
    allowRestart: odd(0.5) ? [] : 'all',
    ...(odd(0.3) ? { parallelMigrations: 1 + Math.floor(draw() * 4) } : {}),
    ...(odd(0.5) ? { reserveNodes: 0 } : {}),
  }
  return { cluster: aCluster(nodes, guests, rules), policy }
}

type Dice = {
  readonly draw: () => number
  readonly odd: (chance: number) => boolean
  readonly pick: <T>(items: readonly T[]) => T
}

function randomNode(index: number, { odd, pick }: Dice): Node {
  return aNode(`pve${index + 1}`, {
    memoryBytes: odd(0.5) ? pick([64, 128, 192]) * GIB : 128 * GIB,
    cpuCores: odd(0.3) ? pick([8, 16, 32]) : 32,
    linkBitsPerSecond: odd(0.2) ? pick([1e9, 25e9]) : 10e9,
    cpuModel: odd(0.4) ? 'Xeon' : 'EPYC',
    ...(odd(0.15) ? { chassis: `c${index >> 1}` } : {}),
    maintenance: index > 0 && odd(0.05),
    online: index === 0 || !odd(0.05),
    bridges: odd(0.1) ? [] : ['vmbr0'],
    storages: [
      ...(odd(0.05) ? [] : [{ id: 'ceph-vm', shared: true, freeBytes: 2 ** 45 }]),
      { id: 'local-zfs', shared: false, freeBytes: (odd(0.3) ? 20 : 500) * GIB },
    ],
  })
}

function fillNode(
  node: Node,
  firstId: number,
  { fill, largestGib }: Shape,
  { draw, odd, pick }: Dice,
): readonly Guest[] {
  const guests: Guest[] = []
  const limit = node.memoryBytes * 0.95 * (odd(0.05) ? 1.1 : 1) * fill - node.memoryUsedBytes
  for (let load = 0; guests.length < 400; ) {
    const memoryBytes = Math.max(1, Math.round(largestGib * draw() ** 2)) * GIB
    if (load + memoryBytes > limit) break
    const isStopped = odd(0.1)
    if (!isStopped) load += memoryBytes
    guests.push(
      aGuest(firstId + guests.length, node.name, {
        memoryBytes,
        residentBytes: Math.ceil(memoryBytes * (0.3 + 0.6 * draw())),
        cpuCores: pick([1, 1, 2, 4]),
        dirtyBytesPerSecond: draw() * 2e7,
        status: isStopped ? 'stopped' : 'running',
        onboot: odd(0.5),
        kind: odd(0.1) ? 'ct' : 'vm',
        cpuType: odd(0.2) ? 'host' : 'x86-64-v3',
        movable: !odd(0.01),
        ...(odd(0.01) ? { lock: 'backup' } : {}),
        passthrough: odd(0.01) ? ['hostpci0'] : [],
        disks: [{ storage: odd(0.1) ? 'local-zfs' : 'ceph-vm', bytes: 10 * GIB }],
        pauseBudgetMs: pick([300, 1000, 3000]),
      }),
    )
  }
  return guests
}

function randomRules(nodes: readonly Node[], guests: readonly Guest[], { draw, odd, pick }: Dice): readonly Rule[] {
  const rules: Rule[] = []
  if (guests.length < 6) return rules
  const spoken = new Set<number>()
  const some = (count: number, from: readonly Guest[]): number[] => {
    const ids = new Set(Array.from({ length: count }, () => pick(from).vmid as number))
    const fresh = [...ids].filter((id) => !spoken.has(id))
    for (const id of fresh) spoken.add(id)
    return fresh
  }
  const times = (chance: number) => (odd(1) ? Math.ceil(chance * guests.length * draw()) : 0)
  for (let left = times(0.1); left > 0; left--)
    rules.push(softly(keepApart(...some(2 + Math.floor(draw() * 3), guests)), odd(0.1)))
  for (let left = times(0.08); left > 0; left--) {
    const home = pick(guests).node
    const from = odd(0.2) ? guests : guests.filter(({ node }) => node === home)
    rules.push(softly(keepTogether(...some(2 + Math.floor(draw() * 2), from)), odd(0.1)))
  }
  for (let left = times(0.1); left > 0; left--) {
    const names = [pick(nodes).name, pick(nodes).name, pick(nodes).name]
    rules.push(softly(pin([pick(guests).vmid], [...new Set(names)]), odd(0.1)))
  }
  return rules
}

const softly = (rule: Rule, isSoft: boolean): Rule => (isSoft ? { ...rule, strict: false } : rule)
