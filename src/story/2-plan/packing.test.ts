import fc from 'fast-check'
import { expect, test } from 'vitest'
import { binsNeeded } from './packing.ts'

/** The fewest bins, by trying every bin for every item. */
function fewestBins(sizes: readonly number[], capacity: number): number {
  let best = sizes.length
  const place = (index: number, bins: readonly number[]): void => {
    if (bins.length >= best) return
    const size = sizes[index]
    if (size === undefined) {
      best = bins.length
      return
    }
    for (const [at, full] of bins.entries()) {
      if (full + size <= capacity) place(index + 1, bins.with(at, full + size))
    }
    place(index + 1, [...bins, size])
  }
  place(0, [])
  return best
}

test('no packing needs fewer bins, and often none needs more', () => {
  let exact = 0
  let runs = 0
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }), (sizes) => {
      const needed = binsNeeded(sizes, 20)
      const fewest = fewestBins(sizes, 20)
      expect(needed).toBeLessThanOrEqual(fewest)
      runs++
      if (needed === fewest) exact++
    }),
    { numRuns: 300, seed: 20261122 },
  )
  expect(exact / runs).toBeGreaterThan(0.9)
})

test('items larger than half a bin have one each, whatever the volume', () => {
  expect(binsNeeded([11, 11, 11], 20)).toBe(3)
  expect(binsNeeded([14, 14, 7, 7], 20)).toBe(3)
  expect(binsNeeded([5, 5, 5, 5], 20)).toBe(1)
})
