/**
 * Finds the thresholds of src/story/1-detect/thresholds.ts: for each healthy rate the sums at which healthy parts, simulated as Poisson,
 * raise as many false alarms as were promised. Run: node bench/detect.ts --calibrate
 */
import { FAST_PER_DAY, SLOW_PER_DAY, stepSum } from '#detect/evidence'
import { PROMISED, RATES_PER_DAY } from '#detect/thresholds'
import { Chance } from './chance.ts'

const DAY_MS = 86_400_000
const DAYS_A_YEAR = 365

/** Every run of a sum from nothing back to nothing ends an alarm at most once: so the heights of the runs are all that counts. */
function heightsOf(faultyPerDay: number, healthyPerDay: number, partYears: number): Float64Array {
  const chance = new Chance(1)
  const heights: number[] = []
  let sum = 0
  let height = 0
  for (let day = 0; day < partYears * DAYS_A_YEAR; ) {
    const waitDays = chance.exponential(1 / healthyPerDay)
    day += waitDays
    const { left, sum: next } = stepSum(sum, waitDays * DAY_MS, { faultyPerDay, healthyPerDay })
    if (left === 0 && height > 0) {
      heights.push(height)
      height = 0
    }
    sum = next
    height = Math.max(height, sum)
  }
  return Float64Array.from(heights).sort().reverse()
}

/** The lowest threshold that keeps the promise: so many runs are as high, in so many part-years. */
function thresholdFor(heights: Float64Array, partYears: number, per100PartYears: number): number {
  const allowed = Math.floor((per100PartYears / 100) * partYears)
  return Math.ceil(((heights[allowed] ?? 0) + 1e-9) * 1000) / 1000
}

/** The rows of the table, one a healthy rate, as thresholds.ts holds them. */
export function calibrate(partYears: number): string {
  return RATES_PER_DAY.map((perDay) => {
    const slow = heightsOf(SLOW_PER_DAY, perDay, partYears)
    const fast = heightsOf(FAST_PER_DAY, perDay, partYears)
    const row = (['quarantine', 'drainAdvised'] as const).flatMap((level) => [
      thresholdFor(slow, partYears, PROMISED[level].slow),
      thresholdFor(fast, partYears, PROMISED[level].fast),
    ])
    return `  [${row.map((sum) => sum.toFixed(3)).join(', ')}], // 1 in ${(1 / perDay).toFixed(1)} days\n`
  }).join('')
}
