import { expect, test } from 'vitest'
import { drawAt } from '#domain/random'
import { addEpisode, reached } from './evidence.ts'
import { DAY_MS, type Evidence } from './state.ts'
import { PROMISED_PER_100_PART_YEARS, RATES_PER_DAY, rowFor } from './thresholds.ts'

/** Alarms of healthy parts, in 100 part-years; after an alarm the part is repaired and begins anew. */
function falseAlarms(perDay: number, partYears: number): number {
  const { thresholds } = rowFor(perDay)
  let evidence: Evidence | null = null
  let alarms = 0
  for (let atMs = 0, draw = 0; atMs < partYears * 365 * DAY_MS; draw++) {
    atMs += -Math.log(1 - drawAt(1, `healthy ${perDay}`, draw)) * (DAY_MS / perDay)
    evidence = addEpisode(evidence, { startMs: atMs, weight: 1 }, perDay)
    if (reached(evidence, thresholds) === 'none') continue
    alarms++
    evidence = null
  }
  return (alarms / partYears) * 100
}

test.each([3, 8, 13, 17])('row %i keeps its promise, and does not waste it', (row) => {
  const perYear = (RATES_PER_DAY[row] ?? 0) * 365
  const alarms = falseAlarms(RATES_PER_DAY[row] ?? 0, Math.round(1_000_000 / perYear))
  expect(alarms).toBeLessThan(PROMISED_PER_100_PART_YEARS.quarantine * 1.4)
  expect(alarms).toBeGreaterThan(PROMISED_PER_100_PART_YEARS.quarantine / 4)
})

test('every rate is rounded up to a row, and beyond the last row stays there', () => {
  expect(rowFor(1 / 59).perDay).toBeCloseTo(1 / 48, 5)
  expect(rowFor(1 / 60).perDay).toBeCloseTo(1 / 60, 5)
  expect(rowFor(1).perDay).toBe(RATES_PER_DAY.at(-1))
})
