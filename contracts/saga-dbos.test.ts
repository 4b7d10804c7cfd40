/** The engine on DBOS keeps the contract, in this process and under kill -9 of real ones. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import type { Json } from '#domain/json'
import { createDbosEngine, type DbosEngine } from '#drivers/dbos/engine'
import { type EmbeddedPostgres, removeEmbeddedPostgres, startEmbeddedPostgres } from '#drivers/postgres/embedded'
import { migrate } from '#drivers/postgres/migrate'
import { openPool } from '#drivers/postgres/pool'
import type { Saga, SagaEngine, SagaFunction, SagaStatus } from '#ports/saga'
import { type CrashTrial, type SagaHarness, sagaContract } from './saga-contract.ts'
import type { WorkerTask } from './saga-dbos-worker.ts'
import { eventually, FastClock, fileLedger, notedIn } from './saga-dbos-world.ts'
import { contractDefinitions, type Ledger } from './saga-definitions.ts'

/** How many lines the ledger has when the worker is killed, a trial each. */
const TRIALS: readonly { readonly how: How; readonly killedAtLines: readonly number[] }[] = [
  { how: 'restart', killedAtLines: [0, 3, 9, 20] },
  { how: 'takeover', killedAtLines: [2, 11, 18, 21] },
  { how: 'freeze', killedAtLines: [12] },
  { how: 'stand-still', killedAtLines: [9] },
]
/**
 * freeze: the worker stands still, the database cuts its sessions as a dead network's, and later it wakes.
 * stand-still: its sessions stand open, as those of a process that was stopped, and nobody cuts them by hand.
 */
type How = 'restart' | 'takeover' | 'freeze' | 'stand-still'
const WORKER = fileURLToPath(new URL('./saga-dbos-worker.ts', import.meta.url))

async function makeHarness(): Promise<SagaHarness> {
  const stateDir = mkdtempSync(join(tmpdir(), 'coulisse-engine-'))
  const { url } = await startEmbeddedPostgres({ stateDir, log: () => {} })
  await prepare(url)
  const clock = new FastClock(Date.now())
  const ledger = fileLedger(join(stateDir, 'ledger'))
  const code = { isChanged: false }
  const open = () =>
    createDbosEngine({ databaseUrl: url, clock, definitions: contractDefinitions({ ledger, clock, code }), onLog })
  let engine = await open()
  let trials: Promise<readonly CrashTrial[]> | undefined
  return {
    engine: following(() => engine),
    clock,
    ledger,
    noted: notedIn(ledger),
    ended: (id) => eventually(async () => notRunning(await engine.status(id))),
    restart: async (change) => {
      await engine.shutdown()
      code.isChanged = change === 'changed-code'
      engine = await open()
    },
    crashTrials: () => {
      trials ??= crashTrials(url, stateDir)
      return trials
    },
    close: async () => {
      await engine.shutdown()
      await removeEmbeddedPostgres(stateDir)
      rmSync(stateDir, { recursive: true, force: true })
    },
  }
}

function onLog(text: string): void {
  if (process.env.VERBOSE) console.error(text)
}

/** The engine that is there now, under one name through all restarts. */
function following(engine: () => SagaEngine): SagaEngine {
  return {
    start: (...args) => engine().start(...args),
    release: (id) => engine().release(id),
    send: (...args) => engine().send(...args),
    status: (id) => engine().status(id),
    list: () => engine().list(),
  }
}

const notRunning = (status: SagaStatus | undefined) => (status?.is === 'running' ? undefined : status)

async function prepare(url: string): Promise<void> {
  const pool = openPool({ url, log: onLog })
  await migrate(pool)
  await pool.end()
}

/** In a database of their own, so that the engine of this process does not take up what the trials kill. */
async function crashTrials(url: string, stateDir: string): Promise<readonly CrashTrial[]> {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  await admin.query('create database trials')
  await admin.end()
  const trialUrl = url.replace('/coulisse?', '/trials?')
  await prepare(trialUrl)
  const trials: CrashTrial[] = []
  for (const [n, { how, killedAtLines }] of TRIALS.entries()) {
    const task = { url: trialUrl, ledger: join(stateDir, `trial-${n}`), startMs: Date.now(), id: `rich-${n}` }
    await killAndKill(task, how, killedAtLines)
    const killedAt = `${how}, killed at lines ${killedAtLines.join(', ')}`
    const lines = await fileLedger(task.ledger).lines()
    trials.push({ killedAt, result: await resultOf(trialUrl, task.id), lines, kills: killedAtLines.length })
  }
  return trials
}

async function killAndKill(task: WorkerTask, how: How, killedAtLines: readonly number[]) {
  const ledger = fileLedger(task.ledger)
  const isTakenOver = how !== 'restart'
  const woken: Promise<void>[] = []
  let standby = isTakenOver ? await workerOf(task) : undefined
  for (const count of killedAtLines) {
    // With a takeover the one that stands by lives already when the other dies.
    const next = await workerOf(task)
    const victim = standby ?? next
    standby = isTakenOver ? next : undefined
    await eventually(async () => ((await ledger.lines()).length >= count ? true : undefined))
    const isFrozen = how === 'freeze' || how === 'stand-still'
    if (isFrozen) await freeze(victim.process.pid ?? 0, task.url, how)
    victim.process.kill(isFrozen ? 'SIGCONT' : 'SIGKILL')
    if (isFrozen) woken.push(victim.ended)
    else await victim.ended
  }
  await (standby ?? (await workerOf(task))).ended
  await Promise.all(woken)
}

