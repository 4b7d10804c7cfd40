/** The outside prober: Debian's `fping` in the guests' network, one process for all, one ICMP probe each every 10 ms. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { failed } from '../processes.ts'
import { type ProbeFigures, ProbeLog, type ProbeWindow } from './probe-log.ts'

export type Prober = {
  readonly intervalMs: number
  /**
   * Waits until the window's end has been printed. 'unmeasured' where the prober was down for part of it. `resolutionMs` is the
   * interval, or, where the prober itself came too late, how late it came: a gap is known to within that.
   */
  read(address: string, window: ProbeWindow): Promise<(ProbeFigures & { readonly resolutionMs: number }) | 'unmeasured'>
  stop(): Promise<void>
}

const PROBE_INTERVAL_MS = 10
const IP = 'ip'
/** fping spaces all its probes so far apart: N addresses fit into one interval. */
const SPACE_MS = 1
/** So long an answer is waited for. */
const ANSWER_LIMIT_MS = 1_000
const SETTLE_LOOKS_LIMIT = 100
const SETTLE_LOOKS_APART_MS = 50

export async function startProber(options: {
  readonly namespace: string
  readonly addresses: readonly string[]
  /** Its kernel answers at once, whatever the guests do. */
  readonly yardstick: string
  readonly logFile: string
}): Promise<Prober> {
  const { namespace, addresses, yardstick } = options
  const timing = ['-D', '-l', '-i', String(SPACE_MS), '-p', String(PROBE_INTERVAL_MS), '-t', String(ANSWER_LIMIT_MS)]
  // First in every queue for a processor: a prober that comes late sees gaps that are its own.
  const argv = ['netns', 'exec', namespace, 'nice', '-n', '-20', 'fping', ...timing, yardstick, ...addresses]
  const errors = openSync(options.logFile, 'a')
  // By a pipe: it ends by itself when we are gone.
  const child = spawn(IP, argv, { stdio: ['ignore', 'pipe', errors] }) as ChildProcessByStdio<null, Readable, null>
  closeSync(errors)
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause) => reject(failed('start the prober', cause)))
  })
  const log = new ProbeLog()
  createInterface({ input: child.stdout }).on('line', (line) => log.take(line))
  return {
    intervalMs: PROBE_INTERVAL_MS,
    read: async (address, window) => {
      if (!(await printed(log, yardstick, window.toMs))) return 'unmeasured'
      const figures = log.figures(address, window)
      const own = log.figures(yardstick, window)
      if (figures === undefined || own === undefined) return 'unmeasured'
      return { ...figures, resolutionMs: Math.max(PROBE_INTERVAL_MS, Math.ceil(own.longestGapMs)) }
    },
    stop: () => stopped(child),
  }
}

/** Its output comes in blocks: a window that has just ended is printed a moment later. */
async function printed(log: ProbeLog, yardstick: string, toMs: number): Promise<boolean> {
  for (let look = 1; look <= SETTLE_LOOKS_LIMIT; look++) {
    if ((log.newestMs(yardstick) ?? 0) >= toMs) return true
    await sleep(SETTLE_LOOKS_APART_MS)
  }
  return false
}

function stopped(child: ChildProcessByStdio<null, Readable, null>): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}
