/**
 * The saga engine on DBOS and PostgreSQL. DBOS keeps the records of every saga and fences a run that lost its saga (its owner token is
 * checked in the transaction of every record); what it lacks is here: takeover from a dead worker, messages for a whole family of
 * sagas, exclusive keys. See docs/engine.md.
 */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { DBOS } from '@dbos-inc/dbos-sdk'
import { DBOSExecutor } from '@dbos-inc/dbos-sdk/internal/dbos-executor'
import { dbRetryConfig, INTERNAL_QUEUE_NAME } from '@dbos-inc/dbos-sdk/internal/utils'
import { registerInternalQueue } from '@dbos-inc/dbos-sdk/internal/wfqueue'
import pg from 'pg'
import { DriverError } from '#domain/driver-error'
import type { Json } from '#domain/json'
import type { Clock } from '#ports/clock'
import type { SagaEngine, SagaFunction, StartAnswer } from '#ports/saga'
import { textOf } from '#ports/saga-over-records'
import { SagaRunner } from './saga-runner.ts'
import { refused, SagaStore } from './saga-store.ts'
import { WorkerLock } from './worker-lock.ts'

export type DbosEngine = SagaEngine & {
  /** How many unfinished root sagas an earlier process had left, at our start. */
  readonly recovered: number
  /** Ends our part; unfinished sagas wait for the next process. Acts under way are not waited for. */
  shutdown(): Promise<void>
}

/** Constant: DBOS recovers only within one version. The story's own version is in every saga's input. */
const APPLICATION_VERSION = 'coulisse-1'
/** A saga is taken up as often as processes die; DBOS would otherwise put it aside after a hundred times. */
const RECOVERY_LIMIT = 1_000_000
const QUEUE_POLL_MS = 200
const SWEEP_MS = 400
const HAND_OVER_LIMIT_MS = 3_000
const BUSY_RETRY_LIMIT = 5
const POOL_SIZE = 10
const CONNECT_LIMIT_MS = 10_000
const DB_RETRY_FIRST_S = 0.2
const DB_RETRY_CEILING_S = 2

/** DBOS knows one process-wide set of workflows and one executor; so there is one engine at a time in a process. */
let current: SagaRunner | undefined

const sagaWorkflow = DBOS.registerWorkflow(
  async (id: string): Promise<void> => {
    // A run of an engine that was shut down in this very process.
    if (!current) return new Promise(() => {})
    await current.run(id)
  },
  { name: 'saga', maxRecoveryAttempts: RECOVERY_LIMIT },
)

/**
 * Ready when it resolves: own sagas run, those of dead workers are taken up. The schema must be up to date (drivers/postgres/migrate);
 * DBOS makes its own tables in schema `dbos`. DriverError when the database does not answer.
 */
export async function createDbosEngine(options: {
  readonly databaseUrl: string
  readonly clock: Clock
  readonly definitions: Readonly<Record<string, SagaFunction>>
  readonly onLog: (text: string) => void
}): Promise<DbosEngine> {
  if (current) throw refused('start', 'this process has an engine already')
  const { databaseUrl, clock, definitions, onLog } = options
  const executorId = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    application_name: 'coulisse engine',
  })
  pool.on('error', (error) => onLog(`an idle database connection was lost: ${error.message}`))
  const store = new SagaStore(pool)
  const lock = new WorkerLock({ url: databaseUrl, id: executorId, log: onLog })
  const startChild = async (id: string) => {
    await DBOS.startWorkflow(sagaWorkflow, { workflowID: id })(id)
  }
  const runner = new SagaRunner({ store, lock, clock, definitions, executorId, startChild, log: onLog })
  try {
    await lock.take()
    current = runner
    await launch({ databaseUrl, executorId, onLog })
    const sweeper = new Sweeper({ store, lock, executorId, log: onLog })
    const recovered = await sweeper.begin()
    return engineOf({ pool, store, lock, runner, sweeper, definitions, recovered })
  } catch (cause) {
    current = undefined
    runner.stop()
    await Promise.allSettled([DBOS.shutdown(), lock.close(), pool.end()])
    if (cause instanceof DriverError) throw cause
    throw new DriverError('saga engine', 'start on the database', { retry: 'later', cause, text: textOf(cause) })
  }
}

