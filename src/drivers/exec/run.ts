/** Runs a program: no shell, an own deadline, a limit on what it may print, and secrets by environment only. */
import { execFile } from 'node:child_process'
import { DriverError } from '#domain/driver-error'
import { Secret } from '#domain/secret'

const OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024

/** What a child may know of us: enough to be found and to find its keys; not our tokens. */
const INHERITED = ['PATH', 'HOME', 'SSH_AUTH_SOCK', 'COULISSE_LAB_CONTROL'] as const

export type Run = {
  readonly driver: string
  /** In the words of the person who reads it at 3 a.m.; stands in errors in place of the command line. */
  readonly doing: string
  /** Program and arguments. Never a secret: every user of the machine can read an argv. */
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string | Secret>>
  readonly input?: string
  readonly deadlineMs: number
}

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string; readonly tookMs: number }

/**
 * Resolves with the exit code, whatever it is: what a code means is the caller's to know.
 * @throws DriverError 'never' where the program is missing or prints without end, 'later' past the deadline or when it was killed.
 */
export function run(asked: Run): Promise<Ran> {
  const [program, ...args] = asked.command
  const fail = (retry: 'later' | 'never', text: string) =>
    new DriverError(asked.driver, asked.doing, { retry, text: `${program ?? 'no program'} ${text}` })
  if (program === undefined) return Promise.reject(fail('never', 'was configured'))
  const startedAt = performance.now()
  const options = {
    env: environment(asked.env ?? {}),
    timeout: asked.deadlineMs,
    killSignal: 'SIGKILL',
    maxBuffer: OUTPUT_LIMIT_BYTES,
    encoding: 'utf8',
  } as const
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      const tookMs = performance.now() - startedAt
      if (error === null) resolve({ code: 0, stdout, stderr, tookMs })
      else if (error.code === 'ENOENT') reject(fail('never', 'is not installed (or not in PATH)'))
      else if (error.code === 'EACCES') reject(fail('never', 'may not be run by this user'))
      else if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') reject(fail('never', 'printed without end'))
      else if (error.killed) reject(fail('later', `did not end within ${asked.deadlineMs} ms`))
      else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr, tookMs })
      else reject(fail('later', `ended by ${error.signal ?? error.code ?? 'an unknown cause'}`))
    })
    // A program that does not read its input closes the pipe: its exit code tells what happened, not EPIPE.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(asked.input ?? '')
  })
}

function environment(own: Readonly<Record<string, string | Secret>>): Record<string, string> {
  // LC_ALL: we read what programs print, so they print it in one language. TZ: SEL times are read as UTC.
  const env: Record<string, string> = { LC_ALL: 'C', TZ: 'UTC' }
  for (const name of INHERITED) {
    const value = process.env[name]
    if (value !== undefined) env[name] = value
  }
  for (const [name, value] of Object.entries(own)) env[name] = value instanceof Secret ? value.reveal() : value
  return env
}
