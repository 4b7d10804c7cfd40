/** Published heads of the journal's tree and the keys that signed them: written once, never changed. */
import type pg from 'pg'
import type { JournalKey, SignedHead } from '#domain/tree-head'
import { asDriverError } from './pool.ts'

export class PostgresTreeHeads {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** In order of their numbers, those after `after`. */
  async heads(after: number): Promise<readonly SignedHead[]> {
    return asDriverError('read the heads of the journal', async () => {
      const { rows } = await this.#pool.query<{ head: SignedHead; signature: string }>(
        'select head, signature from coulisse.tree_head where number > $1 order by number',
        [after],
      )
      return rows.map(({ head, signature }) => ({ ...head, signature }))
    })
  }

  /** False when somebody else was first with this number. */
  async addHead({ signature, ...head }: SignedHead): Promise<boolean> {
    return asDriverError('keep a head of the journal', async () => {
      const { rowCount } = await this.#pool.query(
        'insert into coulisse.tree_head (number, head, signature) values ($1, $2, $3) on conflict (number) do nothing',
        [head.number, JSON.stringify(head), signature],
      )
      return rowCount === 1
    })
  }

  async keys(): Promise<readonly JournalKey[]> {
    return asDriverError('read the keys of the journal', async () => {
      const { rows } = await this.#pool.query<{ key: JournalKey }>(
        'select key from coulisse.journal_key order by number',
      )
      return rows.map(({ key }) => key)
    })
  }

  /** `number` from 1. False when somebody else was first. */
  async addKey(number: number, key: JournalKey): Promise<boolean> {
    return asDriverError('keep a key of the journal', async () => {
      const { rowCount } = await this.#pool.query(
        'insert into coulisse.journal_key (number, key) values ($1, $2) on conflict (number) do nothing',
        [number, JSON.stringify(key)],
      )
      return rowCount === 1
    })
  }
}
