import { describe, expect, test } from 'vitest'
import type { Guest, Rule } from '#domain/guest'
import type { Node } from '#domain/node'
import { aCluster, aGuest, aNode, GIB, pin, planOf } from './testing.ts'

const GIBIBIT = 8 * GIB
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
    expect(boundS(nodes, many(10))).toBeCloseTo((10 * GIBIBIT) / 1e9, 2)
  })

  test('the longest guest, whose own disks go along', () => {
    const nodes = ['pve1', 'pve2', 'pve3'].map((name) => aNode(name, { linkBitsPerSecond: 25e9 }))
    const heavy = aGuest(101, 'pve1', { ...small, disks: [{ storage: 'local-zfs', bytes: 10 * GIB }] })
    expect(boundS(nodes, [heavy])).toBeCloseTo((11 * GIBIBIT) / 8.8e9 + 2, 2)
  })

  test('the fastest link that may take the longest guest', () => {
    const nodes = [aNode('pve1'), aNode('pve2', { linkBitsPerSecond: 1e9 }), aNode('pve3', { linkBitsPerSecond: 2e9 })]
    expect(boundS(nodes, many(1))).toBeCloseTo(GIBIBIT / 2e9 + 2, 2)
  })

  test('the links into the nodes that some of them must go to', () => {
    const nodes = [aNode('pve1'), aNode('pve2', { linkBitsPerSecond: 1e9 }), aNode('pve3'), aNode('pve4')]
    const rules = [pin([101, 102, 103], ['pve2'])]
    expect(boundS(nodes, many(6), rules)).toBeCloseTo((3 * GIBIBIT) / 1e9, 2)
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
    expect(boundS(nodes, many(6), rules)).toBeCloseTo((6 * GIBIBIT) / 3e9, 2)
  })
})