/** Stops the process, cuts its sessions where asked, and waits until nothing is its own any more. */
async function freeze(pid: number, url: string, how: How): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const sessions = `select pg_terminate_backend(pid) from pg_stat_activity where application_name like '% ${pid}-%'`
  if (how === 'freeze') await client.query(sessions)
  await eventually(async () => {
    const { rowCount } = await client.query(
      `select from dbos.workflow_status where status = 'PENDING' and executor_id like '${pid}-%'`,
    )
    return rowCount === 0 ? true : undefined
  })
  await client.end()
  onLog(`worker ${pid} was frozen, owns nothing any more, and wakes`)
}

type Worker = { readonly process: ChildProcess; readonly ended: Promise<void> }

/** Resolves when the worker is ready. */
async function workerOf(task: WorkerTask): Promise<Worker> {
  const child = spawn(process.execPath, [WORKER, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stderr.on('data', (data) => onLog(String(data).trimEnd()))
  const ended = new Promise<void>((resolve) => {
    child.on('exit', () => resolve())
  })
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (data) => {
      onLog(String(data).trimEnd())
      resolve()
    })
  })
  await Promise.race([ready, ended])
  return { process: child, ended }
}

async function resultOf(url: string, id: string): Promise<Json> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query('select result from coulisse.saga where id = $1', [id])
  await client.end()
  return rows[0]?.result ?? null
}

sagaContract('on DBOS', makeHarness)

test('a database that goes away in the middle and comes back costs nothing', { timeout: 60_000 }, () =>
  withServer(async ({ postgres, stateDir, ledger, open }) => {
    const engine = await open()
    await engine.start('spread', 'spread', { count: 6, limit: 2 }, NO_KEYS)
    await notedIn(ledger)('out 1')
    await postgres.stop()
    await startEmbeddedPostgres({ stateDir, log: onLog })
    const status = await eventually(async () => notRunning(await engine.status('spread').catch(() => undefined)))
    expect(status).toMatchObject({ is: 'ended', result: [0, 1, 4, { is: 'error' }, 16, 25].map(asResult) })
    await engine.shutdown()
  }),
)

test('a step that failed inside DBOS, not in us, is forgotten and runs again', { timeout: 60_000 }, () =>
  withServer(async ({ postgres, open }) => {
    const first = await open()
    await first.start('reads-three', 'poisoned', null, NO_KEYS)
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    const records = () => client.query('select function_name as name from dbos.operation_outputs')
    await eventually(async () => ((await records()).rowCount === 1 ? true : undefined))
    await first.shutdown()
    await client.query(
      `insert into dbos.operation_outputs (workflow_uuid, function_id, function_name, error)
       values ('poisoned', 1, 'receive news', '{"name":"TypeError","message":"no executor"}')`,
    )
    await client.end()
    const second = await open()
    expect(second.recovered).toBe(1)
    for (const key of ['a', 'b', 'c']) await second.send('poisoned', 'news', key, key)
    const status = await eventually(async () => notRunning(await second.status('poisoned')))
    expect(status).toEqual({ is: 'ended', result: ['a', 'b', 'c', 'deadline', 'deadline'] })
    await second.shutdown()
  }),
)

test('workers that begin at once on an empty database all begin', { timeout: 60_000 }, () =>
  withServer(async ({ postgres, stateDir, ledger }) => {
    const task = { url: postgres.url, ledger: join(stateDir, 'ledger'), startMs: Date.now(), id: 'rich' }
    const workers = await Promise.all([1, 2, 3].map(() => workerOf(task)))
    await Promise.all(workers.map((worker) => worker.ended))
    expect(workers.map((worker) => worker.process.exitCode)).toEqual([0, 0, 0])
    expect(await ledger.lines()).not.toEqual([])
  }),
)

test(
  'an act that our own database refuses while it is away has not failed: it is done again',
  { timeout: 60_000 },
  () =>
    withServer(async ({ postgres }) => {
      let tries = 0
      const tale = (saga: Saga) =>
        saga.step('write', async () => {
          tries++
          // More often than an act is repeated for the world's sake.
          if (tries <= 8) throw new DriverError('postgres', 'write a row', { retry: 'later', text: 'starting up' })
          return tries
        })
      const clock = new FastClock(Date.now())
      const definitions = { tale: tale as SagaFunction }
      const engine = await createDbosEngine({ databaseUrl: postgres.url, clock, definitions, onLog })
      await engine.start('tale', 'tale', null, NO_KEYS)
      expect(await eventually(async () => notRunning(await engine.status('tale')))).toEqual({ is: 'ended', result: 9 })
      await engine.shutdown()
    }),
)

const NO_KEYS = { exclusive: [] }

async function withServer(
  work: (server: {
    readonly postgres: EmbeddedPostgres
    readonly stateDir: string
    readonly ledger: Ledger
    readonly open: () => Promise<DbosEngine>
  }) => Promise<void>,
): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), 'coulisse-engine-'))
  const postgres = await startEmbeddedPostgres({ stateDir, log: onLog })
  try {
    await prepare(postgres.url)
    const clock = new FastClock(Date.now())
    const ledger = fileLedger(join(stateDir, 'ledger'))
    const definitions = contractDefinitions({ ledger, clock })
    const open = () => createDbosEngine({ databaseUrl: postgres.url, clock, definitions, onLog })
    await work({ postgres, stateDir, ledger, open })
  } finally {
    await removeEmbeddedPostgres(stateDir)
    rmSync(stateDir, { recursive: true, force: true })
  }
}

const asResult = (one: number | object) => (typeof one === 'number' ? { is: 'ok', value: one } : one)

test('a database that is not there is an error that asks for another try later', async () => {
  const databaseUrl = 'postgresql://coulisse@localhost/coulisse?host=/nonexistent'
  const clock = new FastClock(Date.now())
  const engine = createDbosEngine({ databaseUrl, clock, definitions: {}, onLog })
  await expect(engine).rejects.toMatchObject({ name: 'DriverError', retry: 'later' })
})
