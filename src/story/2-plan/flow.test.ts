import fc from 'fast-check'
import { expect, test } from 'vitest'
import { leastFlowS, type Supply } from './flow.ts'

/** What may go into a set of nodes and nowhere else, over the sum of their links, for every set: Gale's condition. */
function byEverySet(supplies: readonly Supply[], links: readonly number[]): number {
  let least = 0
  for (let set = 1; set < 2 ** links.length; set++) {
    const isIn = (node: number) => ((set >> node) & 1) === 1
    const bits = supplies.reduce((sum, supply) => sum + (supply.into.every(isIn) ? supply.bits : 0), 0)
    const bitsPerSecond = links.reduce((sum, link, node) => sum + (isIn(node) ? link : 0), 0)
    least = Math.max(least, bits / bitsPerSecond)
  }
  return least
}

test('the least time is what the fullest set of nodes needs, and never more', () => {
  const link = fc.constantFrom(1e9, 2e9, 10e9)
  const supply = fc.record({
    bits: fc.integer({ min: 1_000_000_000, max: 90_000_000_000 }),
    into: fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 4 }),
  })
  fc.assert(
    fc.property(
      fc.array(supply, { minLength: 1, maxLength: 7 }),
      fc.tuple(link, link, link, link),
      (supplies, links) => {
        const capacityAt = (node: number, seconds: number) => seconds * (links[node] ?? 0)
        const least = leastFlowS(supplies, capacityAt, [0, 1_000])
        const expected = byEverySet(supplies, links)
        expect(least).toBeLessThanOrEqual(expected + 1e-6)
        expect(least).toBeGreaterThan(expected - 1e-3)
      },
    ),
    { numRuns: 200, seed: 20261122 },
  )
})

test('it begins where the caller knows that it is not less', () => {
  expect(leastFlowS([{ bits: 1e9, into: [0] }], (_, seconds) => seconds * 1e9, [5, 10])).toBe(5)
  expect(leastFlowS([], () => 0, [3, 10])).toBe(3)
})
