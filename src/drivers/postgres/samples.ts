/** Samples of witnesses: each kept once, found by guest and time, forgotten after some days. */
import type pg from 'pg'
import type { Vmid } from '#domain/ids'
import { chunkId, type SampleChunk } from '#domain/probing'
import { asDriverError } from './pool.ts'

export type StoredChunk = { readonly chunk: SampleChunk; readonly aheadMs: number | 'unknown' }

/** The null windows of a week, and some days to tell of them. */
const KEPT_MS = 10 * 86_400_000
/** A chunk covers no more than this: the index finds by its begin alone. */
const CHUNK_LIMIT_MS = 60_000

export class PostgresSamples {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** How many were new: those that came before stay as they are. */
  async put(chunks: readonly StoredChunk[]): Promise<number> {
    return asDriverError('keep samples', async () => {
      const rows = chunks.map(({ chunk, aheadMs }) => ({
        id: chunkId(chunk),
        guest: chunk.guest,
        from_ms: chunk.firstAtMs,
        to_ms: chunk.firstAtMs + chunk.periodMs * chunk.answersUs.length,
        ahead_ms: aheadMs === 'unknown' ? null : aheadMs,
        chunk,
      }))
      const { rowCount } = await this.#pool.query(
        `insert into coulisse.probe_sample select * from json_to_recordset($1) as one(id text, guest integer,
         from_ms double precision, to_ms double precision, ahead_ms double precision, chunk json) on conflict (id) do nothing`,
        [JSON.stringify(rows)],
      )
      return rowCount ?? 0
    })
  }

  async find(guest: Vmid, span: { readonly fromMs: number; readonly toMs: number }): Promise<readonly StoredChunk[]> {
    return asDriverError(`read samples of guest ${guest}`, async () => {
      const { rows } = await this.#pool.query<{ chunk: SampleChunk; ahead: number | null }>(
        `select chunk, ahead_ms as ahead from coulisse.probe_sample
         where guest = $1 and from_ms >= $2 and from_ms < $3 and to_ms > $4 order by from_ms`,
        [guest, span.fromMs - CHUNK_LIMIT_MS, span.toMs, span.fromMs],
      )
      return rows.map(({ chunk, ahead }) => ({ chunk, aheadMs: ahead ?? 'unknown' }))
    })
  }

  async forgetOld(nowMs: number): Promise<void> {
    await asDriverError('forget old samples', () =>
      this.#pool.query('delete from coulisse.probe_sample where to_ms < $1', [nowMs - KEPT_MS]),
    )
  }
}
