/** The `ceph` command with JSON answers: own deadlines, own retries, and error codes told apart. */
import type { ZodType } from 'zod'
import { DriverError, type Retry } from '#domain/driver-error'
import { type Ran, run } from '#drivers/exec/run'

export type CephCliConfig = {
  /** Program and leading arguments: ['ceph'], or one behind ssh. */
  readonly command: readonly string[]
  readonly conf?: string
  readonly keyring?: string
  /** The cephx user, 'client.coulisse'. */
  readonly name?: string
  readonly env?: Readonly<Record<string, string>>
  /** For one call. A call takes 0.15 s, 2.3 s on a busy machine, and up to 30 s where its monitor was just cut off. */
  readonly deadlineMs: number
}

export type CephCli = {
  /** An answer in JSON. Repeated when it hangs: the next try finds another monitor. */
  json<T>(doing: string, args: readonly string[], schema: ZodType<T>): Promise<T>
  /** Answers to several questions of one process, in order: its start costs more than the questions. */
  looks(doing: string, questions: readonly string[]): Promise<readonly string[]>
  /** Exit code and output, for questions whose "no" is an exit code, and for writes that may be done twice. */
  ask(doing: string, args: readonly string[], input?: string): Promise<Ran>
}

/** A hung monitor session is left behind with its process; three tries reach another monitor but in a dead cluster. */
const TRIES_LIMIT = 3

/** errno as exit codes (Ceph 16 to 19): EPERM stands for any Python exception of the client, so its text is read. */
const ENOENT = 2
const EACCES = 13
const EINVAL = 22

export function cephCli(config: CephCliConfig): CephCli {
  const leading = [
    ...config.command,
    ...(config.conf === undefined ? [] : ['--conf', config.conf]),
    ...(config.keyring === undefined ? [] : ['--keyring', config.keyring]),
    ...(config.name === undefined ? [] : ['--name', config.name]),
  ]
  async function ask(doing: string, args: readonly string[], input?: string): Promise<Ran> {
    for (let tries = 1; ; tries++) {
      try {
        return await run({
          driver: 'ceph',
          doing,
          command: [...leading, ...args],
          env: config.env ?? {},
          deadlineMs: config.deadlineMs,
          ...(input === undefined ? {} : { input }),
        })
      } catch (error) {
        if (!(error instanceof DriverError) || error.retry === 'never' || tries >= TRIES_LIMIT) throw error
      }
    }
  }
  async function json<T>(doing: string, args: readonly string[], schema: ZodType<T>): Promise<T> {
    const ran = await ask(doing, [...args, '--format', 'json'])
    if (ran.code !== 0) throw cephError(doing, ran)
    return parseAnswer(doing, ran.stdout, schema)
  }
  /** Without a command `ceph` reads commands, a line each, and prints each answer on a line of its own; a refusal prints none. */
  async function looks(doing: string, questions: readonly string[]): Promise<readonly string[]> {
    const ran = await ask(doing, ['--format', 'json'], `${questions.join('\n')}\n`)
    if (ran.code !== 0) throw cephError(doing, ran)
    const answers = ran.stdout.split('\n').filter((line) => line.trim() !== '')
    if (answers.length === questions.length) return answers
    const retry = ran.stderr.includes('EACCES') ? 'never' : 'later'
    throw new DriverError('ceph', doing, { retry, text: lastWords(ran.stderr) })
  }
  return { json, looks, ask }
}

export function parseAnswer<T>(doing: string, stdout: string, schema: ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(stdout))
  } catch (cause) {
    throw new DriverError('ceph', doing, { retry: 'never', cause, text: 'answered in a form that we do not know' })
  }
}

export function cephError(doing: string, ran: Ran): DriverError {
  return new DriverError('ceph', doing, { retry: retryOf(ran), text: `${lastWords(ran.stderr)} (exit ${ran.code})` })
}

/** What `ceph` said last, without the client's own log lines (an admin socket that exists already, and the like). */
export function lastWords(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim())
  const said = lines.filter((line) => line !== '' && !/^\d{4}-\d\d-\d\dT/.test(line))
  return said.at(-1) ?? 'no reason given'
}

function retryOf({ code, stderr }: Ran): Retry {
  if (code === ENOENT || code === EACCES || code === EINVAL) return 'never'
  // "[errno 13] RADOS permission denied", "ObjectNotFound … conf_read_file": keys or files are wrong, time heals nothing.
  return /permission denied|conf_read_file|PermissionDenied/.test(stderr) ? 'never' : 'later'
}
