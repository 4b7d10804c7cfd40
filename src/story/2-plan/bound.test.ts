import { describe, expect, test } from 'vitest'
import type { Guest, Rule } from '#domain/guest'
import type { Node } from '#domain/node'
import { aCluster, aGuest, aNode, GIB, keepApart, pin, planOf } from './testing.ts'

const GIBIBIT = 8 * GIB
const FIXED_S = 2
/** 4 MB/s are written while it is copied for the first time, and go again. */
const copied = (bitsPerSecond: number) => GIBIBIT + (8 * 4e6 * GIBIBIT) / bitsPerSecond
const small = { memoryBytes: GIB, residentBytes: GIB }
const boundS = (nodes: readonly Node[], guests: readonly Guest[], rules: readonly Rule[] = []): number => {
  const plan = planOf(aCluster(nodes, guests, rules), ['pve1'], { reserveNodes: 0 })
  expect(plan.feasible).toBe(true)
  expect(plan.makespanS).toBeGreaterThanOrEqual(plan.lowerBoundS)
  return plan.lowerBoundS
}
const many = (count: number) => Array.from({ length: count }, (_, index) => aGuest(101 + index, 'pve1', small))

describe('no plan is faster than', () => {
  test('the link of the node that is emptied', () => {
    const nodes = [aNode('pve1', { linkBitsPerSecond: 1e9 }), aNode('pve2'), aNode('pve3')]
    expect(boundS(nodes, many(10))).toBeCloseTo(FIXED_S + (10 * copied(1e9)) / 1e9, 2)
  })

  test('the longest guest, whose own disks go along', () => {
    const nodes = ['pve1', 'pve2', 'pve3'].map((name) => aNode(name, { linkBitsPerSecond: 25e9 }))
    const heavy = aGuest(101, 'pve1', { ...small, disks: [{ storage: 'local-zfs', bytes: 10 * GIB }] })
    expect(boundS(nodes, [heavy])).toBeCloseTo(FIXED_S + (10 * GIBIBIT + copied(8.8e9)) / 8.8e9, 2)
  })

  test('the fastest link that may take the longest guest', () => {
    const nodes = [aNode('pve1'), aNode('pve2', { linkBitsPerSecond: 1e9 }), aNode('pve3', { linkBitsPerSecond: 2e9 })]
    expect(boundS(nodes, many(1))).toBeCloseTo(FIXED_S + copied(2e9) / 2e9, 2)
  })

  test('the links into the nodes that some of them must go to', () => {
    const nodes = [aNode('pve1'), aNode('pve2', { linkBitsPerSecond: 1e9 }), aNode('pve3'), aNode('pve4')]
    const rules = [pin([101, 102, 103], ['pve2'])]
    expect(boundS(nodes, many(6), rules)).toBeCloseTo(FIXED_S + (3 * copied(1e9)) / 1e9, 2)
  })

  test('the links into all nodes that two sets of targets share', () => {
    const nodes = [
      aNode('pve1', { linkBitsPerSecond: 25e9 }),
      aNode('pve2', { linkBitsPerSecond: 1e9 }),
      aNode('pve3', { linkBitsPerSecond: 1e9 }),
      aNode('pve4', { linkBitsPerSecond: 1e9 }),
      aNode('pve5', { linkBitsPerSecond: 25e9 }),
    ]
    const rules = [pin([101, 102, 103], ['pve2', 'pve3']), pin([104, 105, 106], ['pve3', 'pve4'])]
    expect(boundS(nodes, many(6), rules)).toBeCloseTo(FIXED_S + (6 * copied(1e9)) / 3e9, 2)
  })

  test('a slow link for what the fast nodes have no memory for, whoever changes places', () => {
    const over = { memoryBytes: 20 * GIB, memoryUsedBytes: 0 }
    const slow = { ...over, linkBitsPerSecond: 1e9 }
    const nodes = [aNode('pve1', over), aNode('pve2', over), aNode('pve3', slow)]
    // 19 GiB of room in each node, 12 GiB taken in pve2: of the 12 that leave, 5 go to pve3 at least.
    const still = { memoryBytes: 4 * GIB, residentBytes: 4 * GIB, dirtyBytesPerSecond: 0 }
    const guests = [101, 102, 103, 201, 202, 203].map((id) => aGuest(id, id < 200 ? 'pve1' : 'pve2', still))
    expect(boundS(nodes, guests)).toBeCloseTo(FIXED_S + (5 * GIBIBIT) / 1e9, 2)
  })

  test('a link for each of those who keep apart', () => {
    const nodes = [
      aNode('pve1'),
      aNode('pve2'),
      aNode('pve3', { linkBitsPerSecond: 25e9 }),
      aNode('pve4', { linkBitsPerSecond: 1e9 }),
    ]
    const guests = [aGuest(101, 'pve1', small), aGuest(201, 'pve2', small)]
    const plan = planOf(aCluster(nodes, guests, [keepApart(101, 201)]), ['pve1', 'pve2'], { reserveNodes: 0 })
    expect(plan.lowerBoundS).toBeCloseTo(FIXED_S + copied(1e9) / 1e9, 2)
  })

  test('a link for each of those who are too large to share a node', () => {
    const over = { memoryBytes: 20 * GIB, memoryUsedBytes: 0 }
    const nodes = [aNode('pve1', over), aNode('pve2', over), aNode('pve3', { ...over, linkBitsPerSecond: 1e9 })]
    const large = { ...small, memoryBytes: 9.6 * GIB }
    const guests = [aGuest(101, 'pve1', large), aGuest(102, 'pve1', large)]
    expect(boundS(nodes, guests)).toBeCloseTo(FIXED_S + copied(1e9) / 1e9, 2)
  })

  test('the restart of a container, and what others copy after its set-up', () => {
    const nodes = ['pve1', 'pve2', 'pve3'].map((name) => aNode(name))
    const guests = many(2).map((guest) => ({ ...guest, kind: 'ct' as const }))
    const plan = planOf(aCluster(nodes, guests), ['pve1'], { reserveNodes: 0, allowRestart: 'all' })
    expect(plan.lowerBoundS).toBeCloseTo(FIXED_S + 10 + (2 * GIBIBIT) / 10e9, 2)
    expect(plan.makespanS).toBeGreaterThanOrEqual(plan.lowerBoundS)
  })
})
