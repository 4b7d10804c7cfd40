import { expect, test } from 'vitest'
import { ProbeLog, readProbeLine } from './probe-log.ts'

const ADDRESS = '10.77.0.101'
const answer = (atMs: number, tookMs = 0.4) =>
  `[${(atMs / 1000).toFixed(5)}] ${ADDRESS} : [1], 64 bytes, ${tookMs} ms (0.205 avg, 0% loss)`
const silence = (atMs: number) => `[${(atMs / 1000).toFixed(5)}] ${ADDRESS} : [198], timed out (NaN avg, 100% loss)`

function logOf(lines: readonly string[]): ProbeLog {
  const log = new ProbeLog()
  for (const line of lines) log.take(line)
  return log
}
const everyTenMs = (fromMs: number, toMs: number) =>
  Array.from({ length: (toMs - fromMs) / 10 }, (_, index) => answer(fromMs + 10 * index))

test('lines as fping 5.1 prints them', () => {
  expect(readProbeLine('[1795362456.21392] 10.77.0.11  : [0], 64 bytes, 0.358 ms (0.358 avg, 0% loss)')).toEqual({
    atMs: 1795362456213.92,
    address: '10.77.0.11',
    tookMs: 0.358,
  })
  expect(readProbeLine('[1795362459.19618] 10.77.0.101 : [198], timed out (NaN avg, 100% loss)')).toMatchObject({
    address: ADDRESS,
    tookMs: 'no-answer',
  })
  expect(readProbeLine('ICMP Host Unreachable from 10.77.0.1 for ICMP Echo sent to 10.77.0.101')).toBeUndefined()
})

test('a gap is the time between two answers; late answers and none at all count as lost', () => {
  const log = logOf([
    ...everyTenMs(1000, 2000),
    silence(2050),
    answer(2160, 150),
    answer(2161, 141),
    ...everyTenMs(2170, 3000),
  ])
  expect(log.figures(ADDRESS, { fromMs: 1500, toMs: 2500 })).toEqual({
    sentCount: 50 + 3 + 33,
    lostCount: 3,
    longestGapMs: 170,
    longestGapAtMs: 1990,
  })
  expect(log.figures(ADDRESS, { fromMs: 1100, toMs: 1900 })).toMatchObject({ lostCount: 0, longestGapMs: 10 })
})

test('what nobody probed is unmeasured, never 0', () => {
  const log = logOf(everyTenMs(1000, 2000))
  expect(log.figures(ADDRESS, { fromMs: 500, toMs: 1500 })).toBeUndefined()
  expect(log.figures('10.77.0.102', { fromMs: 1100, toMs: 1500 })).toBeUndefined()
  expect(log.figures(ADDRESS, { fromMs: 1500, toMs: 1500 })).toBeUndefined()
})

test('a guest that answers no more has a gap up to the end of the window', () => {
  const log = logOf([...everyTenMs(1000, 2000), silence(3000), silence(3010)])
  expect(log.figures(ADDRESS, { fromMs: 1500, toMs: 3005 })).toMatchObject({ longestGapMs: 3005 - 1990 })
})
