/** What nights cost: a sweep over all cores, and one maintenance of four hours. */
import { availableParallelism, loadavg } from 'node:os'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { playNight } from '#app/night/play'
import { readScenario } from '#app/night/scenario'
import { sweep } from '#app/sweep/sweep'

const SCENARIO = fileURLToPath(
  new URL('../scenarios/flapping-fan-is-repaired-and-everybody-comes-home', import.meta.url),
)
const SWEEP_NIGHTS = 1000
const WARM_UP_NIGHTS = 10
const LONG_NIGHTS = 30
/** With such a soak the night takes the four hours that the target speaks of. */
const LONG_SOAK_S = 3.1 * 3600

const medianOf = (figures: readonly number[]) => [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0

async function longNight(): Promise<{ readonly wallMs: number; readonly worldHours: number }> {
  const scenario = readScenario(SCENARIO)
  const beganMs = performance.now()
  const { rows } = await playNight({ ...scenario, policy: { ...scenario.policy, soakS: LONG_SOAK_S } })
  const worldHours = ((rows.at(-1)?.atMs ?? 0) - (rows[0]?.atMs ?? 0)) / 3_600_000
  return { wallMs: performance.now() - beganMs, worldHours }
}

const nights: { wallMs: number; worldHours: number }[] = []
for (let count = 0; count < WARM_UP_NIGHTS + LONG_NIGHTS; count++) nights.push(await longNight())
const long = nights.slice(WARM_UP_NIGHTS)
const swept = await sweep({ nights: SWEEP_NIGHTS, seed: 1 })
const perMinute = Math.round((swept.nights / swept.wallMs) * 60_000)
const figures = {
  nightsAMinute: { figure: perMinute, target: 1000 },
  fourHourMaintenanceMs: { figure: Number(medianOf(long.map(({ wallMs }) => wallMs)).toFixed(1)), target: 50 },
  eventsASecond: Math.round((swept.eventCount / swept.wallMs) * 1000),
  broken: { figure: swept.broken.length, target: 0 },
  nights: swept.nights,
  worldHours: swept.worldHours,
  slowestNightMs: swept.slowestMs,
  longNightWorldHours: Number((long[0]?.worldHours ?? 0).toFixed(1)),
  cores: availableParallelism(),
  loadAverage: Number((loadavg()[0] ?? 0).toFixed(1)),
}
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(figures)}\n`)
else {
  process.stdout.write('nights in memory, over all cores (simulated)\n')
  for (const [name, value] of Object.entries(figures)) {
    const text = typeof value === 'number' ? String(value) : `${value.figure} (wanted: ${value.target})`
    process.stdout.write(`  ${name.padEnd(24)} ${text}\n`)
  }
}
