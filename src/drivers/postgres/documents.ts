/** A small store of JSON under keys, for state that has no history: the detector's, cursors, sessions. */
import type pg from 'pg'
import type { Json } from '#domain/json'
import { asDriverError } from './pool.ts'

export class PostgresDocuments {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  async get<T extends Json>(key: string): Promise<T | undefined> {
    return asDriverError(`read ${key}`, async () => {
      const { rows } = await this.#pool.query<{ value: T }>('select value from coulisse.document where key = $1', [key])
      return rows[0]?.value
    })
  }

  async put(key: string, value: Json): Promise<void> {
    await asDriverError(`write ${key}`, () =>
      this.#pool.query(
        `insert into coulisse.document (key, value) values ($1, $2)
         on conflict (key) do update set value = excluded.value, updated_at = now()`,
        [key, JSON.stringify(value)],
      ),
    )
  }
}
