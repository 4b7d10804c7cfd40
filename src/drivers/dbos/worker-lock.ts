/**
 * Who is alive: every worker holds a session advisory lock on its executor id, on a connection of its own. A worker whose lock can
 * be taken is dead, and its sagas may be taken up.
 */
import { performance } from 'node:perf_hooks'
import pg from 'pg'

const RETRY_MS = 500
const BEAT_MS = 1_000
const CONNECT_LIMIT_MS = 5_000
const ANSWER_LIMIT_MS = 5_000
/** No executor's: those begin with a pid. */
const ALONE_ID = 'start'
const ALONE_LOOK_MS = 50
const ALONE_LIMIT_MS = 60_000
/** A machine that vanished without a word is noticed by the server after about this long (keepalives, set per session). */
const SILENT_PEER_LIMIT_S = 15

export class WorkerLock {
  readonly #url: string
  readonly #id: string
  readonly #log: (text: string) => void
  #client: pg.Client | undefined
  #isClosed = false
  #held: Promise<void> = Promise.resolve()
  /** Counts losses: a run that began before a loss asks whether it still owns its saga. */
  lossCount = 0
  /** When the lock was last known to be ours, by `performance.now()`, which goes on while a process stands still. */
  provenAtMs = Number.NEGATIVE_INFINITY
  #beats: NodeJS.Timeout | undefined

  constructor(options: { readonly url: string; readonly id: string; readonly log: (text: string) => void }) {
    this.#url = options.url
    this.#id = options.id
    this.#log = options.log
  }

  /** Throws when the database does not answer. */
  async take(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      connectionTimeoutMillis: CONNECT_LIMIT_MS,
      query_timeout: ANSWER_LIMIT_MS,
      keepAlive: true,
      application_name: `coulisse lock ${this.#id}`,
    })
    client.on('error', () => {})
    try {
      await client.connect()
      // A process that stands still (stopped, swapping, a paused container) answers keepalives all the same: its silence ends it.
      await client.query(`set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 2;
        set tcp_user_timeout = '${SILENT_PEER_LIMIT_S}s'; set idle_session_timeout = '${SILENT_PEER_LIMIT_S}s'`)
      if (!(await tryLock(client, this.#id))) throw new Error(`another process holds the executor id ${this.#id}`)
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
    this.#client = client
    this.provenAtMs = performance.now()
    client.on('end', () => this.#lost(client))
    this.#beats ??= setInterval(() => void this.beat(), BEAT_MS).unref()
  }

  /** Resolves while the lock is held; a worker that lost it begins nothing until it has it again. */
  held(): Promise<void> {
    return this.#held
  }

  /** Asks whether the connection still lives: a network that went silent tells nobody. */
  async beat(): Promise<void> {
    const client = this.#client
    if (!client) return
    const askedAtMs = performance.now()
    await client.query('select 1').then(
      () => {
        this.provenAtMs = askedAtMs
      },
      () => {
        client.end().catch(() => {})
        this.#lost(client)
      },
    )
  }

  /** Runs `takeOver` when the other worker is dead; false when it lives. Its lock is held meanwhile, so that one taker is enough. */
  async whenDead(otherId: string, takeOver: () => Promise<void>): Promise<boolean> {
    const client = this.#client
    if (!client || !(await tryLock(client, otherId))) return false
    try {
      await takeOver()
      return true
    } finally {
      await unlock(client, otherId)
    }
  }

  /** Runs `work` while no other process runs its own: DBOS lays out its tables at every start, and two at once fail. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const client = this.#client
    if (!client) throw new Error('the database connection that shows we are alive is lost')
    for (let waitedMs = 0; !(await tryLock(client, ALONE_ID)); waitedMs += ALONE_LOOK_MS) {
      if (waitedMs >= ALONE_LIMIT_MS)
        throw new Error(`another process has been starting for ${ALONE_LIMIT_MS / 1000} s`)
      await new Promise((resolve) => setTimeout(resolve, ALONE_LOOK_MS))
    }
    try {
      return await work()
    } finally {
      // A connection that broke meanwhile has given it back already.
      await unlock(client, ALONE_ID).catch(() => {})
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#beats)
    await this.#client?.end().catch(() => {})
  }

  #lost(client: pg.Client): void {
    if (this.#isClosed || this.#client !== client) return
    this.lossCount++
    this.#client = undefined
    this.#log('the database connection that shows we are alive is lost: no step begins until it is back')
    this.#held = this.#regain()
  }

  /** Without a limit of its own: a worker without a database has nothing else to do, and whoever needs it may end it. */
  async #regain(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.take()
        this.#log('the database is back')
        return
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }
}

/** Keeps our locks apart from what else may be locked in this database. */
const LOCK_SEED = 0x73616761

async function tryLock(client: pg.Client, id: string): Promise<boolean> {
  const { rows } = await client.query('select pg_try_advisory_lock(hashtextextended($1, $2)) as taken', [id, LOCK_SEED])
  return rows[0].taken
}

async function unlock(client: pg.Client, id: string): Promise<void> {
  await client.query('select pg_advisory_unlock(hashtextextended($1, $2))', [id, LOCK_SEED])
}
