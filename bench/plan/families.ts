/** Seeded families of clusters, from easy to impossible: what the planner is measured on. */
import type { ClusterObservation } from '#domain/cluster'
import type { Guest, Rule } from '#domain/guest'
import { type NodeName, nodeName } from '#domain/ids'
import type { Node } from '#domain/node'
import { DEFAULT_PLAN_POLICY, type PlanPolicy } from '#domain/policy'
import { drawAt } from '#domain/random'
import { GIB, keepApart, keepTogether, pin } from '#plan/testing'
import { randomCluster } from '#plan/testing-random'

export type Case = {
  readonly seed: number
  readonly cluster: ClusterObservation
  readonly drain: readonly NodeName[]
  readonly policy: PlanPolicy
}

export type Family = {
  readonly name: string
  /** How many clusters, and how many of them where CI is in a hurry. */
  readonly cases: number
  readonly quickCases: number
  readonly build: (seed: number) => Case
}

type Range = readonly [number, number]

type Recipe = {
  readonly nodes: Range
  /** Of every node's memory limit, before the drain. */
  readonly fill: Range
  readonly largestGib: Range
  readonly oddity?: number
  readonly drains?: number
  readonly policy?: Partial<PlanPolicy>
  readonly node?: (node: Node, dice: Dice) => Node
  readonly guest?: (guest: Guest, dice: Dice) => Guest
  readonly rules?: (cluster: ClusterObservation, dice: Dice) => readonly Rule[]
}

/** One draw a question: the same seed and the same question give the same answer. */
type Dice = (question: string) => number

const between = ([from, to]: Range, part: number): number => from + (to - from) * part

const pick = <T>(items: readonly T[], part: number): T => items[Math.floor(items.length * part)] as T

function cook(recipe: Recipe, seed: number): Case {
  const dice: Dice = (question) => drawAt(seed, question, 0)
  const { cluster: plain } = randomCluster(seed, {
    nodeCount: Math.round(between(recipe.nodes, dice('nodes'))),
    fill: between(recipe.fill, dice('fill')),
    oddity: recipe.oddity ?? 0,
    largestGib: between(recipe.largestGib, dice('largest')),
  })
  const nodes = plain.nodes.map((node) => recipe.node?.(node, (asks) => dice(`${asks} ${node.name}`)) ?? node)
  const guests = plain.guests.map((guest) => recipe.guest?.(guest, (asks) => dice(`${asks} ${guest.vmid}`)) ?? guest)
  const cluster = { ...plain, nodes, guests }
  return {
    seed,
    cluster: { ...cluster, rules: recipe.rules?.(cluster, dice) ?? plain.rules },
    drain: Array.from({ length: recipe.drains ?? 1 }, (_, index) => nodeName(`pve${index + 1}`)),
    policy: { ...DEFAULT_PLAN_POLICY, allowRestart: 'all', ...recipe.policy },
  }
}

const family = (name: string, cases: number, quickCases: number, recipe: Recipe): Family => ({
  name,
  cases,
  quickCases,
  build: (seed) => cook(recipe, seed),
})

const ROOMY: Range = [0.5, 0.75]
const MIDDLE: Range = [8, 20]

