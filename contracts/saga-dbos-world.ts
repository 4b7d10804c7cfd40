/** What the processes of the contract's trials share: a ledger in a file and a clock that runs faster than the wall's. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { Clock, Quit } from '#ports/clock'
import type { Ledger } from './saga-definitions.ts'

/** World seconds a real second. */
const SPEED = 5
const LONGEST_TIMER_MS = 60_000
const LOOK_MS = 20

export class FastClock implements Clock {
  readonly #startMs: number

  /** @param startMs the same in all processes of a trial */
  constructor(startMs: number) {
    this.#startMs = startMs
  }

  async nowMs(): Promise<number> {
    return Math.floor(this.#startMs + (Date.now() - this.#startMs) * SPEED)
  }

  async sleepUntil(atMs: number, quit?: Quit): Promise<void> {
    for (let nowMs = await this.nowMs(); nowMs < atMs && !quit?.aborted; nowMs = await this.nowMs()) {
      const waitMs = Math.min(Math.ceil((atMs - nowMs) / SPEED), LONGEST_TIMER_MS)
      await new Promise((resolve) => setTimeout(resolve, waitMs).unref())
    }
  }
}

/** One write a line: a kill leaves whole lines. */
export function fileLedger(path: string): Ledger {
  return {
    note: async (line) => appendFileSync(path, `${line}\n`),
    lines: async () => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []),
  }
}

/** Looks again and again; the test's own time limit ends it. */
export async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

export function notedIn(ledger: Ledger): (line: string) => Promise<void> {
  return (line) => eventually(async () => ((await ledger.lines()).includes(line) ? true : undefined)).then(() => {})
}
