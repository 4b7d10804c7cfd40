/** The engine on DBOS keeps the contract, in this process and under kill -9 of real ones. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import type { Json } from '#domain/json'
import { createDbosEngine } from '#drivers/dbos/engine'
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '#drivers/postgres/embedded'
import { migrate } from '#drivers/postgres/migrate'
import { openPool } from '#drivers/postgres/pool'
import type { SagaEngine, SagaStatus } from '#ports/saga'
import { type CrashTrial, type SagaHarness, sagaContract } from './saga-contract.ts'
import type { WorkerTask } from './saga-dbos-worker.ts'
import { eventually, FastClock, fileLedger, notedIn } from './saga-dbos-world.ts'
import { contractDefinitions } from './saga-definitions.ts'

/** How many lines the ledger has when the worker is killed, a trial each. */
const TRIALS: readonly { readonly how: 'restart' | 'takeover'; readonly killedAtLines: readonly number[] }[] = [
  { how: 'restart', killedAtLines: [0, 3, 9] },
  { how: 'takeover', killedAtLines: [2, 7, 16] },
  { how: 'restart', killedAtLines: [1, 13, 20] },
  { how: 'takeover', killedAtLines: [5, 11, 18, 21] },
]
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

async function killAndKill(task: WorkerTask, how: 'restart' | 'takeover', killedAtLines: readonly number[]) {
  const ledger = fileLedger(task.ledger)
  let standby = how === 'takeover' ? await workerOf(task) : undefined
  for (const count of killedAtLines) {
    // With a takeover the one that stands by lives already when the other dies.
    const next = await workerOf(task)
    const victim = standby ?? next
    standby = how === 'takeover' ? next : undefined
    await eventually(async () => ((await ledger.lines()).length >= count ? true : undefined))
    victim.process.kill('SIGKILL')
    const killedMs = performance.now()
    await victim.ended
    if (standby) await eventually(async () => ((await ledger.lines()).length > count ? true : undefined))
    if (standby) onLog(`kill to next effect ${Math.round(performance.now() - killedMs)} ms`)
  }
  await (standby ?? (await workerOf(task))).ended
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
