/** What the watchdog reads of the database: maintenances that are not over, and whether a control plane lives. Read only. */
import pg from 'pg'
import type { JournalRow } from '#domain/event'
import { asDriverError } from './pool.ts'

const CONNECT_LIMIT_MS = 5_000
const QUERY_LIMIT_MS = 10_000
/** One at a time in a cluster, and those that were never released besides: more than this is not read. */
const MAINTENANCES_LIMIT = 100

export type Unsettled = {
  readonly id: string
  readonly status: 'running' | 'ended' | 'crashed'
  readonly text: string | null
  /** As the saga was given it. */
  readonly input: unknown
  readonly rows: readonly JournalRow[]
}

export type UnsettledLook = {
  /** Running, crashed, or ended stuck, and not released. */
  readonly maintenances: readonly Unsettled[]
  /** Sessions that hold a worker's lock. */
  readonly workers: number
}

const UNSETTLED = `select id, status, coalesce(text, result->>'text') as text, input from coulisse.saga
  where parent_id is null and definition = $1 and released_at is null
    and (status <> 'ended' or result->>'ending' = 'stuck')
  order by made_at limit ${MAINTENANCES_LIMIT}`

/**
 * Workers hold a lock on a hash of their name for as long as they live. Locks of our own with a number that is written down (journal,
 * migrations) fit into 32 bits and have no classid. pg_locks shows everybody's, to whoever asks.
 */
const WORKERS = `select count(distinct lock.pid)::int as workers from pg_locks lock
  join pg_database base on base.oid = lock.database
  where lock.locktype = 'advisory' and lock.granted and lock.objsubid = 1 and lock.classid <> 0
    and base.datname = current_database()`

const ROWS = `select maintenance, seq, key, at_ms as "atMs", event, prev_hash as "prevHash", hash
  from coulisse.journal where maintenance = $1 order by seq`

/** A connection for one look: one that was kept would hide that nobody can make a new one. */
export async function lookAtUnsettled(url: string, definition: string): Promise<UnsettledLook> {
  return asDriverError('look at the journal', async () => {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: CONNECT_LIMIT_MS,
      query_timeout: QUERY_LIMIT_MS,
      application_name: 'coulisse watchdog',
    })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query('set default_transaction_read_only = on')
      const { rows: known } = await client.query<{ known: boolean }>(
        "select to_regclass('coulisse.saga') is not null as known",
      )
      const { rows: alive } = await client.query<{ workers: number }>(WORKERS)
      const workers = alive[0]?.workers ?? 0
      if (known[0]?.known !== true) return { maintenances: [], workers }
      const { rows } = await client.query<Omit<Unsettled, 'rows'>>(UNSETTLED, [definition])
      const maintenances: Unsettled[] = []
      for (const one of rows) {
        maintenances.push({ ...one, rows: (await client.query<JournalRow>(ROWS, [one.id])).rows })
      }
      return { maintenances, workers }
    } finally {
      await client.end().catch(() => {})
    }
  })
}