export const FAMILIES: readonly Family[] = [
  family('even', 1_500, 20, { nodes: MIDDLE, fill: ROOMY, largestGib: [8, 32] }),
  family('heterogeneous', 1_000, 20, {
    nodes: MIDDLE,
    fill: ROOMY,
    largestGib: [8, 24],
    // Grown, not shrunk: what runs on a node goes on fitting.
    node: (node, dice) => ({
      ...node,
      memoryBytes: node.memoryBytes * pick([1, 1, 2, 4], dice('size')),
      cpuCores: node.cpuCores * pick([1, 2], dice('cores')),
      linkBitsPerSecond: dice('link') < 0.3 ? 25e9 : 10e9,
    }),
  }),
  family('local disks, bridges, stopped, hot', 1_000, 20, {
    nodes: MIDDLE,
    fill: ROOMY,
    largestGib: [8, 24],
    node: (node, dice) => ({ ...node, bridges: dice('bridge') < 0.5 ? ['vmbr0', 'vmbr1'] : ['vmbr0'] }),
    guest: busyGuest,
  }),
  family('95 % full, cascades', 1_000, 30, {
    nodes: [4, 8],
    fill: [0.72, 0.86],
    largestGib: [32, 64],
    policy: { reserveNodes: 0 },
  }),
  family('CPU islands', 1_000, 20, {
    nodes: MIDDLE,
    fill: ROOMY,
    largestGib: [8, 32],
    policy: { allowRestart: [] },
    node: (node, dice) => ({
      ...node,
      cpuModel: pick(['EPYC 7443', 'EPYC 9354', 'Xeon 6338'], dice('model')),
    }),
    guest: (guest, dice) => ({ ...guest, cpuType: dice('type') < 0.5 ? 'host' : 'x86-64-v3' }),
  }),
  family('containers', 500, 20, {
    nodes: MIDDLE,
    fill: ROOMY,
    largestGib: [8, 24],
    guest: (guest, dice) => ({ ...guest, kind: dice('kind') < 0.4 ? 'ct' : 'vm' }),
  }),
  family('dense rules', 1_000, 20, { nodes: [5, 12], fill: ROOMY, largestGib: [8, 32], rules: denseRules }),
  family('two drains', 1_000, 20, { nodes: MIDDLE, fill: ROOMY, largestGib: [8, 24], drains: 2 }),
  family('everything odd', 1_400, 30, { nodes: [3, 12], fill: [0.4, 0.95], largestGib: [8, 64], oddity: 1 }),
  family('infeasible', 500, 20, { nodes: [4, 8], fill: [0.9, 1], largestGib: [16, 48], policy: { reserveNodes: 0 } }),
  family('8 nodes, 40 guests', 50, 5, {
    nodes: [8, 8],
    fill: [0.65, 0.75],
    largestGib: [54, 54],
    policy: { reserveNodes: 0 },
  }),
  family('16 nodes, 60 guests', 50, 5, {
    nodes: [16, 16],
    fill: [0.65, 0.75],
    largestGib: [72, 72],
    policy: { reserveNodes: 0 },
  }),
  family('8 nodes, 30 guests, unlike links', 50, 5, {
    nodes: [8, 8],
    fill: [0.6, 0.7],
    largestGib: [72, 72],
    policy: { reserveNodes: 0 },
    node: (node, dice) => ({ ...node, linkBitsPerSecond: pick([10e9, 10e9, 25e9], dice('link')) }),
    guest: (guest, dice) => ({ ...guest, dirtyBytesPerSecond: 1.5e8 * dice('rate') ** 2, pauseBudgetMs: 1000 }),
  }),
  family('20 nodes, 1,000 guests', 20, 3, { nodes: [20, 20], fill: [0.85, 0.85], largestGib: [5, 5], oddity: 0.05 }),
  family('100 nodes, 10,000 guests', 5, 1, {
    nodes: [100, 100],
    fill: [0.85, 0.85],
    largestGib: [1.6, 1.6],
    oddity: 0.05,
    guest: (guest) => ({ ...guest, cpuCores: 1 }),
  }),
  family('100 nodes, 10,000 guests, two drains', 3, 1, {
    nodes: [100, 100],
    fill: [0.85, 0.85],
    largestGib: [1.6, 1.6],
    oddity: 0.05,
    drains: 2,
    guest: (guest) => ({ ...guest, cpuCores: 1 }),
  }),
]

function busyGuest(guest: Guest, dice: Dice): Guest {
  const isHot = dice('hot') < 0.1
  return {
    ...guest,
    status: dice('stopped') < 0.15 ? 'stopped' : 'running',
    bridges: dice('bridge') < 0.3 ? ['vmbr1'] : ['vmbr0'],
    disks: [{ storage: dice('disk') < 0.15 ? 'local-zfs' : 'ceph-vm', bytes: Math.ceil(40 * dice('bytes')) * GIB }],
    ...(isHot
      ? {
          dirtyBytesPerSecond: 2e8 + 5e8 * dice('rate'),
          writableWorkingSetBytes: Math.ceil((0.1 + dice('set')) * GIB),
          pauseBudgetMs: 300,
        }
      : {}),
  }
}

/** A third of the guests in threes that keep apart, a fifth in twos that keep together where they are at home together, a tenth pinned. */
function denseRules({ nodes, guests }: ClusterObservation, dice: Dice): readonly Rule[] {
  const drawn = guests.toSorted((a, b) => dice(`order ${a.vmid}`) - dice(`order ${b.vmid}`))
  const rules: Rule[] = []
  const apart = drawn.slice(0, Math.floor(guests.length / 3))
  for (let at = 0; at + 3 <= apart.length; at += 3)
    rules.push(keepApart(...apart.slice(at, at + 3).map(({ vmid }) => vmid)))
  const rest = drawn.slice(apart.length, apart.length + Math.floor(guests.length / 5))
  for (const group of Map.groupBy(rest, ({ node }) => node).values()) {
    for (let at = 0; at + 2 <= group.length; at += 2)
      rules.push(keepTogether(...group.slice(at, at + 2).map(({ vmid }) => vmid)))
  }
  const pinned = drawn.slice(-Math.floor(guests.length / 10))
  for (const { vmid, node } of pinned) {
    const others = nodes.filter(({ name }) => dice(`pin ${vmid} ${name}`) < 0.5).map(({ name }) => name)
    rules.push(pin([vmid], [...new Set([node, ...others])]))
  }
  return rules
}
