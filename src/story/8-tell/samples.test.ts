import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { vmid } from '#domain/ids'
import type { ProbeReading } from '#domain/measurement'
import type { Sha256 } from '#domain/merkle'
import { LOST, SAMPLES_FORMAT, type SampleChunk, UNSENT } from '#domain/probing'
import { type KeptChunk, readingsFrom, usualFrom } from './samples.ts'

const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')
const GUEST = vmid(101)
const START_MS = Date.UTC(2026, 10, 3, 9)
const PERIOD_MS = 50
const RTT_MS = 2
const DAY_MS = 86_400_000

type Outage = { readonly fromMs: number; readonly toMs: number; readonly how: 'swallows' | 'holds back' }
type World = {
  readonly outages?: readonly Outage[]
  readonly unsent?: readonly number[]
  readonly periodMs?: number
  readonly phaseMs?: number
}

/** A minute and a half of samples as an honest witness would send them of such a world, in chunks of 10 s; times from its start. */
function samplesOf(
  { outages = [], unsent = [], periodMs = PERIOD_MS, phaseMs = 0 }: World,
  change: Partial<SampleChunk> = {},
): KeptChunk[] {
  const slots = Math.floor(90_000 / periodMs)
  const answers = Array.from({ length: slots }, (_, index) => {
    const dueMs = phaseMs + index * periodMs
    if (unsent.includes(index)) return UNSENT
    const outage = outages.find(({ fromMs, toMs }) => fromMs <= dueMs && dueMs < toMs)
    if (outage === undefined) return RTT_MS * 1000
    const heldMs = outage.toMs - dueMs + RTT_MS
    return outage.how === 'swallows' || heldMs > 900 ? LOST : heldMs * 1000
  })
  const perChunk = 10_000 / periodMs
  return Array.from({ length: Math.ceil(slots / perChunk) }, (_, number) => {
    const chunk: SampleChunk = {
      format: SAMPLES_FORMAT,
      witness: 'mad1',
      key: 'k',
      run: 'r',
      target: 'web',
      guest: GUEST,
      how: 'tcp',
      periodMs,
      firstAtMs: START_MS + phaseMs + number * 10_000,
      answersUs: answers.slice(number * perChunk, (number + 1) * perChunk),
      clockMovedMs: 0,
      sentAtMs: START_MS + number * 10_000 + 11_000,
      signature: '',
      ...change,
    }
    return { chunk, aheadMs: 0 }
  })
}

const QUERY = {
  guest: GUEST,
  fromMs: START_MS,
  toMs: START_MS + 90_000,
  during: { fromMs: START_MS + 30_000, toMs: START_MS + 60_000 },
}
const read = (kept: readonly KeptChunk[]) => readingsFrom(kept, QUERY, sha256)
type MeasuredReading = Extract<ProbeReading, { is: 'measured' }>
function measured(kept: readonly KeptChunk[]): MeasuredReading {
  const [one, ...others] = read(kept)
  if (one?.is !== 'measured' || others.length > 0) throw new Error(`not measured once: ${JSON.stringify(read(kept))}`)
  return one
}

describe('an outage', () => {
  test('of any length at any moment, swallowing or holding back, is found to within one period', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20_000 }),
        fc.integer({ min: 5_000, max: 60_000 }),
        fc.integer({ min: 0, max: 49 }),
        fc.constantFrom('swallows' as const, 'holds back' as const),
        (lengthMs, fromMs, phaseMs, how) => {
          const outage = { fromMs, toMs: fromMs + lengthMs, how }
          const { longestGapMs, intervalMs } = measured(samplesOf({ outages: [outage], phaseMs }))
          expect(intervalMs).toBe(PERIOD_MS)
          expect(Math.abs(longestGapMs - lengthMs)).toBeLessThanOrEqual(PERIOD_MS + RTT_MS)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('is told with when it was, what was lost, and latencies before, during and after', () => {
    const reading = measured(samplesOf({ outages: [{ fromMs: 40_000, toMs: 40_200, how: 'swallows' }] }))
    expect(reading).toMatchObject({
      is: 'measured',
      by: 'mad1 tcp',
      fromMs: START_MS,
      toMs: START_MS + 90_000,
      sentCount: 1800,
      lostCount: 4,
      longestGapAtMs: START_MS + 40_000,
      latency: {
        before: { p50Ms: 2, p99Ms: 2, answeredCount: 600 },
        during: { answeredCount: 596 },
        after: { p99Ms: 2 },
      },
    })
    expect(reading.samples).toMatch(/^[0-9a-f]{64}$/)
  })

  test('that lasts to the end of what is known is as long as that', () => {
    const { longestGapMs } = measured(samplesOf({ outages: [{ fromMs: 80_000, toMs: 200_000, how: 'swallows' }] }))
    expect(Math.abs(longestGapMs - 10_000)).toBeLessThanOrEqual(PERIOD_MS + RTT_MS)
  })
})

