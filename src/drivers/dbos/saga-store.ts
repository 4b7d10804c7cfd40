/** What the engine keeps besides DBOS's own records: sagas, messages and exclusive keys (schema coulisse, made by drivers/postgres). */
import type pg from 'pg'
import { DriverError } from '#domain/driver-error'
import type { Json } from '#domain/json'
import type { FanOutResult, SagaStatus, StartAnswer } from '#ports/saga'
import { type Child, type Cursors, isStuck, type Message } from '#ports/saga-over-records'
import type { ReplayRecord } from './replay.ts'

export type SagaRow = {
  readonly id: string
  readonly rootId: string
  readonly definition: string
  readonly input: Json
  readonly cursors: Cursors
  readonly status: 'running' | 'ended' | 'crashed'
  readonly isReleased: boolean
  /** Only of a child: it begins when `place - limit` of its siblings have ended. */
  readonly turn:
    | { readonly parentId: string; readonly fanOut: number; readonly place: number; readonly limit: number }
    | undefined
}

export class SagaStore {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** Makes a root saga with its keys, or nothing at all. */
  async make(saga: {
    readonly id: string
    readonly definition: string
    readonly input: Json
    readonly exclusive: readonly string[]
  }): Promise<StartAnswer> {
    return this.#inTransaction<StartAnswer>(async (client) => {
      const { id, definition, input, exclusive } = saga
      const made = await client.query(
        `insert into coulisse.saga (id, root_id, definition, input) values ($1, $1, $2, $3) on conflict do nothing`,
        [id, definition, JSON.stringify(input)],
      )
      if (made.rowCount === 0) return { is: 'exists' }
      // Sorted, so that two starts that want the same keys wait for each other instead of deadlocking.
      await client.query(
        `insert into coulisse.saga_key (key, saga_id)
         select key, $1 from unnest($2::text[]) as wanted (key) order by key on conflict do nothing`,
        [id, exclusive],
      )
      const { rows } = await client.query<{ key: string; by: string }>(
        'select key, saga_id as by from coulisse.saga_key where key = any($1)',
        [exclusive],
      )
      const mine = new Set(rows.filter(({ by }) => by === id).map(({ key }) => key))
      const key = exclusive.find((wanted) => !mine.has(wanted))
      if (key === undefined) return { is: 'started' }
      // Given back between our two looks: nobody is named any more, and the caller tries again.
      const by = rows.find((row) => row.key === key)?.by ?? ''
      throw new Busy({ is: 'busy', key, by })
    }).catch((error) => {
      if (error instanceof Busy) return error.answer
      throw error
    })
  }

  async makeChildren(parent: {
    readonly id: string
    readonly rootId: string
    readonly fanOut: number
    readonly definition: string
    readonly limit: number
    readonly children: readonly Child[]
  }): Promise<void> {
    const { id, rootId, fanOut, definition, limit, children } = parent
    await this.#pool.query(
      `insert into coulisse.saga (id, root_id, parent_id, fan_out, place, fan_out_limit, definition, input, cursors)
       select child.id, $1, $2, $3, child.place, $4, $5, child.input::json, $6
       from unnest($7::text[], $8::text[]) with ordinality as child (id, input, place) on conflict do nothing`,
      [
        rootId,
        id,
        fanOut,
        limit,
        definition,
        JSON.stringify(children[0]?.cursors ?? {}),
        children.map((child) => child.id),
        children.map((child) => JSON.stringify(child.input)),
      ],
    )
  }

  async saga(id: string): Promise<SagaRow> {
    const { rows } = await this.#pool.query(
      `select id, root_id as "rootId", definition, input, cursors, status, released_at is not null as "isReleased",
              parent_id as "parentId", fan_out as "fanOut", place, fan_out_limit as limit
       from coulisse.saga where id = $1`,
      [id],
    )
    const row = rows[0]
    if (!row) throw refused(`run ${id}`, 'there is no such saga')
    const { parentId, fanOut, place, limit, ...saga } = row
    return { ...saga, turn: parentId === null ? undefined : { parentId, fanOut, place, limit } }
  }

  /** All that was recorded of it, for a replay. */
  async records(id: string): Promise<readonly (ReplayRecord & { readonly functionId: number })[]> {
    const { rows } = await this.#pool.query<ReplayRecord & { functionId: number }>(
      `select function_id as "functionId", output, error, child_workflow_id as "childWorkflowID",
              function_name as "functionName", serialization
       from dbos.operation_outputs where workflow_uuid = $1`,
      [id],
    )
    return rows
  }

  /** A child that waits for its turn never begins too early: the number of ended siblings only grows. */
  async isTurnOf({ turn }: SagaRow): Promise<boolean> {
    if (turn === undefined || turn.place <= turn.limit) return true
    const { rows } = await this.#pool.query<{ count: number }>(
      `select count(*)::int as count from coulisse.saga where parent_id = $1 and fan_out = $2 and status <> 'running'`,
      [turn.parentId, turn.fanOut],
    )
    return (rows[0]?.count ?? 0) >= turn.place - turn.limit
  }

  /** Results in the order of the inputs, once all have ended. */
  async childResults(parentId: string, fanOut: number): Promise<readonly FanOutResult<Json>[] | undefined> {
    const { rows } = await this.#pool.query<{ count: number }>(
      `select count(*)::int as count from coulisse.saga where parent_id = $1 and fan_out = $2 and status = 'running'`,
      [parentId, fanOut],
    )
    if (rows[0]?.count !== 0) return undefined
    const ended = await this.#pool.query<{ status: string; result: Json; text: string }>(
      'select status, result, text from coulisse.saga where parent_id = $1 and fan_out = $2 order by place',
      [parentId, fanOut],
    )
    return ended.rows.map(({ status, result, text }) =>
      status === 'ended' ? { is: 'ok', value: result } : { is: 'error', text },
    )
  }

  /** Ends it once; its keys go with the end, unless a person is needed. */
  async end(id: string, status: Exclude<SagaStatus, { is: 'running' }>): Promise<void> {
    const isKept = status.is === 'crashed' || isStuck(status.result)
    await this.#inTransaction(async (client) => {
      await client.query(
        `update coulisse.saga set status = $2, result = $3, text = $4, ended_at = clock_timestamp()
         where id = $1 and status = 'running'`,
        [
          id,
          status.is,
          status.is === 'ended' ? JSON.stringify(status.result) : null,
          status.is === 'crashed' ? status.text.replaceAll('\u0000', '\ufffd') : null,
        ],
      )
      if (!isKept) await client.query('delete from coulisse.saga_key where saga_id = $1', [id])
    })
  }

  async release(id: string): Promise<void> {
    await this.#inTransaction(async (client) => {
      const { rows } = await client.query(
        'select status from coulisse.saga where id = $1 and root_id = $1 for no key update',
        [id],
      )
      if (!rows[0]) throw refused(`release ${id}`, 'there is no such saga')
      if (rows[0].status === 'running')
        throw refused(`release ${id}`, 'it still runs; abort it, its keys come back at its end')
      await client.query('update coulisse.saga set released_at = clock_timestamp() where id = $1', [id])
      await client.query('delete from coulisse.saga_key where saga_id = $1', [id])
    })
  }

  /** A crashed saga runs again, unless a person has taken over meanwhile; then false. */
  async reopen(id: string): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      `update coulisse.saga set status = 'running', text = null, ended_at = null
       where id = $1 and status = 'crashed' and released_at is null`,
      [id],
    )
    return rowCount === 1
  }

  async send(letter: {
    readonly rootId: string
    readonly topic: string
    readonly message: Json
    readonly key: string
  }): Promise<void> {
    const { rootId, topic, message, key } = letter
    await this.#inTransaction(async (client) => {
      // The lock on the root's row keeps senders in one line, so that numbers appear in their order.
      const root = await client.query('select from coulisse.saga where id = $1 and root_id = $1 for no key update', [
        rootId,
      ])
      if (root.rowCount === 0) throw refused(`send ${topic} to ${rootId}`, 'there is no such saga')
      await client.query(
        `insert into coulisse.saga_message (root_id, seq, topic, key, message)
         select $1, coalesce(max(seq), 0) + 1, $2, $3, $4 from coulisse.saga_message where root_id = $1
         on conflict (root_id, key) do nothing`,
        [rootId, topic, key, JSON.stringify(message)],
      )
    })
  }

  async nextMessage(rootId: string, topic: string, afterSeq: number): Promise<Message | undefined> {
    const { rows } = await this.#pool.query<Message>(
      `select seq, message from coulisse.saga_message
       where root_id = $1 and topic = $2 and seq > $3 order by seq limit 1`,
      [rootId, topic, afterSeq],
    )
    return rows[0]
  }

  async status(id: string): Promise<SagaStatus | undefined> {
    const { rows } = await this.#pool.query('select status, result, text from coulisse.saga where id = $1', [id])
    return rows[0] && statusOf(rows[0])
  }

  async list(): Promise<readonly { readonly id: string; readonly definition: string; readonly status: SagaStatus }[]> {
    const { rows } = await this.#pool.query(
      'select id, definition, status, result, text from coulisse.saga where root_id = id order by made_at, id',
    )
    return rows.map((row) => ({ id: row.id, definition: row.definition, status: statusOf(row) }))
  }

  /** Root sagas that were made and never handed to DBOS: their process died in between. */
  async notHandedOver(olderThanMs: number): Promise<readonly string[]> {
    const { rows } = await this.#pool.query<{ id: string }>(
      `select id from coulisse.saga where root_id = id and status = 'running'
       and made_at < clock_timestamp() - make_interval(secs => $1 / 1000.0)
       and not exists (select from dbos.workflow_status where workflow_uuid = id)`,
      [olderThanMs],
    )
    return rows.map(({ id }) => id)
  }

  /** Whether the saga still belongs to the run with this token. */
  async isOwnedBy(id: string, ownerToken: string): Promise<boolean> {
    const { rows } = await this.#pool.query(
      `select from dbos.workflow_status where workflow_uuid = $1 and owner_xid = $2 and status = 'PENDING'`,
      [id, ownerToken],
    )
    return rows.length > 0
  }

  /**
   * Lets any worker take the saga up, if it still belongs to the run with this token; another's is left alone.
   * What DBOS 5.3 does for all sagas of a dead executor (reenqueueWorkflowsForRecovery), for one. Our steps never throw, so a step
   * that DBOS recorded as failed failed inside DBOS (its executor was just being shut down, for instance): it is forgotten.
   */
  async giveBack(id: string, ownerToken: string, queue: string): Promise<void> {
    await this.#pool.query(
      `with mine as (
         update dbos.workflow_status
         set status = 'ENQUEUED', owner_xid = null, started_at_epoch_ms = null, queue_name = coalesce(queue_name, $3),
             updated_at = (extract(epoch from now()) * 1000)::bigint
         where workflow_uuid = $1 and owner_xid = $2 and status = 'PENDING' returning workflow_uuid)
       delete from dbos.operation_outputs where error is not null and workflow_uuid in (select workflow_uuid from mine)`,
      [id, ownerToken, queue],
    )
  }

  /** Unfinished root sagas that no other executor runs. */
  async leftTo(executorId: string): Promise<number> {
    const { rows } = await this.#pool.query<{ count: number }>(
      `select count(*)::int as count from coulisse.saga where root_id = id and status <> 'ended' and released_at is null
       and not exists (select from dbos.workflow_status
                       where workflow_uuid = id and status = 'PENDING' and executor_id <> $1)`,
      [executorId],
    )
    return rows[0]?.count ?? 0
  }

  /** What DBOS believes this executor to run. */
  async ownedBy(executorId: string): Promise<readonly { readonly id: string; readonly ownerToken: string }[]> {
    const { rows } = await this.#pool.query<{ id: string; ownerToken: string }>(
      `select workflow_uuid as id, owner_xid as "ownerToken" from dbos.workflow_status
       where status = 'PENDING' and executor_id = $1 and owner_xid is not null`,
      [executorId],
    )
    return rows
  }

  /** Executors that have unfinished sagas, without `ownId`. */
  async otherExecutors(ownId: string): Promise<readonly string[]> {
    const { rows } = await this.#pool.query<{ id: string }>(
      `select distinct executor_id as id from dbos.workflow_status where status = 'PENDING' and executor_id <> $1`,
      [ownId],
    )
    return rows.map(({ id }) => id)
  }

  async #inTransaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect()
    try {
      await client.query('begin')
      const result = await work(client)
      await client.query('commit')
      client.release()
      return result
    } catch (error) {
      await client.query('rollback').then(
        () => client.release(),
        () => client.release(true),
      )
      throw error
    }
  }
}

class Busy extends Error {
  readonly answer: StartAnswer
  constructor(answer: StartAnswer) {
    super('busy')
    this.answer = answer
  }
}

function statusOf(row: { status: string; result: Json; text: string }): SagaStatus {
  if (row.status === 'ended') return { is: 'ended', result: row.result }
  return row.status === 'crashed' ? { is: 'crashed', text: row.text } : { is: 'running' }
}

export function refused(doing: string, text: string): DriverError {
  return new DriverError('saga engine', doing, { retry: 'never', text })
}
