/** The command `sweep`: simulated nights with faults by the thousand; exit 1 when one of them breaks a promise. */
import { join } from 'node:path'
import process from 'node:process'
import type { Command } from 'commander'
import { BadInput } from '#app/bad-input'
import { drawNight } from '#app/sweep/draw-night'
import { shrink } from '#app/sweep/shrink'
import { type BrokenNight, type SweepResult, sweep } from '#app/sweep/sweep'
import { recordNight, writeScenario } from '#app/sweep/write-night'

type SweepFlags = {
  nights: string
  seed: string
  workers?: string
  json?: boolean
  shrink?: boolean
  scenario?: string
  record?: string
}

const PROGRESS_EVERY_MS = 2_000
const EXIT_INTERRUPTED = 130
const SEED_LIMIT = 2 ** 31

export function addSweepCommand(program: Command): void {
  program
    .command('sweep')
    .description('play simulated nights with faults, and look after the ten promises; exit 1 when one is broken')
    .option('--nights <n>', 'how many', '100')
    .option('--seed <n>', 'of the first night; the others follow', '1')
    .option('--workers <n>', 'threads; all cores by default')
    .option('--shrink', 'find a smaller night that breaks the same promise as the first broken one')
    .option('--scenario <folder>', 'with --shrink: write the smaller night there as a scenario')
    .option('--record <path>', 'write the night to a file, or of many the broken ones to a folder, to be replayed')
    .option('--json', 'print the result as JSON')
    .action(async (flags: SweepFlags) => {
      process.exitCode = await runSweep(flags)
    })
}

async function runSweep(flags: SweepFlags): Promise<number> {
  const nights = numberOf('nights', flags.nights, 1, 1_000_000)
  const seed = numberOf('seed', flags.seed, 0, SEED_LIMIT)
  const workers = flags.workers === undefined ? undefined : numberOf('workers', flags.workers, 1, 64)
  const stop = new AbortController()
  const interrupt = () => stop.abort()
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  const result = await sweep({
    nights,
    seed,
    ...(workers === undefined ? {} : { workers }),
    signal: stop.signal,
    onNight: progress(nights),
  })
  process.off('SIGINT', interrupt)
  process.off('SIGTERM', interrupt)
  const isWhole = !stop.signal.aborted
  if (!isWhole) process.stderr.write(`interrupted: ${result.nights} of ${nights} nights were played\n`)
  // What was found until then is not lost; a search for a smaller night would go on for minutes.
  await keep(isWhole ? flags : { ...flags, shrink: false }, result, { nights, seed })
  for (const one of result.broken) process.stderr.write(`${brokenText(one)}\n`)
  process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : summaryText(result))
  if (!isWhole) return EXIT_INTERRUPTED
  return result.broken.length === 0 ? 0 : 1
}

/** So many broken nights of a sweep are recorded. */
const RECORDS_LIMIT = 10

async function keep(
  { shrink: isToShrink, scenario, record }: SweepFlags,
  { broken }: SweepResult,
  { nights, seed }: { readonly nights: number; readonly seed: number },
): Promise<void> {
  const seeds = [...new Set(broken.map((one) => one.seed))]
  if (record !== undefined && nights === 1) {
    await recordNight(drawNight(seed), record)
    process.stderr.write(`recorded: ${record}\n`)
  } else if (record !== undefined) {
    for (const one of seeds.slice(0, RECORDS_LIMIT)) {
      const file = join(record, `night-${one}.jsonl`)
      await recordNight(drawNight(one), file)
      process.stderr.write(`recorded: ${file}\n`)
    }
  }
  const [first] = seeds
  if (isToShrink !== true || first === undefined) return
  const smaller = await shrink(drawNight(first))
  if (smaller === undefined) return
  const { night, breach, tries } = smaller
  const lines = night.parts.flatMap((part) => part.lines)
  const size = `${night.snapshot.nodes.length} nodes, ${night.snapshot.guests.length} guests, ${lines.length} lines`
  process.stderr.write(`seed ${first} after ${tries} tries: ${size}; ${breach.text}\n${lines.join('\n')}\n`)
  if (scenario === undefined) return
  writeScenario(scenario, night, breach)
  process.stderr.write(`written: ${scenario}\n`)
}

function progress(nights: number) {
  const beganMs = performance.now()
  let shownMs = beganMs
  let brokenCount = 0
  return ({ broken }: { readonly broken: readonly unknown[] }, playedCount: number) => {
    if (broken.length > 0) brokenCount++
    const nowMs = performance.now()
    if (nowMs - shownMs < PROGRESS_EVERY_MS) return
    shownMs = nowMs
    const perMinute = Math.round((playedCount / (nowMs - beganMs)) * 60_000)
    process.stderr.write(`${playedCount} of ${nights} nights, ${brokenCount} broken, ${perMinute} a minute\n`)
  }
}

const brokenText = ({ seed, promise, event, atMs, text, replay }: BrokenNight) =>
  `seed ${seed}, event ${event}, ${new Date(atMs).toISOString()}: promise ${promise}: ${text}\n  ${replay}`

function summaryText({ nights, broken, eventCount, endings, worldHours, wallMs, hash }: SweepResult): string {
  const how = Object.entries(endings)
    .map(([ending, count]) => `${count} ${ending}`)
    .join(', ')
  const perMinute = Math.round((nights / wallMs) * 60_000)
  return [
    `${nights} nights, ${worldHours} hours of the world (simulated), ${eventCount} events, in ${(wallMs / 1000).toFixed(1)} s: ${perMinute} a minute`,
    `maintenances: ${how}`,
    `broken promises: ${broken.length}`,
    `hash ${hash}`,
    '',
  ].join('\n')
}

function numberOf(option: string, text: string, low: number, high: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= low && value <= high) return value
  throw new BadInput([`sweep: --${option} takes a whole number from ${low} to ${high}, not "${text}"`])
}