describe('what the witness did not see', () => {
  test('is not measured where nobody sent samples', () => {
    expect(read([])).toEqual([{ is: 'unmeasured', guest: GUEST, reason: 'no witness sent samples of that time' }])
    expect(read(samplesOf({}, { guest: vmid(7) }))).toMatchObject([{ is: 'unmeasured' }])
  })

  test('parts the reading where his process was down, and the gap is said and never counted as the guest’s', () => {
    const kept = samplesOf({}).filter((_, index) => index !== 4)
    const readings = read(kept)
    expect(readings.map(({ is }) => is)).toEqual(['measured', 'measured', 'unmeasured'])
    expect(readings[2]).toMatchObject({ reason: 'the witness did not probe for 10.0 s' })
    for (const one of readings) if (one.is === 'measured') expect(one).toMatchObject({ lostCount: 0, longestGapMs: 0 })
  })

  test('makes it coarser where he was a little late, and hides nothing as quiet', () => {
    const { intervalMs, lostCount, longestGapMs } = measured(samplesOf({ unsent: [700, 701, 702] }))
    expect([intervalMs, lostCount, longestGapMs]).toEqual([200, 0, 0])
  })

  test('is said where his clock jumped, or is far from ours', () => {
    const jumped = samplesOf({}).map((one, index) =>
      index === 3 ? { ...one, chunk: { ...one.chunk, clockMovedMs: 3_000 } } : one,
    )
    expect(read(jumped).filter(({ is }) => is === 'unmeasured')).toMatchObject([
      { reason: 'the witness did not probe for 10.0 s' },
    ])
    const all = samplesOf({}, { clockMovedMs: -3_000 })
    expect(read(all)).toMatchObject([{ is: 'unmeasured', reason: 'the witness’s clock jumped by -3000 ms' }])
    const ahead = samplesOf({}).map((one) => ({ ...one, aheadMs: 2_300 }))
    expect(read(ahead)).toMatchObject([{ is: 'unmeasured', reason: 'the witness’s clock was 2.3 s ahead of ours' }])
    const behind = samplesOf({}).map((one) => ({ ...one, aheadMs: -2_300 }))
    expect(read(behind)).toMatchObject([{ is: 'unmeasured', reason: 'the witness’s clock was 2.3 s behind ours' }])
    const spooled = samplesOf({}).map((one) => ({ ...one, aheadMs: 'unknown' as const }))
    expect(measured(spooled).lostCount).toBe(0)
  })

  test('whatever chunks are missing, no gap is longer than the outage and its period', () => {
    fc.assert(
      fc.property(fc.subarray([...Array(9).keys()]), fc.integer({ min: 60, max: 3_000 }), (kept, lengthMs) => {
        const outages = [{ fromMs: 33_000, toMs: 33_000 + lengthMs, how: 'swallows' as const }]
        const chunks = samplesOf({ outages }).filter((_, index) => kept.includes(index))
        for (const one of read(chunks)) {
          if (one.is === 'measured') expect(one.longestGapMs).toBeLessThanOrEqual(lengthMs + one.intervalMs + RTT_MS)
        }
      }),
    )
  })
})

test('two witnesses are told apart, each with his own figures', () => {
  const near = samplesOf({})
  const far = samplesOf(
    { outages: [{ fromMs: 40_000, toMs: 41_000, how: 'swallows' }] },
    { witness: 'par2', key: 'k2' },
  )
  expect(read([...near, ...far]).map((one) => [one.by, one.is === 'measured' && one.lostCount])).toEqual([
    ['mad1 tcp', 0],
    ['par2 tcp', 20],
  ])
})

test('the same hours of earlier days say whether such gaps are usual, at the interval of then', () => {
  const dayBefore = samplesOf({ periodMs: 1_000, outages: [{ fromMs: 10_000, toMs: 12_500, how: 'swallows' }] })
  const kept = dayBefore.map((one) => ({ ...one, chunk: { ...one.chunk, firstAtMs: one.chunk.firstAtMs - DAY_MS } }))
  const days = [1, 2].map((day) => ({ fromMs: QUERY.fromMs - day * DAY_MS, toMs: QUERY.toMs - day * DAY_MS }))
  const usual = usualFrom(kept, QUERY, days, sha256)
  expect(usual).toMatchObject({ days: 1, intervalMs: 1_000 })
  expect(Math.abs((usual?.longestGapMs ?? 0) - 2_500)).toBeLessThanOrEqual(1_000)
  expect(usualFrom([], QUERY, days, sha256)).toBeUndefined()
})
