/**
 * Our own small supervisor of the embedded PostgreSQL: takes up a server that still runs, starts one that does not. The server
 * outlives us on purpose, so that a kill -9 of any of our processes costs it nothing. Tested by a connection, never by a pid.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { DriverError } from '#domain/driver-error'
import { type EmbeddedHome, findHome, prepareHome } from './embedded-home.ts'

export type EmbeddedPostgres = {
  /** A connection string over the unix socket. It holds no secret: who may enter the socket's folder may connect. */
  readonly url: string
  readonly pid: number
  readonly isAdopted: boolean
  stop(): Promise<void>
}

type Log = (text: string) => void

const run = promisify(execFile)
const USER = 'coulisse'
const DATABASE = 'coulisse'
const START_TRIES_LIMIT = 20
const START_WAIT_S = 60
const RETRY_WAIT_MS = 250
const CONNECT_LIMIT_MS = 5_000
/** Replaying the log of a server that was killed may take a while; a tool that hangs must not hang us. */
const TOOL_LIMIT_MS = 120_000

/** Ready when it resolves, and the database exists. DriverError 'never' when this machine cannot run it. */
export async function startEmbeddedPostgres(options: {
  readonly stateDir: string
  readonly log: Log
  /** As root: who may run it, the first that the machine knows. Default `postgres`, then `nobody`. */
  readonly accountNames?: string[]
}): Promise<EmbeddedPostgres> {
  const { log } = options
  const home = prepareHome(options.stateDir, options.accountNames)
  let isAdopted = await answers(home)
  if (isAdopted) log(`PostgreSQL still runs in ${home.root}: taken up`)
  else isAdopted = await startServer(home, log)
  await createDatabase(home)
  return { url: urlOf(home, DATABASE), pid: pidOf(home), isAdopted, stop: () => stopServer(home) }
}

/** Where one that runs would be reached; whether one runs, a connection says. Undefined: none was ever made there. */
export function embeddedUrlOf(stateDir: string): string | undefined {
  const home = findHome(stateDir)
  return existsSync(home.dataDir) ? urlOf(home, DATABASE) : undefined
}

/** Stops a server that an earlier process left running; nothing when there is none. */
export async function stopEmbeddedPostgres(stateDir: string): Promise<void> {
  if (existsSync(findHome(stateDir).dataDir)) await stopServer(prepareHome(stateDir))
}

/** Stops the server and forgets all its data. */
export async function removeEmbeddedPostgres(stateDir: string): Promise<void> {
  await stopEmbeddedPostgres(stateDir)
  const { root, socketDir } = findHome(stateDir)
  for (const folder of [root, socketDir]) rmSync(folder, { recursive: true, force: true })
}

/** True when somebody else had it running in the end. */
async function startServer(home: EmbeddedHome, log: Log): Promise<boolean> {
  await initialise(home, log)
  writeFileSync(join(home.dataDir, CONF_FILE), confOf(home))
  for (let tries = 1; ; tries++) {
    try {
      await tool(home, 'pg_ctl', ['start', '-w', '-t', String(START_WAIT_S), '-D', home.dataDir, '-l', home.logFile])
      log(`PostgreSQL started in ${home.root}`)
      return false
    } catch (cause) {
      // A server killed a moment ago may still hold its memory, and another process of ours may be starting it just now.
      if (await answers(home)) return true
      if (tries >= START_TRIES_LIMIT) throw failed(`start in ${home.root}`, cause, lastLines(home.logFile))
      await new Promise((resolve) => setTimeout(resolve, RETRY_WAIT_MS))
    }
  }
}

async function initialise(home: EmbeddedHome, log: Log): Promise<void> {
  if (existsSync(home.dataDir)) return
  log(`PostgreSQL: making a new database in ${home.root}`)
  // A folder that was laid out halfway is never taken for a database, and two that start at once lay out one each.
  const half = `${home.dataDir}.new-${process.pid}-${randomUUID()}`
  // Trust, because only the account itself and root can enter the socket's folder; the network is refused besides.
  const rights = ['--auth-local=trust', '--auth-host=reject']
  await tool(home, 'initdb', ['-D', half, '-U', USER, ...rights, '--encoding=UTF8', '--locale=C', '--no-instructions'])
  writeFileSync(join(half, 'postgresql.conf'), `include_if_exists '${CONF_FILE}'\n`, { flag: 'a' })
  try {
    renameSync(half, home.dataDir)
  } catch (cause) {
    rmSync(half, { recursive: true, force: true })
    if (!existsSync(home.dataDir)) throw failed(`make ${home.dataDir}`, cause, '')
  }
}

const CONF_FILE = 'coulisse.conf'

function confOf(home: EmbeddedHome): string {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: home.socketDir,
    unix_socket_permissions: '0700',
    max_connections: '100',
    shared_buffers: '64MB',
    log_min_messages: 'warning',
    timezone: 'UTC',
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
  return lines.join('')
}

async function stopServer(home: EmbeddedHome): Promise<void> {
  if (!existsSync(join(home.dataDir, 'postmaster.pid'))) return
  try {
    await tool(home, 'pg_ctl', ['stop', '-w', '-m', 'fast', '-D', home.dataDir])
  } catch (cause) {
    // A pid file without a server: it was killed, and there is nothing to stop.
    if (await answers(home)) throw failed(`stop in ${home.root}`, cause, lastLines(home.logFile))
  }
}

async function answers(home: EmbeddedHome): Promise<boolean> {
  const client = new pg.Client({
    connectionString: urlOf(home, 'postgres'),
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    query_timeout: CONNECT_LIMIT_MS,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

async function createDatabase(home: EmbeddedHome): Promise<void> {
  const client = new pg.Client({ connectionString: urlOf(home, 'postgres'), connectionTimeoutMillis: CONNECT_LIMIT_MS })
  try {
    await client.connect()
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE])
    // 42P04, or 23505 where both were in the catalogue at once: another process of ours was faster.
    if (!rowCount)
      await client.query(`create database ${DATABASE}`).catch((error) => {
        if (error.code !== '42P04' && error.code !== '23505') throw error
      })
  } catch (cause) {
    throw failed('make the database', cause, '')
  } finally {
    await client.end().catch(() => {})
  }
}

function urlOf(home: EmbeddedHome, database: string): string {
  return `postgresql://${USER}@localhost/${database}?host=${encodeURIComponent(home.socketDir)}`
}

function pidOf(home: EmbeddedHome): number {
  const pid = Number.parseInt(readFileSync(join(home.dataDir, 'postmaster.pid'), 'utf8'), 10)
  if (!(pid > 0)) throw failed(`read the pid in ${home.dataDir}`, undefined, 'postmaster.pid names no process')
  return pid
}

async function tool(home: EmbeddedHome, name: 'initdb' | 'pg_ctl', args: readonly string[]): Promise<void> {
  const { account } = home
  await run(join(home.binDir, name), [...args], {
    cwd: home.root,
    timeout: TOOL_LIMIT_MS,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: home.root,
      LC_ALL: 'C',
      LD_LIBRARY_PATH: join(dirname(home.binDir), 'lib'),
    },
    ...(account ? { uid: account.uid, gid: account.gid } : {}),
  })
}

function lastLines(file: string): string {
  if (!existsSync(file)) return ''
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-5).join(' | ')
}

function failed(doing: string, cause: unknown, details: string): DriverError {
  const text = [cause instanceof Error ? cause.message.trim() : '', details].filter(Boolean).join('; server log: ')
  return new DriverError('postgres', doing, { retry: 'never', cause, text })
}
