import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesText, durationText, measuredText, sinceText } from './figures.ts'

test('durations read as people say them', () => {
  expect([0, 0.4, 62, 999, 12_400, 59_980, 311_000, 7_980_000, 7_200_000].map(durationText)).toEqual([
    '0 ms',
    'under 1 ms',
    '62 ms',
    '999 ms',
    '12.4 s',
    '1 min',
    '5 min 11 s',
    '2 h 13 min',
    '2 h',
  ])
})

test('no duration reads as sixty of its unit, and none above zero reads as zero', () => {
  fc.assert(
    fc.property(fc.double({ min: Number.MIN_VALUE, max: 1e9, noNaN: true }), (ms) => {
      const text = durationText(ms)
      expect(text).not.toMatch(/\b60(\.0)? (s|min)\b|^0 /)
    }),
  )
})

test('what nobody measured is said so', () => {
  expect([measuredText('unmeasured'), measuredText(undefined), measuredText({ blackoutMs: 0 })]).toEqual([
    'unmeasured',
    'unmeasured',
    '0 ms',
  ])
})

test('sizes are binary, as Proxmox shows them', () => {
  expect([0, 1023, 1536, 64 * 2 ** 30].map(bytesText)).toEqual(['0 B', '1023 B', '1.5 KiB', '64 GiB'])
})

test('time since the start goes on past a day', () => {
  expect(sinceText(25 * 3_600_000 + 61_000, 0)).toBe('+25:01:01')
})
