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
import { Replays } from './replay.ts'
import { SagaRunner } from './saga-runner.ts'
import { refused, SagaStore } from './saga-store.ts'
import { WorkerLock } from './worker-lock.ts'

export type DbosEngine = SagaEngine & {
  /** How many unfinished root sagas an earlier process had left to us, at our start. */
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
const IDLE_TRANSACTION_LIMIT_MS = 60_000
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
  // The host comes last: PostgreSQL cuts an application's name after 63 bytes.
  const executorId = `${process.pid}-${randomUUID().slice(0, 8)}@${hostname()}`
  const pool = openPool({ databaseUrl, name: `coulisse saga ${executorId}`, onLog })
  const dbosPool = openPool({ databaseUrl, name: `coulisse dbos ${executorId}`, onLog })
  const store = new SagaStore(pool)
  const lock = new WorkerLock({ url: databaseUrl, id: executorId, log: onLog })
  const startChild = async (id: string) => {
    await DBOS.startWorkflow(sagaWorkflow, { workflowID: id })(id)
  }
  const replays = new Replays()
  const runner = new SagaRunner({ store, lock, clock, definitions, replays, startChild, log: onLog })
  try {
    await lock.take()
    current = runner
    await lock.alone(() => launch({ dbosPool, executorId, onLog }))
    readAtOnce(replays)
    const sweeper = new Sweeper({ store, lock, runner, executorId, log: onLog })
    await sweeper.begin()
    const recovered = await store.leftTo(executorId)
    return engineOf({ pools: [pool, dbosPool], store, lock, runner, sweeper, definitions, recovered })
  } catch (cause) {
    current = undefined
    await runner.stop()
    await Promise.allSettled([DBOS.shutdown(), lock.close()])
    await Promise.allSettled([pool.end(), dbosPool.end()])
    return outside('start on the database', () => Promise.reject(cause))
  }
}

async function launch(options: {
  readonly dbosPool: pg.Pool
  readonly executorId: string
  readonly onLog: (text: string) => void
}): Promise<void> {
  const quiet = () => {}
  // While we shut down it complains of sagas that will be taken up again.
  const say = (entry: unknown) => current && options.onLog(`DBOS: ${textOf(entry)}`)
  DBOS.setConfig({
    name: 'coulisse',
    // A pool of ours: DBOS's own asks for two things at once on a new connection, about which pg complains on stderr.
    systemDatabasePool: options.dbosPool,
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

/** DBOS looks for every record by this one method. */
function readAtOnce(replays: Replays): void {
  const database = DBOSExecutor.globalInstance?.systemDatabase
  if (database === undefined) throw new Error('DBOS has no executor after its launch')
  const look = database.getOperationResultAndThrowIfCancelled.bind(database)
  database.getOperationResultAndThrowIfCancelled = replays.over(look) as typeof look
}

function openPool(options: {
  readonly databaseUrl: string
  readonly name: string
  readonly onLog: (text: string) => void
}): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.databaseUrl,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    // A transaction that stands open holds the rows of its saga; the server ends it.
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_LIMIT_MS,
    keepAlive: true,
    application_name: options.name,
  })
  // A connection in use that breaks tells its query; without a listener of its own it would end the process as well.
  pool.on('connect', (client) => client.on('error', () => {}))
  pool.on('error', (error) => options.onLog(`an idle database connection was lost: ${error.message}`))
  return pool
}

function engineOf(parts: {
  readonly pools: readonly pg.Pool[]
  readonly store: SagaStore
  readonly lock: WorkerLock
  readonly runner: SagaRunner
  readonly sweeper: Sweeper
  readonly definitions: Readonly<Record<string, SagaFunction>>
  readonly recovered: number
}): DbosEngine {
  const { pools, store, lock, runner, sweeper, definitions, recovered } = parts
  return {
    recovered,
    start: async (definition, id, input, { exclusive }) => {
      if (id === '' || id.includes('/')) throw refused(`start ${id}`, 'an id is not empty and has no "/"')
      if (!definitions[definition]) throw refused(`start ${id}`, `there is no definition "${definition}"`)
      return outside(`start ${id}`, async () => {
        const answer = await makeWithKeys(store, { id, definition, input, exclusive })
        if (answer.is === 'started') await DBOS.startWorkflow(sagaWorkflow, { workflowID: id })(id)
        return answer
      })
    },
    release: (id) => outside(`release ${id}`, () => store.release(id)),
    send: (rootId, topic, message, key) =>
      outside(`send ${topic} to ${rootId}`, async () => {
        await store.send({ rootId, topic, message, key })
        runner.wake(rootId)
      }),
    status: (id) => outside(`look at ${id}`, () => store.status(id)),
    list: () => outside('list the sagas', () => store.list()),
    shutdown: async () => {
      await sweeper.stop()
      await runner.stop()
      current = undefined
      await DBOS.shutdown()
      await lock.close()
      await Promise.all(pools.map((pool) => pool.end()))
    },
  }
}

/** Whatever is not a refusal of ours is the database, and that comes back. */
async function outside<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof DriverError) throw cause
    throw new DriverError('saga engine', doing, { retry: 'later', cause, text: textOf(cause) })
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
  readonly runner: SagaRunner
  readonly executorId: string
  readonly log: (text: string) => void
}

/** Looks again and again for sagas whose worker is dead, and for those that were never handed to DBOS. */
class Sweeper {
  readonly #parts: SweeperParts
  #timer: NodeJS.Timeout | undefined
  #under: Promise<unknown> = Promise.resolve()
  /** Claims that were not begun when we last looked. */
  #idleClaims = new Set<string>()
  #isStopped = false

  constructor(parts: SweeperParts) {
    this.#parts = parts
  }

  async begin(): Promise<void> {
    await this.#sweep(0)
    this.#again()
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

  async #sweep(olderThanMs: number): Promise<void> {
    const { store, lock, executorId, log } = this.#parts
    await lock.beat()
    for (const otherId of await store.otherExecutors(executorId)) {
      await lock.whenDead(otherId, async () => {
        const handles = await DBOSExecutor.globalInstance?.recoverPendingWorkflows([otherId])
        const roots = (handles ?? []).map((handle) => handle.workflowID).filter((id) => !id.includes('/'))
        // Already now, so that nobody who asks after our start is told of a crash that is being tried again.
        for (const id of roots) await store.reopen(id)
        log(`worker ${otherId} is dead: took up ${roots.join(', ') || 'no root saga'}`)
      })
    }
    await this.#giveBackIdleClaims()
    for (const id of await store.notHandedOver(olderThanMs)) {
      log(`${id} was made and never begun: beginning it`)
      await DBOS.startWorkflow(sagaWorkflow, { workflowID: id })(id)
    }
  }

  async #giveBackIdleClaims(): Promise<void> {
    const { store, runner, executorId } = this.#parts
    const idle = (await store.ownedBy(executorId)).filter(({ ownerToken }) => !runner.runs(ownerToken))
    for (const claim of idle) if (this.#idleClaims.has(claim.ownerToken)) await runner.giveBack(claim)
    this.#idleClaims = new Set(idle.map(({ ownerToken }) => ownerToken))
  }
}
