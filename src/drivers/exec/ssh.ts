/** Commands on a node by the system's ssh: strict host keys, one named key, and nothing left to anybody's configuration files. */
import { DriverError, type Retry } from '#domain/driver-error'
import { type Ran, run } from './run.ts'

export type SshAccess = {
  readonly user: string
  /** Files. The private key without a passphrase; known_hosts of our own: `HOST TYPE KEY`, with a port `[HOST]:PORT TYPE KEY`. */
  readonly key: string
  readonly knownHosts: string
  readonly port?: number
}

/** By node: where its sshd is, if not under its own name and the port of all. */
export type SshNodes = SshAccess & {
  readonly nodes: Readonly<Record<string, { readonly host?: string; readonly port?: number }>>
}

export type SshTarget = SshAccess & { readonly node: string; readonly host: string }

export type Remote = {
  readonly driver: string
  readonly doing: string
  /** Joined by blanks and read by the remote shell, or by the forced command: none holds a character that means anything there. */
  readonly words: readonly string[]
  readonly input?: string
  readonly deadlineMs: number
}

const DEFAULT_PORT = 22
const CONNECT_LIMIT_S = 5
/** A link that dies under a command is noticed after 15 s; the deadline may come first. */
const ALIVE_EVERY_S = 5
const ALIVE_MISSES_LIMIT = 3
/** More nodes are not asked in turn: who waits at 3 a.m. waits for three time-outs, not for twenty. */
const NODES_TRIED_LIMIT = 3
/** ssh's own exit status; but a command may end with it too (Perl's `die` does, and so does ha-manager). */
const SSH_FAILED = 255
const SHOWN_LENGTH = 300

const HOST = /^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/
const USER = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/
const REMOTE_WORD = /^[A-Za-z0-9@%+=:,./_-]+$/

/** OpenSSH 8.4 and newer; `-F none` reads no file, so what is not here is ssh's own default. */
const optionsOf = ({ key, knownHosts, user, port }: SshTarget): Readonly<Record<string, string | number>> => ({
  User: user,
  Port: port ?? DEFAULT_PORT,
  IdentityFile: key,
  UserKnownHostsFile: knownHosts,
  GlobalKnownHostsFile: '/dev/null',
  StrictHostKeyChecking: 'yes',
  CheckHostIP: 'no',
  UpdateHostKeys: 'no',
  BatchMode: 'yes',
  IdentitiesOnly: 'yes',
  IdentityAgent: 'none',
  PreferredAuthentications: 'publickey',
  PubkeyAuthentication: 'yes',
  PasswordAuthentication: 'no',
  KbdInteractiveAuthentication: 'no',
  GSSAPIAuthentication: 'no',
  ForwardAgent: 'no',
  ForwardX11: 'no',
  ClearAllForwardings: 'yes',
  PermitLocalCommand: 'no',
  ControlMaster: 'no',
  ControlPath: 'none',
  RequestTTY: 'no',
  ConnectionAttempts: 1,
  ConnectTimeout: CONNECT_LIMIT_S,
  ServerAliveInterval: ALIVE_EVERY_S,
  ServerAliveCountMax: ALIVE_MISSES_LIMIT,
  // Its errors are told apart by their words, and some of them are said at this level only.
  LogLevel: 'INFO',
})

export function sshCommand(target: SshTarget, words: readonly string[]): readonly string[] {
  const options = Object.entries(optionsOf(target)).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  return ['ssh', '-F', 'none', ...options, '--', target.host, ...words]
}

/** All of them, in the order of the configuration, those of `last` at the end. */
export function targetsOf({ nodes, ...access }: SshNodes, last: readonly string[] = []): SshTarget[] {
  const targets = Object.entries(nodes).map(([node, { host, port }]) => ({
    ...access,
    node,
    host: host ?? node,
    ...(port === undefined ? {} : { port }),
  }))
  const isLast = ({ node }: SshTarget) => last.includes(node)
  return [...targets.filter((target) => !isLast(target)), ...targets.filter(isLast)]
}

/**
 * Resolves with the command's own exit code, whatever it is.
 * @throws DriverError for what is ssh's own: 'never' where a person must look (host key, refused key, a name that does not exist),
 * 'later' where the node was not reached or did not answer in time; then the command may have run all the same.
 */
