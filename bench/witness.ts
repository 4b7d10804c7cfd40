/** A witness's beat: 500 targets, 20 probes a second each, over real sockets on the loopback. How late, what was lost, at what cost. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, setPriority } from 'node:os'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { vmid } from '#domain/ids'
import { FAST_PERIOD_MS, LOST, type ProbeHow, type ProbeTarget, UNSENT } from '#domain/probing'
import { startFping } from '#drivers/witness/fping'
import type { Stretch } from '#drivers/witness/lanes'
import { startProber } from '#drivers/witness/prober'

/** Of util-linux, which every Debian has. */
const TASKSET = 'taskset'
const CHRT = 'chrt'
const TARGETS = 500
const SECONDS = 12
const WARM_UP_MS = 2_000
const SERVER = fileURLToPath(new URL('./witness/server.ts', import.meta.url))

const { values } = parseArgs({ options: { json: { type: 'boolean' }, targets: { type: 'string' } } })
const targetCount = Number(values.targets ?? TARGETS)

type Figures = {
  readonly targets: number
  readonly probesASecond: number
  readonly jitterP50Ms: number
  readonly jitterP99Ms: number
  readonly jitterMaxMs: number
  readonly lost: number
  readonly unsent: number
  readonly answerP50Ms: number
  readonly answerP99Ms: number
  readonly coreShare: number
}

/** On one core, before others in the queue where this user may: else the machine's other work is measured. */
function firstInQueue(): string {
  try {
    execFileSync(TASKSET, ['-cp', '0', String(process.pid)], { stdio: 'ignore' })
    execFileSync(CHRT, ['-a', '-r', '-p', '1', String(process.pid)], { stdio: 'ignore' })
    return 'one core, real-time'
  } catch {
    try {
      setPriority(constants.priority.PRIORITY_HIGHEST)
      return 'nice -20'
    } catch {
      return 'as any other process'
    }
  }
}

/** The servers share no core with the witness, where there are two. */
async function startServer(): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(TASKSET, ['-c', '1', CHRT, '-r', '1', process.execPath, SERVER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => {
      throw new Error('the server did not start: this bench wants taskset and chrt, as root, and two cores')
    }),
  ])) as [Buffer]
  return { child, port: Number(line.toString()) }
}

const targetsOf = (how: (index: number) => ProbeHow): ProbeTarget[] =>
  Array.from({ length: targetCount }, (_, index) => ({ id: `t${index}`, guest: vmid(100 + index), how: how(index) }))

const percentile = (sorted: Float64Array, part: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
const rounded = (value: number) => Math.round(value * 1000) / 1000

function figuresOf(late: readonly number[], stretches: readonly Stretch[], coreShare: number): Figures {
  const sorted = Float64Array.from(late).sort()
  const answers = stretches.flatMap(({ answersUs }) => answersUs)
  const answered = Float64Array.from(answers.filter((us) => us >= 0)).sort()
  return {
    targets: targetCount,
    probesASecond: Math.round(late.length / SECONDS),
    jitterP50Ms: rounded(percentile(sorted, 0.5)),
    jitterP99Ms: rounded(percentile(sorted, 0.99)),
    jitterMaxMs: rounded(sorted.at(-1) ?? Number.NaN),
    lost: answers.filter((us) => us === LOST).length,
    unsent: answers.filter((us) => us === UNSENT).length,
    answerP50Ms: rounded(percentile(answered, 0.5) / 1000),
    answerP99Ms: rounded(percentile(answered, 0.99) / 1000),
    coreShare: rounded(coreShare),
  }
}

async function beat(targets: readonly ProbeTarget[]): Promise<Figures> {
  const late: number[] = []
  const stretches: Stretch[] = []
  const fromMs = performance.now() + WARM_UP_MS
  const prober = startProber({
    targets,
    periodMs: FAST_PERIOD_MS,
    onStretch: (one) => stretches.push(one),
    onLateness: (ms) => {
      if (performance.now() >= fromMs) late.push(ms)
    },
  })
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS))
  const before = process.cpuUsage()
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000))
  const { user, system } = process.cpuUsage(before)
  await prober.stop()
  return figuresOf(late, stretches, (user + system) / 1e6 / SECONDS)
}

/** Jitter of fping: how far each probe was from the even beat that its first answers set. */
async function beatOfFping(targets: readonly ProbeTarget[]): Promise<Figures> {
  const stretches: Stretch[] = []
  const first = new Map<string, { index: number; atMs: number }>()
  const late: number[] = []
  const fping = startFping({
    targets,
    periodMs: FAST_PERIOD_MS,
    onStretch: (one) => stretches.push(one),
    onLine: ({ host, index, sentAtMs, us }) => {
      if (us === LOST) return
      const known = first.get(host)
      const offMs = known === undefined ? 0 : sentAtMs - known.atMs - (index - known.index) * FAST_PERIOD_MS
      // The earliest that it ever was is the beat; later ones are late.
      if (known === undefined || offMs < 0) first.set(host, { index, atMs: sentAtMs })
      late.push(Math.max(0, offMs))
    },
    log: () => {},
  })
  const before = process.cpuUsage()
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000))
  // Of the reader alone: fping is a process of its own.
  const { user, system } = process.cpuUsage(before)
  await fping.stop()
  return figuresOf(late, stretches, (user + system) / 1e6 / SECONDS)
}

const scheduling = firstInQueue()
const { child, port } = await startServer()
const figures = {
  periodMs: FAST_PERIOD_MS,
  seconds: SECONDS,
  scheduling,
  tcp: await beat(targetsOf(() => ({ is: 'tcp', host: '127.0.0.1', port }))),
  http: await beat(targetsOf(() => ({ is: 'http', url: `http://127.0.0.1:${port}/`, status: 200 }))),
  mixed: await beat(
    targetsOf((index) =>
      index % 2 === 0
        ? { is: 'tcp', host: '127.0.0.1', port }
        : { is: 'http', url: `http://127.0.0.1:${port}/`, status: 200 },
    ),
  ),
  icmp: await beatOfFping(
    targetsOf((index) => ({ is: 'icmp', host: `127.1.${Math.floor(index / 200)}.${1 + (index % 200)}` })),
  ),
}
child.kill('SIGKILL')

if (values.json === true) process.stdout.write(`${JSON.stringify(figures)}\n`)
else {
  process.stdout.write(
    `${targetCount} targets, a probe each every ${FAST_PERIOD_MS} ms, ${SECONDS} s each; scheduling: ${scheduling}\n`,
  )
  for (const how of ['tcp', 'http', 'mixed', 'icmp'] as const)
    process.stdout.write(`  ${how.padEnd(6)} ${JSON.stringify(figures[how])}\n`)
}
process.exit(0)
