/**
 * How much evidence is enough, for each rate of healthy parts: the sums at which healthy parts raise as many false alarms as promised.
 * The table is the output of node bench/detect.ts --calibrate (200,000 simulated part-years a row); decision 0071 says how and why.
 */

/** False alarms in 100 part-years that each sum may cost at the rate of its row: both together are the promise of a level. */
export const PROMISED = {
  quarantine: { slow: 0.4, fast: 0.2 },
  drainAdvised: { slow: 0.04, fast: 0.01 },
} as const

export const PROMISED_PER_100_PART_YEARS = {
  quarantine: 0.6,
  'drain-advised': 0.05,
} as const

const RATES_BELOW_60_DAYS = 3
const RATE_COUNT = 18
const RATE_STEP = 1.25

/** Episodes a day of a healthy part, from 1 in 117 days to 1 in 2.6 days. */
export const RATES_PER_DAY: readonly number[] = Array.from(
  { length: RATE_COUNT },
  (_, index) => RATE_STEP ** (index - RATES_BELOW_60_DAYS) / 60,
)

export type Thresholds = {
  readonly quarantine: { readonly slow: number; readonly fast: number }
  readonly drainAdvised: { readonly slow: number; readonly fast: number }
}

/** Per row of RATES_PER_DAY: quarantine by the slow and the fast sum, drain advised by the slow and the fast sum. */
const TABLE: readonly (readonly [number, number, number, number])[] = [
  [9.464, 13.399, 12.725, 17.07], // 1 in 117.2 days
  [9.39, 14.367, 12.574, 16.691], // 1 in 93.8 days
  [9.975, 14.893, 12.36, 16.302], // 1 in 75.0 days
  [10.211, 14.955, 12.062, 15.881], // 1 in 60.0 days
  [10.288, 14.876, 12.358, 15.456], // 1 in 48.0 days
  [10.198, 14.652, 12.566, 15.024], // 1 in 38.4 days
  [10.083, 14.347, 12.523, 14.592], // 1 in 30.7 days
  [10.248, 14.013, 12.535, 15.934], // 1 in 24.6 days
  [10.337, 13.622, 12.679, 16.912], // 1 in 19.7 days
  [10.284, 13.213, 12.739, 17.443], // 1 in 15.7 days
  [10.3, 12.798, 12.729, 17.477], // 1 in 12.6 days
  [10.304, 13.372, 12.662, 17.318], // 1 in 10.1 days
  [10.285, 14.25, 12.723, 17.165], // 1 in 8.1 days
  [10.277, 14.68, 12.606, 16.827], // 1 in 6.4 days
  [10.206, 14.761, 12.397, 16.641], // 1 in 5.2 days
  [10.084, 14.657, 12.389, 17.395], // 1 in 4.1 days
  [9.959, 14.482, 12.182, 17.622], // 1 in 3.3 days
  [9.748, 14.221, 12.053, 17.626], // 1 in 2.6 days
]

/** The rate and its thresholds, rounded up to the next row: so the promise holds for every rate up to the last row. */
export function rowFor(healthyPerDay: number): { readonly perDay: number; readonly thresholds: Thresholds } {
  const found = RATES_PER_DAY.findIndex((perDay) => perDay >= healthyPerDay * (1 - 1e-9))
  const index = found < 0 ? RATES_PER_DAY.length - 1 : found
  const [slow, fast, drainSlow, drainFast] = TABLE[index] ?? [0, 0, 0, 0]
  return {
    perDay: RATES_PER_DAY[index] ?? 0,
    thresholds: { quarantine: { slow, fast }, drainAdvised: { slow: drainSlow, fast: drainFast } },
  }
}
