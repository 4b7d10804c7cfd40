/** The command `sweep`: simulated nights with faults by the thousand; exit 1 when one of them breaks a promise. */
import process from 'node:process'
import type { Command } from 'commander'
import { BadInput } from '#app/bad-input'
import { type BrokenNight, type SweepResult, sweep } from '#app/sweep/sweep'

type SweepFlags = { nights: string; seed: string; workers?: string; json?: boolean }

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
  if (stop.signal.aborted) {
    process.stderr.write(`interrupted\n${JSON.stringify(result)}\n`)
    return EXIT_INTERRUPTED
  }
  for (const one of result.broken) process.stderr.write(`${brokenText(one)}\n`)
  process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : summaryText(result))
  return result.broken.length === 0 ? 0 : 1
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
