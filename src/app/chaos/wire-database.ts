/** What the wire trials read of the database, on a connection of their own that no gate is in the way of. */
import { createHash } from 'node:crypto'
import pg from 'pg'
import type { JournalRow } from '#domain/event'
import { maintenanceId } from '#domain/ids'
import { chainProblems } from '#domain/journal-chain'
import type { Sha256 } from '#domain/merkle'
import { PostgresJournal } from '#drivers/postgres/journal'

const CONNECT_LIMIT_MS = 2_000

export type Owned = { readonly id: string; readonly pid: number }

export class WireDatabase {
  readonly #pool: pg.Pool

  constructor(url: string) {
    this.#pool = new pg.Pool({ connectionString: url, max: 4, connectionTimeoutMillis: CONNECT_LIMIT_MS })
    this.#pool.on('connect', (client) => client.on('error', () => {}))
    this.#pool.on('error', () => {})
  }

  /** Undefined while the database is away, or before its tables were made. */
  async #ask<T extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<readonly T[] | undefined> {
    try {
      return (await this.#pool.query<T>(sql, values)).rows
    } catch {
      return undefined
    }
  }

  async rowCount(): Promise<number> {
    return (await this.#ask<{ count: number }>('select count(*)::int as count from coulisse.journal'))?.[0]?.count ?? 0
  }

  /** Whether the newest row tells of an act that is about to be done. */
  async isActing(): Promise<boolean> {
    const rows = await this.#ask<{ kind: string }>(
      `select event->>'kind' as kind from coulisse.journal order by id desc limit 1`,
    )
    return rows?.[0]?.kind === 'intends'
  }

  /** Sagas that run somewhere, children too, each with the pid of its worker. Undefined: nobody can tell. */
  async owned(): Promise<readonly Owned[] | undefined> {
    const rows = await this.#ask<{ id: string; executor: string }>(
      `select workflow_uuid as id, executor_id as executor from dbos.workflow_status where status = 'PENDING'`,
    )
    return rows?.map(({ id, executor }) => ({ id, pid: Number.parseInt(executor, 10) }))
  }

  /** When the first step of one of these sagas began after `sinceMs`, by the clock of the machine. */
  async firstStepSince(ids: readonly string[], sinceMs: number): Promise<number | undefined> {
    const rows = await this.#ask<{ at: string | null }>(
      `select min(started_at_epoch_ms) as at from dbos.operation_outputs
       where workflow_uuid = any($1) and started_at_epoch_ms >= $2`,
      [ids, sinceMs],
    )
    const at = rows?.[0]?.at
    return at === undefined || at === null ? undefined : Number(at)
  }

  /** How the story's saga stands; undefined while there is none. */
  async status(): Promise<{ readonly id: string; readonly status: string; readonly text: string | null } | undefined> {
    const rows = await this.#ask<{ id: string; status: string; text: string | null }>(
      'select id, status, text from coulisse.saga where root_id = id',
    )
    return rows?.[0]
  }

  /** Sagas, children too, that have not ended. */
  async unfinished(): Promise<readonly string[]> {
    const rows = await this.#ask<{ id: string }>(`select id from coulisse.saga where status = 'running'`)
    return (rows ?? []).map(({ id }) => id)
  }

  async journal(id: string): Promise<readonly JournalRow[]> {
    const clock = { nowMs: async () => 0, sleepUntil: async () => {} }
    return new PostgresJournal({ pool: this.#pool, clock }).read(maintenanceId(id))
  }

  close(): Promise<void> {
    return this.#pool.ended ? Promise.resolve() : this.#pool.end()
  }
}

const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')

export const chainFaults = (rows: readonly JournalRow[]) =>
  rows.length === 0 ? ['the journal is empty'] : chainProblems(rows, sha256)
