import { afterAll, describe, expect, test } from 'vitest'
import type { ClusterObservation } from '#domain/cluster'
import { nodeName } from '#domain/ids'
import { DEFAULT_PLAN_POLICY, type PlanPolicy } from '#domain/policy'
import { drawAt } from '#domain/random'
import { HighsSolver } from '#drivers/highs/solver'
import type { BoardInput } from './board.ts'
import { type Freedom, placeExactly } from './exact.ts'
import { aCluster, aGuest, aNode, GIB, keepApart, keepTogether, pin, planOf } from './testing.ts'
import { randomCluster } from './testing-random.ts'

const LIMIT_MS = 10_000
const solver = new HighsSolver()
afterAll(() => solver.close())

const POLICY: PlanPolicy = { ...DEFAULT_PLAN_POLICY, allowRestart: 'all', reserveNodes: 0, memoryHeadroomFraction: 0 }

const asked = (cluster: ClusterObservation, freedom: Freedom = 'residents-stay', over: Partial<BoardInput> = {}) =>
  placeExactly(
    solver,
    { cluster, drain: [nodeName('pve1')], policy: POLICY, ...over },
    { freedom, goal: 'lowest-fullest', limitMs: LIMIT_MS },
  )

const small = { memoryBytes: 20 * GIB, memoryUsedBytes: 0 }
const guest = (id: number, node: string, gib: number) => aGuest(id, node, { memoryBytes: gib * GIB })
const three = [aNode('pve1', small), aNode('pve2', small), aNode('pve3', small)]

/** pve1 drained, no rules: the least highest fraction over every assignment; undefined where none fits. */
function leastByHand({ nodes, guests }: ClusterObservation): number | undefined {
  const leaving = guests.filter(({ node }) => node === 'pve1')
  const loads = nodes
    .slice(1)
    .map(({ name }) => guests.reduce((sum, g) => sum + (g.node === name ? g.memoryBytes : 0), 0))
  let least: number | undefined
  const go = (at: number): void => {
    const one = leaving[at]
    if (one === undefined) {
      const highest = Math.max(...loads) / (20 * GIB)
      if (highest <= 1 && (least === undefined || highest < least)) least = highest
      return
    }
    for (const index of loads.keys()) {
      loads[index] = (loads[index] ?? 0) + one.memoryBytes
      go(at + 1)
      loads[index] = (loads[index] ?? 0) - one.memoryBytes
    }
  }
  go(0)
  return least
}

describe('the exact placement', () => {
  test('finds what trying every assignment finds', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const gib = (index: number) => 1 + Math.floor(9 * drawAt(seed, 'gib', index))
      const guests = [
        ...Array.from({ length: 5 }, (_, index) => guest(101 + index, 'pve1', gib(index))),
        guest(201, 'pve2', gib(7)),
        guest(301, 'pve3', gib(8)),
      ]
      const cluster = aCluster(three, guests)
      const verdict = await asked(cluster)
      const least = leastByHand(cluster)
      if (least === undefined) expect({ seed, verdict }).toEqual({ seed, verdict: { is: 'impossible' } })
      else if (verdict.is === 'placed') expect(verdict.fullestFraction, `seed ${seed}`).toBeCloseTo(least, 5)
      else expect({ seed, verdict }).toEqual({ seed, verdict: 'placed' })
    }
  })

  test('a resident that makes room is what the proof without him lacks', async () => {
    const cluster = aCluster(three, [guest(101, 'pve1', 12), guest(201, 'pve2', 10), guest(301, 'pve3', 10)])
    expect(await asked(cluster)).toEqual({ is: 'impossible' })
    expect((await asked(cluster, 'residents-may-move')).is).toBe('placed')
  })

  test.each([
    ['keep-apart', [keepApart(101, 201), keepApart(101, 301)]],
    ['keep-together', [keepTogether(101, 102)]],
    ['pins', [pin([101, 102], ['pve2'])]],
  ])('%s are held', async (_, rules) => {
    const guests = [guest(101, 'pve1', 6), guest(102, 'pve1', 6), guest(201, 'pve2', 10), guest(301, 'pve3', 10)]
    expect((await asked(aCluster(three, guests))).is).toBe('placed')
    expect(await asked(aCluster(three, guests, rules))).toEqual({ is: 'impossible' })
  })

  test('cores and room for local disks are held', async () => {
    const guests = [guest(101, 'pve1', 2), guest(102, 'pve1', 2)]
    const tight = three.map((node) => ({ ...node, cpuCores: 0.4 }))
    expect(await asked(aCluster(tight, guests))).toEqual({ is: 'impossible' })
    const disks = guests.map((one) => ({ ...one, disks: [{ storage: 'local-zfs', bytes: 300 * GIB }] }))
    expect((await asked(aCluster(three, disks))).is).toBe('placed')
    const third = { ...guest(103, 'pve1', 2), disks: [{ storage: 'local-zfs', bytes: 300 * GIB }] }
    expect(await asked(aCluster(three, [...disks, third]))).toEqual({ is: 'impossible' })
    expect(
      (await asked(aCluster(three, [...disks, third]), 'residents-stay', { relaxed: new Set(['storage-short']) })).is,
    ).toBe('placed')
  })

  test('is never below what a feasible plan reaches, and never calls it impossible', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const { cluster, policy } = randomCluster(seed, {
        nodeCount: 5,
        fill: 0.8,
        oddity: seed % 3 === 0 ? 1 : 0.3,
        largestGib: 32,
      })
      const whole = { ...DEFAULT_PLAN_POLICY, ...policy, reserveNodes: 0 }
      const plan = planOf(cluster, ['pve1'], whole)
      if (!plan.feasible) continue
      const freedom = plan.moves.every(({ purpose }) => purpose !== 'make-room')
        ? 'residents-stay'
        : 'residents-may-move'
      const verdict = await asked(cluster, freedom, { policy: whole })
      expect({ seed, is: verdict.is }).toEqual({ seed, is: 'placed' })
      const highest = Math.max(...plan.after.map(({ memoryAllocatedFraction }) => memoryAllocatedFraction))
      if (verdict.is === 'placed') expect(verdict.atLeastFraction).toBeLessThanOrEqual(highest + 1e-4)
    }
  })
})
