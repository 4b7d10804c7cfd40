/** The `ceph` command with JSON answers: own deadlines, own retries, and error codes told apart. */
import type { ZodType } from 'zod'
import { DriverError, type Retry } from '#domain/driver-error'
import { type Ran, run } from '#drivers/exec/run'
import { runOnOneOf, type SshNodes, targetsOf } from '#drivers/exec/ssh'

export type CephCliConfig = {
  /** Program and leading arguments. */
  readonly command?: readonly string[]
  readonly conf?: string
  readonly keyring?: string
  /** The cephx user, 'client.coulisse'. */
  readonly name?: string
  readonly env?: Readonly<Record<string, string>>
  /**
   * Instead of a `ceph` of our own: that of a node, whose forced command (drivers/exec/coulisse-node.sh) runs it as client.coulisse.
   * A node that cannot be asked is followed by the next: the drained one may be among them.
   */
  readonly ssh?: SshNodes
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
/** Not Ceph's: the forced command refused, or there is no `ceph` on the node. */
const OF_THE_NODE: ReadonlySet<number> = new Set([77, 126, 127])

/** One question, once: by our own `ceph`, or by that of the first node that can be asked. */
type Question = { readonly doing: string; readonly args: readonly string[]; readonly input?: string }

function once(config: CephCliConfig): (question: Question) => Promise<Ran> {
  const { deadlineMs, env = {}, ssh } = config
  if (ssh !== undefined) {
    let targets = targetsOf(ssh)
    return async ({ args, ...asked }) => {
      const ran = await runOnOneOf({ ...asked, driver: 'ceph', words: ['ceph', ...args], deadlineMs }, targets)
      // Who answered is asked first from now on: a node that is off would cost every question its time-out.
      targets = targetsOf(ssh).sort((left, right) => Number(right.node === ran.node) - Number(left.node === ran.node))
      return ran
    }
  }
  const leading = [
    ...(config.command ?? ['ceph']),
    ...(config.conf === undefined ? [] : ['--conf', config.conf]),
    ...(config.keyring === undefined ? [] : ['--keyring', config.keyring]),
    ...(config.name === undefined ? [] : ['--name', config.name]),
  ]
  return ({ args, ...asked }) => run({ ...asked, driver: 'ceph', command: [...leading, ...args], env, deadlineMs })
}

export function cephCli(config: CephCliConfig): CephCli {
  const askOnce = once(config)
  // By ssh the next try is the next node, and that has been made already.
  const triesLimit = config.ssh === undefined ? TRIES_LIMIT : 1
  async function ask(doing: string, args: readonly string[], input?: string): Promise<Ran> {
    for (let tries = 1; ; tries++) {
      try {
        return await askOnce({ doing, args, ...(input === undefined ? {} : { input }) })
      } catch (error) {
        if (!(error instanceof DriverError) || error.retry === 'never' || tries >= triesLimit) throw error
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
  if (code === ENOENT || code === EACCES || code === EINVAL || OF_THE_NODE.has(code)) return 'never'
  // "[errno 13] RADOS permission denied", "ObjectNotFound … conf_read_file": keys or files are wrong, time heals nothing.
  return /permission denied|conf_read_file|PermissionDenied/.test(stderr) ? 'never' : 'later'
}
