import { describe, expect, test } from 'vitest'
import { histogramOf, spreadOf } from './spread.ts'

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

describe('spreadOf', () => {
  test('every figure of it was seen', () => {
    expect(spreadOf(upTo(100).reverse())).toEqual({ p5: 5, median: 50, p95: 95, worst: 100 })
    expect(spreadOf([7])).toEqual({ p5: 7, median: 7, p95: 7, worst: 7 })
  })

  test('nothing seen is not 0', () => expect(spreadOf([])).toBeUndefined())
})

describe('histogramOf', () => {
  test('counts everybody once, the largest in the last bin', () => {
    const bins = histogramOf([10, 11, 12, 13, 14, 20], 5)
    expect(bins.map(({ count }) => count)).toEqual([2, 2, 1, 0, 1])
    expect([bins[0]?.from, bins.at(-1)?.to]).toEqual([10, 20])
  })

  test('one night that hung for an hour does not hide the others', () => {
    const bins = histogramOf([...upTo(30).map((one) => 100 + one), 3600], 6)
    expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(31)
    expect((bins[0]?.to ?? 0) - (bins[0]?.from ?? 0)).toBeLessThan(100)
  })

  test('one bin where all are equal, none where there are none', () => {
    expect(histogramOf([5, 5, 5], 8)).toEqual([{ from: 5, to: 5, count: 3 }])
    expect(histogramOf([], 8)).toEqual([])
  })
})
