/** The planner beside a greedy one (smallest first, least loaded node, no rules), over clusters that are easy and hard. */
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import type { ClusterObservation } from '#domain/cluster'
import type { NodeName } from '#domain/ids'
import type { Move, Plan } from '#domain/plan'
import { DEFAULT_PLAN_POLICY, type PlanPolicy } from '#domain/policy'
import { checkPlan } from '#plan/check-plan'
import { planOf } from '#plan/testing'
import { randomCluster, type Shape } from '#plan/testing-random'

const RULE_KINDS = [
  'memory-short',
  'cpu-short',
  'keep-apart',
  'keep-together',
  'pinned',
  'storage-missing',
  'storage-short',
  'bridge-missing',
  'cpu-model',
]
const SEEDS = 20
const POLICY: PlanPolicy = { ...DEFAULT_PLAN_POLICY, allowRestart: 'all', reserveNodes: 0 }

const CASES: Readonly<Record<string, { readonly shape: Shape; readonly drain: readonly string[] }>> = {
  'easy, 5 nodes': { shape: { nodeCount: 5, fill: 0.7, oddity: 0, largestGib: 24 }, drain: ['pve1'] },
  'full, 6 nodes': { shape: { nodeCount: 6, fill: 0.82, oddity: 0, largestGib: 48 }, drain: ['pve1'] },
  'rules and islands, 6 nodes': { shape: { nodeCount: 6, fill: 0.7, oddity: 0.6, largestGib: 24 }, drain: ['pve1'] },
  'two drains, 8 nodes': { shape: { nodeCount: 8, fill: 0.7, oddity: 0.1, largestGib: 24 }, drain: ['pve1', 'pve2'] },
  'about 1,000 guests, 20 nodes': {
    shape: { nodeCount: 20, fill: 0.85, oddity: 0.05, largestGib: 5 },
    drain: ['pve1'],
  },
  'about 7,000 guests, 100 nodes': {
    shape: { nodeCount: 100, fill: 0.85, oddity: 0.05, largestGib: 3.2 },
    drain: ['pve1'],
  },
}

type Figures = {
  readonly guests: number
  readonly drainsFeasible: number
  readonly violations: number
  readonly greedyViolations: number
  readonly fullestFraction: number
  readonly greedyFullestFraction: number
  readonly makespanOverBound: number
  readonly planMsMedian: number
  readonly planMsLongest: number
}

export function benchPlan(): Readonly<Record<string, Figures>> {
  return Object.fromEntries(Object.entries(CASES).map(([name, { shape, drain }]) => [name, figuresOf(shape, drain)]))
}

function figuresOf(shape: Shape, drain: readonly string[]): Figures {
  const runs = Array.from({ length: shape.nodeCount > 10 ? 5 : SEEDS }, (_, seed) => {
    const { cluster } = randomCluster(seed, shape)
    planOf(cluster, drain, POLICY)
    const startedAtMs = performance.now()
    const plan = planOf(cluster, drain, POLICY)
    const planMs = performance.now() - startedAtMs
    return { cluster, plan, planMs, greedy: greedyPlan(cluster, plan) }
  })
  const planMs = runs.map((run) => run.planMs).toSorted((a, b) => a - b)
  const feasible = runs.filter(({ plan }) => plan.feasible)
  const round = (figure: number) => Math.round(figure * 1000) / 1000
  const sum = (figures: readonly number[]) => figures.reduce((total, figure) => total + figure, 0)
  return {
    guests: Math.round(sum(runs.map(({ cluster }) => cluster.guests.length)) / runs.length),
    drainsFeasible: round(feasible.length / runs.length),
    violations: sum(runs.map(({ cluster, plan }) => violationsOf(cluster, plan))),
    greedyViolations: sum(runs.map(({ cluster, greedy }) => violationsOf(cluster, greedy))),
    fullestFraction: round(Math.max(...runs.map(({ cluster, plan }) => fullest(cluster, plan.moves)))),
    greedyFullestFraction: round(Math.max(...runs.map(({ cluster, greedy }) => fullest(cluster, greedy.moves)))),
    makespanOverBound: round(
      sum(feasible.map(({ plan }) => plan.makespanS / plan.lowerBoundS)) / Math.max(1, feasible.length),
    ),
    planMsMedian: round(planMs[planMs.length >> 1] ?? 0),
    planMsLongest: round(planMs.at(-1) ?? 0),
  }
}

const violationsOf = (cluster: ClusterObservation, plan: Plan): number =>
  checkPlan({ cluster, plan: { ...plan, wayHome: [] }, policy: POLICY }).filter(({ kind }) => RULE_KINDS.includes(kind))
    .length

function fullest(cluster: ClusterObservation, moves: readonly Move[]): number {
  const on = new Map(moves.map(({ guest, to }) => [guest, to]))
  const loads = new Map(cluster.nodes.map(({ name, memoryUsedBytes }) => [name, memoryUsedBytes]))
  for (const { vmid, node, status, memoryBytes } of cluster.guests) {
    const place = on.get(vmid) ?? node
    if (status === 'running') loads.set(place, (loads.get(place) ?? 0) + memoryBytes)
  }
  return Math.max(...cluster.nodes.map(({ name, memoryBytes }) => (loads.get(name) ?? 0) / memoryBytes))
}

function greedyPlan(cluster: ClusterObservation, like: Plan): Plan {
  const targets = cluster.nodes.filter(({ name, online }) => online && !like.drain.includes(name))
  const loads = new Map<NodeName, number>()
  for (const { node, memoryBytes, status } of cluster.guests) {
    if (status === 'running') loads.set(node, (loads.get(node) ?? 0) + memoryBytes)
  }
  const leaving = cluster.guests.filter(({ node, status }) => status === 'running' && like.drain.includes(node))
  const moves = leaving
    .toSorted((a, b) => a.memoryBytes - b.memoryBytes)
    .flatMap((guest): readonly Move[] => {
      const fraction = (name: NodeName, memoryBytes: number) => (loads.get(name) ?? 0) / memoryBytes
      const [target] = targets.toSorted((a, b) => fraction(a.name, a.memoryBytes) - fraction(b.name, b.memoryBytes))
      if (target === undefined) return []
      loads.set(target.name, (loads.get(target.name) ?? 0) + guest.memoryBytes)
      const mode = guest.kind === 'ct' ? 'restart' : 'live'
      const base = { step: 1, purpose: 'drain', startsAtS: 0, endsAtS: 0, forecastBlackoutMs: 0 } as const
      return [{ ...base, guest: guest.vmid, from: guest.node, to: target.name, mode }]
    })
  return { ...like, moves, feasible: true }
}

const figures = benchPlan()
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(figures)}\n`)
else console.table(figures)
