import { expect, test } from 'vitest'
import { aCluster, aGuest, aNode, GIB, planOf } from './testing.ts'

test('a fast source is not emptied into the one slow node that is emptiest', () => {
  const fast = { linkBitsPerSecond: 40e9 }
  const nodes = [
    aNode('pve1', fast),
    aNode('pve2', { linkBitsPerSecond: 10e9, memoryBytes: 1024 * GIB }),
    ...['pve3', 'pve4', 'pve5'].map((name) => aNode(name, fast)),
  ]
  const five = { memoryBytes: 5 * GIB, residentBytes: 5 * GIB }
  const guests = Array.from({ length: 16 }, (_, index) => aGuest(101 + index, 'pve1', five))
  const plan = planOf(aCluster(nodes, guests), ['pve1'], {
    reserveNodes: 0,
  })
  expect(plan.makespanS).toBeLessThan(1.6 * plan.lowerBoundS)
})
