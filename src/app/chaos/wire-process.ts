/** A process of the wire trials: ours alone, told by its pid and nothing else, its words in a file. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(import.meta.resolve('../../surfaces/cli/main.ts'))
const READY_LIMIT_MS = 120_000
const LOOK_EVERY_MS = 10
const LAST_WORDS_LINES = 12

export class WireProcess {
  readonly name: string
  readonly startedAtMs = Date.now()
  readonly gone: Promise<void>
  isGone = false
  /** By us. One that ended otherwise ended by a fault of its own. */
  wasKilled = false
  readonly #child: ChildProcess
  readonly #outPath: string
  readonly #errPath: string

  /** `coulisse ARGS`, with its words in `dir/NAME.out` and `.err`. It ends with whoever started it. */
  constructor(options: {
    readonly name: string
    readonly args: readonly string[]
    readonly dir: string
    readonly env?: Readonly<Record<string, string>>
  }) {
    const { name, args, dir, env = {} } = options
    this.name = name
    this.#outPath = join(dir, `${name}.out`)
    this.#errPath = join(dir, `${name}.err`)
    const [out, err] = [openSync(this.#outPath, 'w'), openSync(this.#errPath, 'a')]
    this.#child = spawn(execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
      stdio: ['ignore', out, err],
      env: { ...process.env, ...env, COULISSE_PARENT_PID: String(process.pid) },
    })
    closeSync(out)
    closeSync(err)
    this.gone = new Promise((resolve) => {
      this.#child.once('close', () => resolve())
      this.#child.once('error', () => resolve())
    })
    this.gone.then(() => {
      this.isGone = true
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Its first line, parsed. Rejects with its last words when it ends before. */
  async ready<T>(): Promise<T> {
    for (let waitedMs = 0; waitedMs < READY_LIMIT_MS; waitedMs += LOOK_EVERY_MS) {
      const [line, rest] = readFileSync(this.#outPath, 'utf8').split('\n', 2)
      if (rest !== undefined) {
        return JSON.parse(line ?? '') as T
      }
      if (this.isGone) throw new Error(`${this.name} ended before it was ready:\n${this.lastWords()}`)
      await sleep(LOOK_EVERY_MS)
    }
    throw new Error(`${this.name} was not ready in ${READY_LIMIT_MS / 1000} s:\n${this.lastWords()}`)
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void {
    if (!this.isGone) this.#child.kill(name)
  }

  /** kill -9; a frozen one ends too. */
  async kill(): Promise<void> {
    this.wasKilled = true
    this.signal('SIGKILL')
    await this.gone
  }

  words(): string {
    return readFileSync(this.#errPath, 'utf8')
  }

  lastWords(): string {
    return this.words().trimEnd().split('\n').slice(-LAST_WORDS_LINES).join('\n')
  }
}
