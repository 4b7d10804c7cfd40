/** A queue of JSON under one topic, with a limit: durable before its sender is told so, the same key once. */
import type pg from 'pg'
import type { Json } from '#domain/json'
import { asDriverError, inTransaction } from './pool.ts'

export type InboxRow<T> = { readonly id: number; readonly message: T }

export class PostgresInbox<T extends Json> {
  readonly #pool: pg.Pool
  readonly #topic: string
  readonly #limit: number

  constructor(options: { readonly pool: pg.Pool; readonly topic: string; readonly limit: number }) {
    this.#pool = options.pool
    this.#topic = options.topic
    this.#limit = options.limit
  }

  /** All of them are stored, or none: then there is no room. Two senders at once may go over the limit by one sending. */
  async put(messages: readonly { readonly key: string; readonly message: T }[]): Promise<'kept' | 'full'> {
    if (messages.length === 0) return 'kept'
    return inTransaction(this.#pool, `keep ${messages.length} of ${this.#topic}`, async (client) => {
      const { rows } = await client.query<{ count: string }>('select count(*) from coulisse.inbox where topic = $1', [
        this.#topic,
      ])
      if (Number(rows[0]?.count ?? 0) + messages.length > this.#limit) return 'full'
      await client.query(
        `insert into coulisse.inbox (topic, key, message)
         select $1, key, message from json_to_recordset($2) as one(key text, message json)
         on conflict (topic, key) do nothing`,
        [this.#topic, JSON.stringify(messages)],
      )
      return 'kept'
    })
  }

  /** In the order of their arrival. */
  async waiting(limit: number): Promise<readonly InboxRow<T>[]> {
    return asDriverError(`read ${this.#topic}`, async () => {
      const { rows } = await this.#pool.query<{ id: string; message: T }>(
        'select id, message from coulisse.inbox where topic = $1 order by id limit $2',
        [this.#topic, limit],
      )
      return rows.map(({ id, message }) => ({ id: Number(id), message }))
    })
  }

  async remove(ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return
    await asDriverError(`clear ${this.#topic}`, () =>
      this.#pool.query('delete from coulisse.inbox where topic = $1 and id = any($2::bigint[])', [this.#topic, ids]),
    )
  }
}
