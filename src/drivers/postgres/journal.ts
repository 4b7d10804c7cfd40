/** The journal in PostgreSQL. A trigger refuses every change of a row that was written. */
import { createHash, randomBytes } from 'node:crypto'
import type pg from 'pg'
import type { JournalRow, Seal } from '#domain/event'
import type { ClusterName } from '#domain/ids'
import { CHAIN_START, hashOfRow } from '#domain/journal-chain'
import type { Sha256 } from '#domain/merkle'
import { joinStored, type NamingTexts, newSeal, partStored } from '#domain/seal'
import type { Clock } from '#ports/clock'
import { type Appended, type Journal, MAINTENANCES_READ } from '#ports/journal'
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
const HASHES_PAGE = 10_000
/** A notification can be lost with its connection: a watcher looks by itself as well. */
const WATCH_POLL_MS = 1_000

const COLUMNS = 'maintenance, seq, key, at_ms as "atMs", event, prev_hash as "prevHash", hash, seed, texts'
const ROWS = `select id, ${COLUMNS} from coulisse.journal left join coulisse.journal_text using (maintenance, seq)`

type StoredRow = JournalRow & {
  readonly id: string
  /** null: written before rows were sealed. */
  readonly seed: string | null
  readonly texts: NamingTexts | null
}

function rowOf({ id: _, seed, texts, event, ...rest }: StoredRow): JournalRow {
  return seed === null ? { ...rest, event } : { ...rest, ...joinStored(event, { seed, texts: texts ?? {} }) }
}

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
      const known = await client.query<StoredRow>(`${ROWS} where maintenance = $1 and key = $2`, [maintenance, key])
      if (known.rows[0]) return { row: rowOf(known.rows[0]), isNew: false }
      const last = await client.query<{ seq: number; hash: string }>(
        'select seq, hash from coulisse.journal where maintenance = $1 order by seq desc limit 1',
        [maintenance],
      )
      const { seq, hash: prevHash } = last.rows[0] ?? { seq: 0, hash: CHAIN_START }
      const written = JSON.parse(JSON.stringify(event)) as JournalRow['event']
      const unhashed = { maintenance, seq: seq + 1, key, atMs, event: written, prevHash, seal: newSeal(written, fresh) }
      const row: JournalRow = { ...unhashed, hash: hashOfRow(unhashed, sha256) }
      await insert(client, row, unhashed.seal)
      await client.query(`notify ${CHANNEL}`)
      return { row, isNew: true }
    })
  }

  async read(maintenance: JournalRow['maintenance'], afterSeq = 0): Promise<readonly JournalRow[]> {
    return asDriverError(`read the journal of ${maintenance}`, async () => {
      const { rows } = await this.#pool.query<StoredRow>(`${ROWS} where maintenance = $1 and seq > $2 order by seq`, [
        maintenance,
        afterSeq,
      ])
      return rows.map(rowOf)
    })
  }

  /** Hashes of all rows of all maintenances, in the order in which they were written, those after the first `from`. */
  async hashes(from: number): Promise<readonly string[]> {
    return asDriverError('read the hashes of the journal', async () => {
      const { rows } = await this.#pool.query<{ hash: string }>(
        'select hash from coulisse.journal where id > $1 order by id limit $2',
        [from, HASHES_PAGE],
      )
      return rows.map(({ hash }) => hash)
    })
  }

  /** Where the rows of a maintenance stand among all rows, counted from 0, in order of seq. */
  async places(maintenance: JournalRow['maintenance']): Promise<readonly number[]> {
    return asDriverError(`find the rows of ${maintenance}`, async () => {
      const { rows } = await this.#pool.query<{ id: string }>(
        'select id from coulisse.journal where maintenance = $1 order by seq',
        [maintenance],
      )
      // One writer at a time, and ids without a hole: the first row has 1.
      return rows.map(({ id }) => Number(id) - 1)
    })
  }

  /**
   * Forgets for good every text of the journal that holds the word, with its salt; what was sealed stays sealed, and every proof
   * holds. Returns how many texts. Upper and lower case are one.
   */
  async erase(word: string): Promise<number> {
    return inTransaction(this.#pool, 'erase a name from the journal', async (client) => {
      let count = 0
      let after: readonly [string, number] = ['', 0]
      for (;;) {
        const { rows } = await client.query<TextsRow>(
          `select maintenance, seq, texts from coulisse.journal_text where (maintenance, seq) > ($1, $2)
           order by maintenance, seq limit ${WATCH_PAGE}`,
          [...after],
        )
        for (const row of rows) count += await eraseIn(client, row, word.toLowerCase())
        const last = rows.at(-1)
        if (last === undefined) return count
        after = [last.maintenance, last.seq]
      }
    })
  }

  async readMoves(cluster: ClusterName): Promise<readonly JournalRow[]> {
    // As JSON, never as text: what consoles print holds \\u0000, and PostgreSQL makes no text of that.
    return asDriverError(`read the moves in ${cluster} from the journal`, async () => {
      const { rows } = await this.#pool.query<StoredRow>(
        `${ROWS} where maintenance in (
           select maintenance from coulisse.journal
           where seq = 1 and (event->'cluster')::text = $1 order by id desc limit ${MAINTENANCES_READ}
         ) and (event->'kind')::text in ('"intends"', '"did"') and (event->'act'->'kind')::text = '"migrate"'
         order by id`,
        [JSON.stringify(cluster)],
      )
      return rows.map(rowOf)
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
      const { rows } = await this.#pool.query<StoredRow>(`${ROWS} where id > $1 order by id limit ${WATCH_PAGE}`, [id])
      return rows.map((row) => ({ id: Number(row.id), row: rowOf(row) }))
    })
  }
}

/** The event in the journal, where nothing changes; the texts that may name somebody beside it, where they can be erased. */
async function insert(client: pg.PoolClient, row: JournalRow, seal: Seal): Promise<void> {
  const { maintenance, seq, key, atMs, prevHash, hash } = row
  const { event, texts } = partStored(row.event, seal, sha256)
  await client.query(
    `insert into coulisse.journal (id, maintenance, seq, key, at_ms, event, prev_hash, hash, seed)
     select coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8 from coulisse.journal`,
    [maintenance, seq, key, atMs, JSON.stringify(event), prevHash, hash, seal.seed],
  )
  if (Object.keys(texts).length === 0) return
  await client.query('insert into coulisse.journal_text (maintenance, seq, texts) values ($1, $2, $3)', [
    maintenance,
    seq,
    JSON.stringify(texts),
  ])
}

type TextsRow = { readonly maintenance: string; readonly seq: number; readonly texts: NamingTexts }

async function eraseIn(client: pg.PoolClient, { maintenance, seq, texts }: TextsRow, word: string): Promise<number> {
  const all = Object.entries(texts)
  const kept = all.filter(([, [, text]]) => !text.toLowerCase().includes(word))
  if (kept.length === all.length) return 0
  await client.query('update coulisse.journal_text set texts = $3 where maintenance = $1 and seq = $2', [
    maintenance,
    seq,
    JSON.stringify(Object.fromEntries(kept)),
  ])
  return all.length - kept.length
}

const SALT_BYTES = 16
const fresh = () => randomBytes(SALT_BYTES).toString('hex')

const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')

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
