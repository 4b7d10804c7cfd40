import { expect, test } from 'vitest'
import { nextLookInMs } from './pace.ts'

const UNKNOWN = { transferredBytes: 'unknown', totalBytes: 'unknown', allowedPauseMs: 'unknown' } as const
const move = { forMs: 0, forecastMs: 20_000, isLive: true, pauseBudgetMs: 1000, progress: UNKNOWN }

test('a move is left alone until it may be over by the plan, and by its own progress once it tells', () => {
  expect(nextLookInMs(move)).toBe(18_000)
  const half = { ...UNKNOWN, transferredBytes: 5e9, totalBytes: 10e9 }
  expect(nextLookInMs({ ...move, forMs: 11_100, progress: half })).toBe(10_800)
})

test('one that is late is looked at again after a share of what it has lasted', () => {
  const late = [10_000, 25_000, 100_000, 1_000_000].map((forMs) => nextLookInMs({ ...move, forecastMs: 9_000, forMs }))
  expect(late).toEqual([900, 2_250, 9_000, 24_000])
})

test('the pause that Proxmox allows itself cannot outgrow the budget unseen', () => {
  const looksFor = (pauseBudgetMs: number, allowedPauseMs: number | 'unknown') =>
    nextLookInMs({ ...move, forecastMs: 600_000, pauseBudgetMs, progress: { ...UNKNOWN, allowedPauseMs } })
  expect([looksFor(100, 'unknown'), looksFor(300, 'unknown'), looksFor(1000, 'unknown')]).toEqual([
    6_000, 12_000, 24_000,
  ])
  expect([looksFor(1000, 400), looksFor(1000, 800), looksFor(1000, 1600)]).toEqual([12_000, 6_000, 30_000])
  expect(nextLookInMs({ ...move, forecastMs: 600_000, isLive: false, pauseBudgetMs: 100 })).toBe(30_000)
})

test('where nobody forecast anything it is looked at every two seconds', () => {
  expect(nextLookInMs({ ...move, forecastMs: 0 })).toBe(2_000)
})