async function launch(options: {
  readonly databaseUrl: string
  readonly executorId: string
  readonly onLog: (text: string) => void
}): Promise<void> {
  const quiet = () => {}
  const say = (entry: unknown) => options.onLog(`DBOS: ${textOf(entry)}`)
  DBOS.setConfig({
    name: 'coulisse',
    systemDatabaseUrl: options.databaseUrl,
    systemDatabasePoolSize: POOL_SIZE,
    // We wait on our own tables; DBOS's notifications would hold a connection for nothing.
    useListenNotify: false,
    applicationVersion: APPLICATION_VERSION,
    executorID: options.executorId,
    logger: { info: quiet, debug: quiet, warn: say, error: say },
  })
  // Its own wait after an outage grows to a minute, and the queue of recovered sagas is looked at once a second: both too slow here.
  Object.assign(dbRetryConfig, { initialBackoffSec: DB_RETRY_FIRST_S, maxBackoffSec: DB_RETRY_CEILING_S })
  registerInternalQueue(INTERNAL_QUEUE_NAME, { minPollingIntervalMs: QUEUE_POLL_MS })
  await DBOS.launch()
}

function engineOf(parts: {
  readonly pool: pg.Pool
  readonly store: SagaStore
  readonly lock: WorkerLock
  readonly runner: SagaRunner
  readonly sweeper: Sweeper
  readonly definitions: Readonly<Record<string, SagaFunction>>
  readonly recovered: number
}): DbosEngine {
  const { pool, store, lock, runner, sweeper, definitions, recovered } = parts
  return {
    recovered,
    start: async (definition, id, input, { exclusive }) => {
      if (id === '' || id.includes('/')) throw refused(`start ${id}`, 'an id is not empty and has no "/"')
      if (!definitions[definition]) throw refused(`start ${id}`, `there is no definition "${definition}"`)
      const answer = await makeWithKeys(store, { id, definition, input, exclusive })
      if (answer.is === 'started') await DBOS.startWorkflow(sagaWorkflow, { workflowID: id })(id)
      return answer
    },
    release: (id) => store.release(id),
    send: async (rootId, topic, message, key) => {
      await store.send({ rootId, topic, message, key })
      runner.wake(rootId)
    },
    status: (id) => store.status(id),
    list: () => store.list(),
    shutdown: async () => {
      current = undefined
      runner.stop()
      await sweeper.stop()
      await DBOS.shutdown()
      await lock.close()
      await pool.end()
    },
  }
}

async function makeWithKeys(
  store: SagaStore,
  saga: {
    readonly id: string
    readonly definition: string
    readonly input: Json
    readonly exclusive: readonly string[]
  },
): Promise<StartAnswer> {
  for (let tries = 1; ; tries++) {
    const answer = await store.make(saga)
    if (answer.is !== 'busy' || answer.by !== '' || tries >= BUSY_RETRY_LIMIT) return answer
  }
}

type SweeperParts = {
  readonly store: SagaStore
  readonly lock: WorkerLock
  readonly executorId: string
  readonly log: (text: string) => void
}

/** Looks again and again for sagas whose worker is dead, and for those that were never handed to DBOS. */
class Sweeper {
  readonly #parts: SweeperParts
  #timer: NodeJS.Timeout | undefined
  #under: Promise<unknown> = Promise.resolve()
  #isStopped = false

  constructor(parts: SweeperParts) {
    this.#parts = parts
  }

  async begin(): Promise<number> {
    const count = await this.#sweep(0)
    this.#again()
    return count
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#under
  }

  #again(): void {
    if (this.#isStopped) return
    this.#timer = setTimeout(() => {
      // An error means that the database is away, which the lock says already.
      this.#under = this.#sweep(HAND_OVER_LIMIT_MS)
        .catch(() => {})
        .then(() => this.#again())
    }, SWEEP_MS)
    this.#timer.unref()
  }

  async #sweep(olderThanMs: number): Promise<number> {
    const { store, lock, executorId, log } = this.#parts
    const taken = new Set<string>()
    for (const otherId of await store.otherExecutors(executorId)) {
      await lock.whenDead(otherId, async () => {
        const handles = await DBOSExecutor.globalInstance?.recoverPendingWorkflows([otherId])
        const roots = (handles ?? []).map((handle) => handle.workflowID).filter((id) => !id.includes('/'))
        for (const id of roots) taken.add(id)
        log(`worker ${otherId} is dead: took up ${roots.join(', ') || 'no root saga'}`)
      })
    }
    for (const id of await store.notHandedOver(olderThanMs)) {
      taken.add(id)
      log(`${id} was made and never begun: beginning it`)
      await DBOS.startWorkflow(sagaWorkflow, { workflowID: id })(id)
    }
    return taken.size
  }
}
