/** Runs ./coulisse as a user does, and remembers every process, so that a test can end what it started and see that nothing is left. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'

const COMMAND = fileURLToPath(new URL('../../coulisse', import.meta.url))
const LOOK_EVERY_MS = 10

export type Ended = { readonly code: number | null; readonly signal: string | null }

export class Run {
  readonly #child: ChildProcess
  out = ''
  err = ''
  readonly ended: Promise<Ended>
  isEnded = false

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(COMMAND, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text
    })
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        this.isEnded = true
        resolve({ code, signal })
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** The first whole line of a stream, parsed; throws with its words when the run ends without one. */
  async firstLine<T>(stream: 'out' | 'err'): Promise<T> {
    const line = await until(`a first line on ${stream}`, () => {
      const end = this[stream].indexOf('\n')
      if (end >= 0) return this[stream].slice(0, end)
      if (this.isEnded) throw new Error(`ended without a line on ${stream}: ${this.err}`)
      return undefined
    })
    return JSON.parse(line) as T
  }
}

/** Runs to its end. */
export async function coulisse(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const run = new Run(args, env)
  const { code } = await run.ended
  return { code, out: run.out, err: run.err }
}

const UNTIL_LIMIT_MS = 120_000

/** Looks until there is something; not a fixed sleep, and not for ever. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  limitMs = UNTIL_LIMIT_MS,
): Promise<T> {
  const began = performance.now()
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() - began > limitMs) throw new Error(`waited ${limitMs} ms for ${what}`)
    await sleep(LOOK_EVERY_MS)
  }
}

/** undefined while nobody answers. */
export async function getJson<T>(url: string): Promise<T | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) })
    return answer.ok ? ((await answer.json()) as T) : undefined
  } catch {
    return undefined
  }
}

export async function postJson(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** Removed after the last test of its file. Open to the account under which root runs PostgreSQL. */
export function freshFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `coulisse-${name}-`))
  chmodSync(folder, 0o755)
  folders.push(folder)
  return folder
}

/** A zombie has ended. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z'
  } catch {
    return false
  }
}

/** Every process that names the folder in its command line, its environment or as its place: what a state folder's demo left. */
export function processesOf(folder: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid && isAlive(Number(name)))
    .filter((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`].some((path) => textOf(path).includes(folder)))
    .map((pid) => `${pid}: ${textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`)
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export const readPid = (stateDir: string, name: string): number | undefined => {
  const path = join(stateDir, `${name}.pid`)
  return existsSync(path) ? Number(readFileSync(path, 'utf8')) : undefined
}
