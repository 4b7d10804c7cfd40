/** The journal in PostgreSQL. A trigger refuses every change of a row that was written. */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { JournalRow } from '#domain/event'
import { CHAIN_START, hashOfRow } from '#domain/journal-chain'
import type { Clock } from '#ports/clock'
import type { Appended, Journal } from '#ports/journal'
import { asDriverError, inTransaction } from './pool.ts'

/** A row with its place among the rows of all maintenances: what a live reader remembers. */
export type WatchedRow = { readonly id: number; readonly row: JournalRow }

/**
 * One writer at a time in the whole journal. NOTIFY makes commits wait for each other anyway, and so ids are given in the order in
 * which rows become visible: a reader that goes on after the last id it saw misses none.
 */
const JOURNAL_LOCK = 0x6a6f7572
const CHANNEL = 'coulisse_journal'
const WATCH_PAGE = 500
/** A notification can be lost with its connection: a watcher looks by itself as well. */
const WATCH_POLL_MS = 1_000

const COLUMNS = 'maintenance, seq, key, at_ms as "atMs", event, prev_hash as "prevHash", hash'

export class PostgresJournal implements Journal {
  readonly #pool: pg.Pool
  readonly #clock: Clock

  constructor(options: { readonly pool: pg.Pool; readonly clock: Clock }) {
    this.#pool = options.pool
    this.#clock = options.clock
  }

  async append(entry: Parameters<Journal['append']>[0]): Promise<Appended> {
    const { maintenance, key, event } = entry
    const atMs = await this.#clock.nowMs()
    return inTransaction(this.#pool, `write ${event.kind} into the journal`, async (client) => {
      await client.query('select pg_advisory_xact_lock($1)', [JOURNAL_LOCK])
      const known = await client.query(`select ${COLUMNS} from coulisse.journal where maintenance = $1 and key = $2`, [
        maintenance,
        key,
      ])
      if (known.rows[0]) return { row: known.rows[0] as JournalRow, isNew: false }
      const last = await client.query<{ seq: number; hash: string }>(
        'select seq, hash from coulisse.journal where maintenance = $1 order by seq desc limit 1',
        [maintenance],
      )
      const { seq, hash: prevHash } = last.rows[0] ?? { seq: 0, hash: CHAIN_START }
      const text = JSON.stringify(event)
      const unhashed = { maintenance, seq: seq + 1, key, atMs, event: JSON.parse(text), prevHash }
      const row: JournalRow = { ...unhashed, hash: hashOfRow(unhashed, sha256) }
      await client.query(
        `insert into coulisse.journal (id, maintenance, seq, key, at_ms, event, prev_hash, hash)
         select coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7 from coulisse.journal`,
        [maintenance, row.seq, key, atMs, text, prevHash, row.hash],
      )
      await client.query(`notify ${CHANNEL}`)
      return { row, isNew: true }
    })
  }

  async read(maintenance: JournalRow['maintenance'], afterSeq = 0): Promise<readonly JournalRow[]> {
    return asDriverError(`read the journal of ${maintenance}`, async () => {
      const { rows } = await this.#pool.query<JournalRow>(
        `select ${COLUMNS} from coulisse.journal where maintenance = $1 and seq > $2 order by seq`,
        [maintenance, afterSeq],
      )
      return rows
    })
  }

  /** Of the newest row of all maintenances; 0 when there is none. */
  async lastId(): Promise<number> {
    return asDriverError('find the end of the journal', async () => {
      const { rows } = await this.#pool.query<{ id: string }>('select coalesce(max(id), 0) as id from coulisse.journal')
      return Number(rows[0]?.id ?? 0)
    })
  }

  /** Rows of all maintenances, in order, from the one after `afterId` on (0: all), until `signal`; each once. */
  async *watch(afterId: number, signal: AbortSignal): AsyncGenerator<WatchedRow> {
    const bell = await listen(this.#pool)
    try {
      for (let lastId = afterId; !signal.aborted; ) {
        const rows = await this.#after(lastId)
        for (const watched of rows) {
          yield watched
          lastId = watched.id
        }
        if (rows.length < WATCH_PAGE && !signal.aborted) await bell.rings(signal)
      }
    } finally {
      bell.close()
    }
  }

  async #after(id: number): Promise<readonly WatchedRow[]> {
    return asDriverError('follow the journal', async () => {
      const { rows } = await this.#pool.query<JournalRow & { id: string }>(
        `select id, ${COLUMNS} from coulisse.journal where id > $1 order by id limit ${WATCH_PAGE}`,
        [id],
      )
      return rows.map(({ id: rowId, ...row }) => ({ id: Number(rowId), row }))
    })
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

type Bell = { rings(signal: AbortSignal): Promise<void>; close(): void }

/** Rings when a row was written, or after a while. It listens before the first read, so that nothing falls between. */
async function listen(pool: pg.Pool): Promise<Bell> {
  const client = await asDriverError('listen to the journal', () => pool.connect())
  let isRung = false
  let wake = () => {}
  const ring = () => {
    isRung = true
    wake()
  }
  client.on('notification', ring)
  const onError = () => ring()
  client.on('error', onError)
  await client.query(`listen ${CHANNEL}`).catch(() => {})
  return {
    rings: (signal) =>
      new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer)
          signal.removeEventListener('abort', done)
          isRung = false
          resolve()
        }
        wake = done
        const timer = setTimeout(done, isRung ? 0 : WATCH_POLL_MS)
        signal.addEventListener('abort', done)
      }),
    // The connection is thrown away: it still listens.
    close: () => client.release(true),
  }
}