export async function runOnNode(asked: Remote, target: SshTarget): Promise<Ran> {
  const { driver, doing, words, input, deadlineMs } = asked
  const wrong = [
    ...(HOST.test(target.host) ? [] : [target.host]),
    ...(USER.test(target.user) ? [] : [target.user]),
    ...words.filter((word) => !REMOTE_WORD.test(word)),
  ]
  if (wrong.length > 0) {
    const text = `'${wrong[0]}' is nothing that may be given to ssh`
    throw new DriverError(driver, doing, { retry: 'never', text })
  }
  const command = sshCommand(target, words)
  const ran = await run({ driver, doing, command, deadlineMs, ...(input === undefined ? {} : { input }) })
  const failure = sshFailure(ran, target)
  if (failure !== undefined) throw new DriverError(driver, doing, failure)
  return ran
}

/** Why ssh itself failed; undefined: it did not, and the exit code is the command's. */
export function sshFailure(
  { code, stderr }: Pick<Ran, 'code' | 'stderr'>,
  target: Pick<SshTarget, 'host' | 'key' | 'knownHosts' | 'user'>,
): { readonly retry: Retry; readonly text: string } | undefined {
  if (code !== SSH_FAILED) return undefined
  const { host, key, knownHosts, user } = target
  const never = (text: string) => ({ retry: 'never' as const, text })
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) {
    return never(
      `the host key of ${host} is not the one in ${knownHosts}: reinstalled, or somebody else answers in its place; compare it on the node's console before you change that file`,
    )
  }
  if (/Host key verification failed|host key is known for/.test(stderr)) {
    return never(`${knownHosts} has no host key of ${host}`)
  }
  if (/Permission denied \(/.test(stderr)) return never(refusedKey(stderr, { host, key, user }))
  const said = saidBySsh(stderr)
  if (said === undefined) return stderr.trim() === '' ? { retry: 'later', text: 'ended without a word' } : undefined
  return { retry: LASTING.test(said) ? 'never' : 'later', text: said }
}

/** ssh first says that it cannot use the key, and then that it was refused. */
function refusedKey(stderr: string, { host, key, user }: { host: string; key: string; user: string }): string {
  const unusable = lines(stderr).find((line) =>
    /^(no such identity|Load key|Permissions .* too open|identity file)/i.test(line),
  )
  if (unusable !== undefined) return `the key ${key} cannot be used: ${unusable}`
  return `${host} refuses the key ${key} for ${user}: its line is missing in authorized_keys`
}

/** ssh's own last words, apart from what the command on the node printed. */
const SSH_WORDS =
  /^(ssh: |kex_exchange_identification|ssh_dispatch_run_fatal|ssh_exchange_identification|banner exchange|Connection (to|closed|reset|timed|refused)|Timeout, server|client_loop|Unable to negotiate|Bad (configuration|owner|packet)|command-line|.*: (no matching|Bad configuration option)|Write failed|packet_write|Could not resolve|.*Broken pipe)/
const LASTING = /Name or service not known|No address associated|no matching|Bad (configuration|owner)|command-line/

const saidBySsh = (stderr: string) =>
  lines(stderr)
    .filter((line) => SSH_WORDS.test(line))
    .at(-1)
    ?.slice(0, SHOWN_LENGTH)

const lines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

/**
 * On the first node that can be asked, of at most three. `goesOn`: an answer that another node may give better (no quorum there).
 * The error names every node that was tried; it is 'later' where one of them may still answer.
 */
export async function runOnOneOf(
  asked: Remote,
  targets: readonly SshTarget[],
  goesOn: (ran: Ran) => boolean = () => false,
): Promise<Ran & { readonly node: string }> {
  const failures: { readonly node: string; readonly retry: Retry; readonly text: string }[] = []
  let unsure: (Ran & { readonly node: string }) | undefined
  for (const target of targets.slice(0, NODES_TRIED_LIMIT)) {
    try {
      const ran = { ...(await runOnNode(asked, target)), node: target.node }
      if (!goesOn(ran)) return ran
      unsure = ran
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      failures.push({ node: target.node, retry: error.retry, text: whyOf(error) })
    }
  }
  if (unsure !== undefined) return unsure
  const text = failures.map((one) => `${one.node}: ${one.text}`).join('; ')
  const retry = failures.some((one) => one.retry !== 'never') ? 'later' : 'never'
  throw new DriverError(asked.driver, asked.doing, { retry, text: text === '' ? 'no node is configured' : text })
}

/** The reason alone: who and what stand in the new error already. */
const whyOf = ({ driver, doing, message }: DriverError) => message.replace(`${driver}: ${doing}: `, '')
