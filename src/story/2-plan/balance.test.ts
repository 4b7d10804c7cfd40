import { expect, test } from 'vitest'
import { drawAt } from '#domain/random'
import { aCluster, aGuest, aNode, GIB, planOf } from './testing.ts'

/** Three takers of 100 GiB with so much on them, and guests that leave pve1: the highest load afterwards, in GiB. */
function highestGib(held: readonly number[], leaving: readonly number[]): number {
  const empty = { memoryBytes: 100 * GIB, memoryUsedBytes: 0 }
  const nodes = [aNode('pve1', empty), ...held.map((_, index) => aNode(`pve${index + 2}`, empty))]
  const guests = [
    ...leaving.map((gib, index) => aGuest(101 + index, 'pve1', { memoryBytes: gib * GIB })),
    ...held.map((gib, index) => aGuest(901 + index, `pve${index + 2}`, { memoryBytes: gib * GIB })),
  ]
  const plan = planOf(aCluster(nodes, guests), ['pve1'], { reserveNodes: 0 })
  expect(plan.feasible).toBe(true)
  expect(plan.moves.every(({ purpose }) => purpose === 'drain')).toBe(true)
  return Math.round(100 * Math.max(...plan.after.map(({ memoryAllocatedFraction }) => memoryAllocatedFraction)))
}

test('largest first leaves room for a change, which is made', () => {
  // Largest first gives 7 + 4 + 2 beside 6 + 5: 13 and 11 can be 12 and 12.
  expect(highestGib([10, 10], [7, 6, 5, 4, 2])).toBe(22)
})

function leastByHand(held: readonly number[], leaving: readonly number[]): number {
  const [gib, ...rest] = leaving
  if (gib === undefined) return Math.max(...held)
  return Math.min(...held.map((_, node) => leastByHand(held.with(node, (held[node] ?? 0) + gib), rest)))
}

test('where few leave, no placement is more even', () => {
  for (let seed = 0; seed < 60; seed++) {
    const gib = (question: string, index: number) => 1 + Math.floor(12 * drawAt(seed, question, index))
    const held = Array.from({ length: 3 }, (_, index) => gib('held', index))
    const leaving = Array.from({ length: 4 + (seed % 4) }, (_, index) => gib('leaving', index))
    expect({ seed, highest: highestGib(held, leaving) }).toEqual({ seed, highest: leastByHand(held, leaving) })
  }
})
