/** `coulisse demo`: the whole story on the embedded default, live in the terminal; `--headless --json` for programs. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { BadInput } from '#app/bad-input'
import { cleanDemo, type Demo, launchDemo } from '#app/demo/launch'
import { type PlayedDemo, playDemo } from '#app/demo/play'
import { defaultStateDir } from '#app/demo/state-folder'
import { keptRunning } from '#app/demo/summary'
import { summaryText } from './demo-summary.ts'
import { LiveView } from './live.ts'

type Options = {
  readonly seed: string
  readonly speed?: string
  readonly state?: string
  readonly headless?: boolean
  readonly json?: boolean
  readonly clean?: boolean
  readonly real?: boolean
  readonly guests?: string
}

/** World seconds a real second for people who watch: hours of waiting in seconds, and moves slow enough to be seen. */
const SPEED_TO_WATCH = 1200

/** A real guest takes up to 200 MB, and twice that while it moves. */
const REAL_GUESTS_LIMIT = 4
const REAL_GUESTS = 3

/** Real daemons keep their own time: the world must not run far ahead of them. */
const SPEED_OF_REAL = 60

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('the whole story on a simulated cluster: found, drained, repaired, proven, home, told')
    .option('--seed <N>', 'chance', '1')
    .option('--speed <X>', 'a ceiling on world seconds a real second, or max')
    .option('--state <DIR>', 'where the story lives; the next start goes on there')
    .option('--headless', 'no live view; ends with the story')
    .option('--json', 'print the summary as JSON on stdout')
    .option('--clean', 'end what runs on the state folder and forget its story')
    .option('--real', 'on a real Ceph cluster, real IPMI BMCs and real QEMU guests (Debian, root)')
    .option(
      '--guests <N>',
      `with --real: how many of the moved guests are real, 0 to ${REAL_GUESTS_LIMIT} (default: 3)`,
    )
    .action(runDemo)
}

async function runDemo(options: Options): Promise<void> {
  const stateDir = resolve(options.state ?? defaultStateDir(options.real ?? false))
  const { seed, speed, guestCount } = numbers(options)
  if (options.clean) {
    await cleanDemo(stateDir)
    process.stderr.write(`${stateDir} is clean\n`)
    return
  }
  const say = (text: string) => {
    if (!options.headless) process.stderr.write(`${text}\n`)
  }
  const stop = new AbortController()
  // Again and again: an impatient second Ctrl-C must not leave the children behind.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort(signal))
  // Programs read the first line on stderr; people at a terminal want a word at once.
  const log = (text: string) => process.stderr.isTTY && say(text)
  const demo = await launchDemo({ stateDir, seed, speed, real: options.real ?? false, guestCount, log })
  const { control, pids, url } = demo
  process.stderr.write(`${JSON.stringify({ state: stateDir, control, url, pids })}\n`)
  say(`Look: ${url}\nA fan of pve3 drops out now and then; its BMC's log is watched until the evidence is good.`)
  const screen = options.headless ? undefined : new LiveView(process.stderr, { simulated: true })
  try {
    const played = await playDemo(demo, {
      signal: stop.signal,
      onTold: (told, nowMs) => screen?.show(told.rows, nowMs),
    })
    screen?.stop()
    await finish(demo, played, options, stop.signal)
  } finally {
    screen?.stop()
    await demo.stop()
  }
}

async function finish(demo: Demo, played: PlayedDemo, options: Options, signal: AbortSignal): Promise<void> {
  if (played.is === 'stopped') {
    process.stderr.write(`stopped; ${whatNext(demo)}\n`)
    process.exitCode = 130
    return
  }
  if (played.is === 'broken') {
    process.stderr.write(`${played.text}; ${whatNext(demo)}\n`)
    process.exitCode = 1
    return
  }
  const { summary } = played
  const isGood = summary.ending === 'done' && summary.brokenPromises.length === 0 && keptRunning(summary)
  process.exitCode = isGood ? 0 : 1
  process.stdout.write(options.json ? `${JSON.stringify(summary)}\n` : summaryText(summary, demo.stateDir))
  if (options.headless) return
  process.stderr.write(`\nLook around: ${demo.url}   (Ctrl-C ends everything)\n`)
  const left = await Promise.race([untilAborted(signal), demo.broken])
  if (left !== undefined) process.stderr.write(`${left} is gone\n`)
}

/** A real Ceph is taken down with its lab, so its story cannot go on. */
const whatNext = ({ isReal, stateDir }: Demo) =>
  isReal
    ? 'its daemons are ended and their data is gone: the same command begins a new story'
    : `all is kept in ${stateDir}, and the same command goes on from here`

const untilAborted = (signal: AbortSignal) =>
  new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })

function numbers(options: Options) {
  const seed = Number(options.seed)
  const speedAlone = options.real ? SPEED_OF_REAL : options.headless ? 'max' : SPEED_TO_WATCH
  const wanted = options.speed ?? String(speedAlone)
  const speed: number | 'max' = wanted === 'max' ? 'max' : Number(wanted)
  const guestCount = options.real ? Number(options.guests ?? REAL_GUESTS) : 0
  const faults = [
    ...(Number.isSafeInteger(seed) ? [] : [`--seed: a whole number, not ${options.seed}`]),
    ...(speed === 'max' || speed > 0 ? [] : [`--speed: a number above 0, or max, not ${wanted}`]),
    ...(Number.isSafeInteger(guestCount) && guestCount >= 0 && guestCount <= REAL_GUESTS_LIMIT
      ? []
      : [`--guests: 0 to ${REAL_GUESTS_LIMIT}, not ${options.guests}`]),
    ...(options.guests !== undefined && !options.real ? ['--guests: real guests need --real'] : []),
  ]
  if (faults.length > 0) throw new BadInput(faults)
  return { seed, speed, guestCount }
}
