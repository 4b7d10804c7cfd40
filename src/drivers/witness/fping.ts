/** ICMP by Debian's fping: one process for all hosts. It needs CAP_NET_RAW, which Debian's package gives it. */
import { spawn } from 'node:child_process'
import { ANSWER_LIMIT_MS, LOST, type ProbeTarget, UNSENT } from '#domain/probing'
import { clockOffset, STRETCH_MS, type Stretch } from './lanes.ts'

/** A line of fping, names filled up to one width: `[1700000000.12345] 10.0.0.1  : [17], 64 bytes, 0.21 ms (…)`, or `… timed out (…)`. */
const LINE = /^\[(\d+\.\d+)\] (\S+) +: \[(\d+)\], (?:\d+ bytes, ([\d.]+) ms|timed out)/

export type FpingLine = {
  readonly host: string
  readonly index: number
  readonly sentAtMs: number
  readonly us: number
}

/** undefined: no result (ICMP errors and summaries look otherwise). `sentAtMs` by the wall clock. */
export function readFpingLine(line: string): FpingLine | undefined {
  const found = LINE.exec(line)
  if (found === null) return undefined
  const [, at, host, index, ms] = found
  const us = ms === undefined ? LOST : Math.round(Number(ms) * 1000)
  const atMs = Number(at) * 1000
  return { host: host ?? '', index: Number(index), sentAtMs: atMs - (us === LOST ? ANSWER_LIMIT_MS : us / 1000), us }
}

type Run = {
  readonly firstIndex: number
  readonly firstAtMs: number
  readonly beganOffsetMs: number
  /** By index, with holes where no line came yet. */
  readonly answersUs: number[]
}

/** One host's lines, cut into stretches. A stretch waits until its last probe could have timed out: that line comes late. */
export class FpingHost {
  readonly #target: ProbeTarget
  readonly #periodMs: number
  #run: Run | undefined
  #waiting: Run | undefined

  constructor(target: ProbeTarget, periodMs: number) {
    this.#target = target
    this.#periodMs = periodMs
  }

  take(line: FpingLine): Stretch | undefined {
    const { index, us, sentAtMs } = line
    const run = this.#run
    if (run === undefined) {
      this.#run = this.#newRun(line, sentAtMs)
      return undefined
    }
    const dueMs = run.firstAtMs + (index - run.firstIndex) * this.#periodMs
    if (index < run.firstIndex) return this.#takeLate(line)
    // A line that timed out does not say when its probe was sent. fping that came late itself shows as a step.
    const isOff = us !== LOST && Math.abs(sentAtMs - dueMs) > this.#periodMs / LATE_PART
    const isPast = dueMs - run.firstAtMs >= STRETCH_MS
    if (!isOff && !isPast) {
      run.answersUs[index - run.firstIndex] = us === LOST ? LOST : atLeast0(us + (sentAtMs - dueMs) * 1000)
      return this.#waiting !== undefined && dueMs - run.firstAtMs > 2 * ANSWER_LIMIT_MS
        ? this.#handWaiting()
        : undefined
    }
    const before = this.#handWaiting()
    this.#waiting = run
    this.#run = this.#newRun(line, isOff ? sentAtMs : dueMs)
    return before
  }

  /** All that is left. */
  end(): readonly Stretch[] {
    const waiting = this.#handWaiting()
    this.#waiting = this.#run
    this.#run = undefined
    const last = this.#handWaiting()
    return [...(waiting ? [waiting] : []), ...(last ? [last] : [])]
  }

  #newRun({ index, us, sentAtMs }: FpingLine, firstAtMs: number): Run {
    const first = us === LOST ? LOST : atLeast0(us + (sentAtMs - firstAtMs) * 1000)
    return { firstIndex: index, firstAtMs, beganOffsetMs: clockOffset(), answersUs: [first] }
  }

  #takeLate({ index, us }: FpingLine): undefined {
    const waiting = this.#waiting
    if (waiting !== undefined && index >= waiting.firstIndex) waiting.answersUs[index - waiting.firstIndex] = us
  }

  #handWaiting(): Stretch | undefined {
    const run = this.#waiting
    this.#waiting = undefined
    if (run === undefined) return undefined
    const offsetMs = clockOffset()
    return {
      target: this.#target,
      periodMs: this.#periodMs,
      firstDueMs: run.firstAtMs - offsetMs,
      offsetsMs: [run.beganOffsetMs, offsetMs],
      // What has no line was never sent, or fping ended before it could say.
      answersUs: Array.from(run.answersUs, (us) => us ?? UNSENT),
    }
  }
}

