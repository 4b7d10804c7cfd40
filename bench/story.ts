/** What the story costs: one maintenance in memory, all scenarios, and a whole headless demo with its parts, side by side. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { DemoSummary } from '#app/demo/summary'
import { playNight } from '#app/night/play'
import { readScenario } from '#app/night/scenario'
import type { StoryPolicy } from '#domain/policy'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SCENARIOS = join(ROOT, 'scenarios')
const NIGHT = 'flapping-fan-is-repaired-and-everybody-comes-home'
const WARM_UP_NIGHTS = 10
const NIGHTS = 50
/** With such a soak the night takes the four hours that the target speaks of. */
const LONG_SOAK = { soakS: 3.1 * 3600 }
const DEMO_LIMIT_MS = 300_000

const run = promisify(execFile)

const medianOf = (figures: readonly number[]) => [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0
const rounded = (figure: number, digits = 1) => Number(figure.toFixed(digits))

type Night = { readonly wallMs: number; readonly worldMs: number; readonly rowCount: number }

async function night(folder: string, policy: Partial<StoryPolicy> = {}): Promise<Night> {
  const scenario = readScenario(folder)
  const beganMs = performance.now()
  const { rows } = await playNight({ ...scenario, policy: { ...scenario.policy, ...policy } })
  const wallMs = performance.now() - beganMs
  return { wallMs, worldMs: (rows.at(-1)?.atMs ?? 0) - (rows[0]?.atMs ?? 0), rowCount: rows.length }
}

/** Warm: the first nights are compiled while they run. */
async function inMemory() {
  const folder = join(SCENARIOS, NIGHT)
  for (let count = 0; count < WARM_UP_NIGHTS; count++) await night(folder, LONG_SOAK)
  const nights: Night[] = []
  for (let count = 0; count < NIGHTS; count++) nights.push(await night(folder, LONG_SOAK))
  const nightMs = medianOf(nights.map(({ wallMs }) => wallMs))
  const worldMs = nights[0]?.worldMs ?? 0
  return {
    nights: NIGHTS,
    medianMs: rounded(nightMs, 2),
    slowestMs: rounded(Math.max(...nights.map(({ wallMs }) => wallMs)), 2),
    worldHours: rounded(worldMs / 3_600_000),
    fasterThanTheWorld: Math.round(worldMs / nightMs),
  }
}

async function allScenarios() {
  const names = readdirSync(SCENARIOS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && readdirSync(join(SCENARIOS, entry.name)).includes('script'))
    .map(({ name }) => name)
  const nights: (Night & { name: string })[] = []
  for (const name of names) nights.push({ name, ...(await night(join(SCENARIOS, name))) })
  const slowest = nights.reduce((one, other) => (other.wallMs > one.wallMs ? other : one))
  return {
    scenarios: nights.length,
    wallMs: Math.round(nights.reduce((sum, { wallMs }) => sum + wallMs, 0)),
    worldHours: rounded(nights.reduce((sum, { worldMs }) => sum + worldMs, 0) / 3_600_000),
    slowest: slowest.name,
    slowestMs: Math.round(slowest.wallMs),
  }
}

/** Processes and all, as a user starts it. */
async function demo() {
  const stateDir = mkdtempSync(join(tmpdir(), 'coulisse-bench-'))
  try {
    const beganMs = performance.now()
    const args = ['demo', '--headless', '--json', '--state', stateDir]
    const { stdout } = await run(join(ROOT, 'coulisse'), args, { timeout: DEMO_LIMIT_MS })
    const wallMs = performance.now() - beganMs
    const summary = JSON.parse(stdout) as DemoSummary
    const stages = summary.stages.map(
      ({ startedAt, endedAt }) => Date.parse(endedAt ?? '') - Date.parse(startedAt ?? ''),
    )
    const world = JSON.parse(readFileSync(join(stateDir, 'lab', 'world.json'), 'utf8')) as { commands: unknown[] }
    const { startMs } = summary
    return {
      ending: summary.ending,
      wallMs: Math.round(wallMs),
      startMs,
      storyMs: summary.wallMs - startMs,
      endMs: Math.round(wallMs - summary.wallMs),
      worldMin: rounded(stages.reduce((sum, ms) => sum + ms, 0) / 60_000),
      journalEntries: summary.journalEntries,
      commandsToTheWorld: world.commands.length,
      loadAverage: rounded(loadavg()[0] ?? 0, 2),
      cores: availableParallelism(),
    }
  } finally {
    await run(join(ROOT, 'coulisse'), ['demo', '--clean', '--state', stateDir])
    rmSync(stateDir, { recursive: true, force: true })
  }
}

function print(title: string, figures: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${title}\n`)
  for (const [name, value] of Object.entries(figures)) process.stdout.write(`  ${name.padEnd(22)} ${value}\n`)
}

const figures = { inMemory: await inMemory(), scenarios: await allScenarios(), demo: await demo() }
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(figures)}\n`)
else {
  print('one maintenance of four hours in memory, warm (simulated)', figures.inMemory)
  print('all scenarios, one after the other (simulated)', figures.scenarios)
  print('./coulisse demo --headless --json (simulated cluster, real processes)', figures.demo)
  const ratio = Math.round(figures.demo.storyMs / figures.inMemory.medianMs)
  process.stdout.write(`real processes, wires and PostgreSQL cost ${ratio} times the story alone\n`)
}
