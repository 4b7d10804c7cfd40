/** Children of the demo's launcher: started apart, found again by recorded pid and start time, ended only when both still fit. */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export type ChildName = 'lab' | 'postgres' | 'control-plane' | 'launcher'

export type Child = {
  readonly name: ChildName
  readonly pid: number
  /** The first line of its standard output, parsed. */
  readonly ready: Readonly<Record<string, unknown>>
  /** Settles when it is gone, by itself or not. */
  readonly gone: Promise<void>
}

const READY_LIMIT_MS = 60_000
/** Longer than what a child gives itself on its way out. */
const STOP_LIMIT_MS = 10_000
const LOOK_EVERY_MS = 25

/** Starts `argv` with its output in files, and waits for its ready line. Rejects with its last words when it dies first. */
export async function startChild(options: {
  readonly name: ChildName
  readonly argv: readonly [string, ...string[]]
  readonly stateDir: string
  /** How long its ready line may take. */
  readonly readyLimitMs?: number
  readonly env?: Readonly<Record<string, string>>
}): Promise<Child> {
  const { name, argv, stateDir, readyLimitMs = READY_LIMIT_MS } = options
  const logs = join(stateDir, 'logs')
  mkdirSync(logs, { recursive: true })
  const outPath = join(logs, `${name}.out`)
  const errPath = join(logs, `${name}.err`)
  const out = openSync(outPath, 'w')
  const err = openSync(errPath, 'a')
  // A process group of its own: Ctrl-C in the terminal reaches the launcher alone, which ends its children in order.
  const child = spawn(argv[0], argv.slice(1), {
    stdio: ['ignore', out, err],
    detached: true,
    env: { ...process.env, ...options.env, COULISSE_PARENT_PID: String(process.pid) },
  })
  closeSync(out)
  closeSync(err)
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  if (child.pid === undefined) throw new Error(`${name} did not start: ${argv[0]} cannot be run`)
  recordPid(stateDir, name, child.pid)
  let isGone = false
  gone.then(() => {
    isGone = true
  })
  for (let waitedMs = 0; waitedMs < readyLimitMs; waitedMs += LOOK_EVERY_MS) {
    const line = firstLine(outPath)
    if (line !== undefined) return { name, pid: child.pid, ready: JSON.parse(line) as Record<string, unknown>, gone }
    if (isGone) throw new Error(`${name} ended before it was ready:\n${lastWords(errPath)}`)
    await sleep(LOOK_EVERY_MS)
  }
  throw new Error(`${name} was not ready in ${readyLimitMs / 1000} s:\n${lastWords(errPath)}`)
}

function firstLine(path: string): string | undefined {
  const text = readFileSync(path, 'utf8')
  const end = text.indexOf('\n')
  return end < 0 ? undefined : text.slice(0, end)
}

const LAST_WORDS_LINES = 12

function lastWords(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-LAST_WORDS_LINES).join('\n')
}

const pidPath = (stateDir: string, name: ChildName) => join(stateDir, `${name}.pid`)

/** The pid for people and programs, and the start time that tells a process from a later one with the same pid. */
export function recordPid(stateDir: string, name: ChildName, pid: number): void {
  mkdirSync(stateDir, { recursive: true })
  writeFileSync(`${pidPath(stateDir, name)}.started`, `${startTimeOf(pid) ?? ''}\n`)
  writeFileSync(`${pidPath(stateDir, name)}.new`, `${pid}\n`)
  renameSync(`${pidPath(stateDir, name)}.new`, pidPath(stateDir, name))
}

export function forgetPid(stateDir: string, name: ChildName): void {
  rmSync(pidPath(stateDir, name), { force: true })
  rmSync(`${pidPath(stateDir, name)}.started`, { force: true })
}

/** The recorded process, if that very one still runs. */
function livingPid(stateDir: string, name: ChildName): number | undefined {
  try {
    const pid = Number(readFileSync(pidPath(stateDir, name), 'utf8'))
    const started = readFileSync(`${pidPath(stateDir, name)}.started`, 'utf8').trim()
    return startTimeOf(pid) === started && started !== '' ? pid : undefined
  } catch {
    return undefined
  }
}

/** Field 22 of /proc/PID/stat, in ticks since boot; a zombie counts as gone. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

const GONE_LOOK_EVERY_MS = 100

/** Resolves when a process that is no child of ours is gone; waiting for it keeps nobody alive. */
export function whenPidGone(pid: number): Promise<void> {
  const started = startTimeOf(pid)
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (started !== undefined && startTimeOf(pid) === started) return
      clearInterval(timer)
      resolve()
    }, GONE_LOOK_EVERY_MS)
    timer.unref()
  })
}

/** Asks the recorded process to end, and ends it when it does not; resolves when it is gone. Another's pid is left alone. */
export async function stopChild(stateDir: string, name: ChildName): Promise<void> {
  const pid = livingPid(stateDir, name)
  if (pid !== undefined) {
    signal(pid, 'SIGTERM')
    for (let waitedMs = 0; livingPid(stateDir, name) !== undefined; waitedMs += LOOK_EVERY_MS) {
      if (waitedMs >= STOP_LIMIT_MS) signal(pid, 'SIGKILL')
      if (waitedMs >= 2 * STOP_LIMIT_MS) throw new Error(`${name} (pid ${pid}) does not end`)
      await sleep(LOOK_EVERY_MS)
    }
  }
  forgetPid(stateDir, name)
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name)
  } catch {
    // It is gone already.
  }
}

const PARENT_LOOK_EVERY_MS = 500

/** For a child: ends it, in order, when the launcher that started it is gone without a word. */
export function followParent(stop: () => void): void {
  const parent = Number(process.env.COULISSE_PARENT_PID ?? 0)
  if (parent === 0) return
  const started = startTimeOf(parent)
  const timer = setInterval(() => {
    if (startTimeOf(parent) !== started) stop()
  }, PARENT_LOOK_EVERY_MS)
  timer.unref()
}
