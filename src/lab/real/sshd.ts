/** A real sshd on loopback with host keys, users' keys and a PATH of its own: a node as our ssh meets it. */
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '#drivers/exec/run'
import { daemonsIn, failed } from './processes.ts'

export type RealSshd = {
  readonly port: number
  readonly user: string
  /** Of ours: the private key, and its public line. */
  readonly key: string
  readonly publicKey: string
  /** The public line of the host's key. */
  readonly hostKey: string
  readonly authorizedKeys: string
  /** The sshd is there and says nothing, or goes on. */
  hang(): Promise<void>
  goOn(): Promise<void>
  stop(): Promise<void>
}

export type RealSshdOptions = {
  readonly dir: string
  /** In front of the PATH that commands get. */
  readonly programs?: string
  /** What commands get besides. */
  readonly env?: Readonly<Record<string, string>>
}

const SSHD = '/usr/sbin/sshd'
/** Debian's unit makes it; a root sshd without it does not start. */
const PRIVILEGE_SEPARATION = '/run/sshd'
const CALL_LIMIT_MS = 20_000
const LOOKS_LIMIT = 200
const LOOKS_APART_MS = 50

export const sshdIsInstalled = () =>
  access(SSHD).then(
    () => true,
    () => false,
  )

export async function startRealSshd({ dir, programs, env = {} }: RealSshdOptions): Promise<RealSshd> {
  const daemons = daemonsIn(dir)
  await daemons.endAll()
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true, mode: 0o700 })
  if (process.getuid?.() === 0) await mkdir(PRIVILEGE_SEPARATION, { recursive: true, mode: 0o755 })
  const { username: user } = userInfo()
  const [key, hostKey, authorizedKeys] = [join(dir, 'id'), join(dir, 'host'), join(dir, 'authorized_keys')]
  for (const file of [key, hostKey]) await makeKey(file)
  await writeFile(authorizedKeys, '', { mode: 0o600 })
  const port = await freePort()
  const path = [...(programs === undefined ? [] : [programs]), '/usr/local/bin', '/usr/bin', '/bin'].join(':')
  const given = Object.entries({ PATH: path, ...env }).map(([name, value]) => `"${name}=${value}"`)
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${authorizedKeys}`,
    'PidFile none',
    'UsePAM no',
    // The folder lies below one that others may write.
    'StrictModes no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    `SetEnv ${given.join(' ')}`,
    '',
  ].join('\n')
  await writeFile(join(dir, 'sshd_config'), config)
  await daemons.start('sshd', [SSHD, '-D', '-e', '-f', join(dir, 'sshd_config')])
  await listening(port, join(dir, 'log', 'sshd.log'))
  return {
    port,
    user,
    key,
    publicKey: await readFile(`${key}.pub`, 'utf8'),
    hostKey: await readFile(`${hostKey}.pub`, 'utf8'),
    authorizedKeys,
    hang: () => daemons.signal('sshd', 'SIGSTOP'),
    goOn: () => daemons.signal('sshd', 'SIGCONT'),
    stop: async () => {
      await daemons.endAll()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function makeKey(file: string): Promise<void> {
  const command = ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'coulisse', '-f', file]
  const ran = await run({ driver: 'real lab', doing: 'make an ssh key', command, deadlineMs: CALL_LIMIT_MS })
  if (ran.code !== 0) throw failed('make an ssh key', new Error(ran.stderr))
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

async function listening(port: number, log: string): Promise<void> {
  for (let look = 1; look <= LOOKS_LIMIT; look++) {
    if (await answers(port)) return
    await sleep(LOOKS_APART_MS)
  }
  throw failed('start sshd', new Error(`it does not listen, see ${log}`))
}

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(socket.destroy().destroyed))
    socket.once('error', () => resolve(false))
  })