const LATE_PART = 4
const atLeast0 = (us: number) => Math.max(0, Math.round(us))

/** Ten thousand lines a second: cut by hand, for fping waits when its pipe is full, and then probes late. */
function byLines(take: (line: string) => void): (chunk: string) => void {
  let rest = ''
  return (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(line)
  }
}

const FPING = 'fping'

export type Fping = { stop(): Promise<void> }

/** fping spaces all its probes so far apart, and refuses less than 1 ms to who is not root. */
const SPACE_MS = { root: 0, other: 1 }
const AGAIN_AFTER_MS = 1_000

/**
 * fping numbers its probes by 16 bits and uses none again within 10 s: with more than 6,553 a second it ends (seen with 5.1). So
 * many hosts get a process more.
 */
const PROBES_A_SECOND_LIMIT = 6_000

export type FpingOptions = {
  readonly targets: readonly ProbeTarget[]
  readonly periodMs: number
  readonly onStretch: (stretch: Stretch) => void
  readonly onLine?: (line: FpingLine) => void
  readonly log: (text: string) => void
}

/** Runs until stopped; an fping that ends is started again, and the time between is a gap of ours. */
export function startFping(options: FpingOptions): Fping {
  const hostOf = ({ how }: ProbeTarget) => (how.is === 'icmp' ? how.host : '')
  const hosts = [...Map.groupBy(options.targets, hostOf)]
  const atOnce = Math.max(1, Math.floor((PROBES_A_SECOND_LIMIT * options.periodMs) / 1000))
  const groups = Array.from({ length: Math.ceil(hosts.length / atOnce) }, (_, index) =>
    hosts.slice(index * atOnce, (index + 1) * atOnce),
  )
  const all = groups.map((group) => keepFping(new Map(group), options))
  return { stop: async () => void (await Promise.all(all.map((one) => one.stop()))) }
}

type Hosts = ReadonlyMap<string, readonly ProbeTarget[]>

function keepFping(hosts: Hosts, options: FpingOptions): Fping {
  let isStopped = false
  let end = () => {}
  const running = (async () => {
    while (!isStopped) {
      const why = await runOnce(hosts, options, (stop) => {
        end = stop
      })
      if (isStopped) return
      options.log(`fping ended and is started again: ${why}`)
      await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS))
    }
  })()
  return {
    stop: () => {
      isStopped = true
      end()
      return running
    },
  }
}

/** Until it ends; what it said last. */
function runOnce(hosts: Hosts, options: FpingOptions, onStart: (stop: () => void) => void): Promise<string> {
  const { periodMs, onStretch, onLine } = options
  const runs = new Map([...hosts].map(([host, own]) => [host, own.map((one) => new FpingHost(one, periodMs))]))
  const take = (text: string) => {
    const line = readFpingLine(text)
    if (line === undefined) return
    onLine?.(line)
    for (const run of runs.get(line.host) ?? []) {
      const stretch = run.take(line)
      if (stretch !== undefined) onStretch(stretch)
    }
  }
  const space = process.getuid?.() === 0 ? SPACE_MS.root : SPACE_MS.other
  const args = ['-D', '-l', '-p', String(periodMs), '-i', String(space), '-t', String(ANSWER_LIMIT_MS), '-b', '24']
  return new Promise((resolve) => {
    const child = spawn(FPING, [...args, ...hosts.keys()], { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = 'it said nothing'
    child.once('error', (error) => resolve(error.message))
    child.stdout.setEncoding('latin1').on('data', byLines(take))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = text.trim().split('\n').at(-1)?.slice(0, 200) ?? said
    })
    onStart(() => child.kill('SIGKILL'))
    child.once('close', () => {
      for (const stretch of [...runs.values()].flat().flatMap((run) => run.end())) onStretch(stretch)
      resolve(said)
    })
  })
}
