/** The whole control plane, started and ended in order: database, engine, journal, watch, facade. */

import { join } from 'node:path'
import type pg from 'pg'
import type { JournalRow } from '#domain/event'
import type { Finding } from '#domain/finding'
import { clusterName, type MaintenanceId, maintenanceId, nodeName } from '#domain/ids'
import { MOVE_SAGA, moveSaga } from '#drain/move'
import { createDbosEngine } from '#drivers/dbos/engine'
import { fenced } from '#drivers/dbos/fence'
import { keepPhotoIn } from '#drivers/files/photos'
import { labClock } from '#drivers/lab/clock'
import { witnessedJournal } from '#drivers/lab/witness'
import { PostgresDocuments } from '#drivers/postgres/documents'
import { startEmbeddedPostgres } from '#drivers/postgres/embedded'
import { PostgresJournal } from '#drivers/postgres/journal'
import { migrate } from '#drivers/postgres/migrate'
import { openPool } from '#drivers/postgres/pool'
import { PostgresSamples } from '#drivers/postgres/samples'
import type { Ports } from '#ports/all'
import type { Clock } from '#ports/clock'
import type { Journal } from '#ports/journal'
import type { SagaEngine, SagaFunction } from '#ports/saga'
import { MAINTENANCE_SAGA, maintenanceSaga } from '#story/maintenance'
import type { Config } from './config/schema.ts'
import { databaseUrlOf } from './config/secrets.ts'
import { targetsOf } from './config/witness.ts'
import type { ControlPlane } from './control-plane.ts'
import { type Drivers, makeDrivers } from './drivers.ts'
import { startEvidence } from './evidence/start-evidence.ts'
import { logWhatIsWrong } from './examine-at-start.ts'
import { fleetOf } from './fleet.ts'
import { leasesIn } from './leases-in-database.ts'
import { liveControlPlane } from './live-control-plane.ts'
import { bmcPoller } from './poll-bmcs.ts'
import { reload } from './reloading.ts'
import { replaceableDrivers } from './replaceable.ts'
import { wakeUps } from './wake-ups.ts'
import {
  asksForMaintenance,
  documentStore,
  runWatch,
  type Watch,
  type WatchedMaintenance,
  watchedMaintenance,
} from './watch.ts'

export type Running = {
  readonly controlPlane: ControlPlane
  /** Sagas taken up from an earlier process. */
  readonly recovered: number
  /** Reads the configuration again and takes what may change; what became of it is in the log. Never throws for what it reads. */
  reload(): void
  close(): Promise<void>
}

type Close = () => Promise<unknown>

/** Whatever fails on the way, what was begun before it is ended again. */
export async function startControlPlane(
  config: Config,
  configPath: string,
  log: (text: string) => void,
): Promise<Running> {
  const closing: Close[] = []
  const close = async () => {
    for (const one of closing.splice(0).reverse()) await one()
  }
  try {
    return { ...(await startAll(config, { configPath, log, closing })), close }
  } catch (error) {
    await close()
    throw error
  }
}

type Starting = { readonly configPath: string; readonly log: (text: string) => void; readonly closing: Close[] }

async function startAll(config: Config, { configPath, log, closing }: Starting): Promise<Omit<Running, 'close'>> {
  const database = await openDatabase(config, configPath, log)
  closing.push(database.close)
  const pool = openPool({ url: database.url, log })
  closing.push(() => pool.end())
  await migrate(pool)
  const documents = new PostgresDocuments(pool)
  const samples = new PostgresSamples(pool)
  const keeping = { leases: leasesIn(documents), places: documents, samples, log }
  const current = replaceableDrivers(config, (one) => makeDrivers(one, configPath, keeping))
  const { drivers } = current
  closing.push(current.close)
  const kept = new PostgresJournal({ pool, clock: drivers.clock })
  const ports: Ports = {
    ...drivers,
    journal: drivers.lab === undefined ? kept : witnessedJournal(kept, drivers.lab),
  }
  const definitions = sagasOver(fencedPorts(ports))
  const engine = await createDbosEngine({ databaseUrl: database.url, clock: drivers.clock, definitions, onLog: log })
  const stop = new AbortController()
  const listeners = new Set<(row: JournalRow) => void>()
  const following = followJournal(kept, listeners, stop.signal, log)
  closing.push(
    () => following,
    () => engine.shutdown(),
    async () => stop.abort(),
  )
  const store = documentStore(documents)
  const fleet = fleetOf(config, { configPath, clock: drivers.clock, pool, log })
  closing.push(fleet.close)
  const live = liveControlPlane({
    cluster: clusterName(config.cluster),
    engine,
    ports,
    // For maintenances that begin from now on: one that runs keeps the policy that it began with.
    get policy() {
      return current.config().policy
    },
    findings: async () => newestFirst(Object.values((await store.load())?.findings ?? {})),
    listMaintenances: () => maintenancesIn(engine),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    readPage: (id, customer) => drivers.pages.read(id, customer),
    keepPhoto: async (_, photo) => keepPhotoIn(join(config.stateDir, 'photos'), photo),
    ...telling({ config, current, pool, journal: kept, samples, log }, stop.signal),
    simulated: config.lab !== undefined,
    ...(fleet.alerts === undefined ? {} : { alerts: fleet.alerts }),
  })
  const woken = wakeUps()
  await current.listen(woken.wake, log)
  const watch: Watch = {
    get nodes() {
      return Object.keys(current.config().nodes).map(nodeName)
    },
    poller: bmcPoller({ bmc: drivers.bmc, log, atOnce: config.watch.atOnce }),
    woken,
    clock: watchClock(drivers, engine),
    store,
    sources: fleet.sources,
    get everyMs() {
      return current.config().watch.everyS * 1000
    },
    onFinding: (finding) => heed(finding, live, log),
    maintenances: (settled) => watchedMaintenances(engine, ports.journal, settled),
    log,
  }
  logWhatIsWrong(config, configPath, { clock: drivers.clock, log }).catch((error: unknown) =>
    log(`the cluster was not examined: ${error}`),
  )
  runWatch(watch, stop.signal).catch((error: unknown) =>
    log(`the watch ended, and nothing is found any more: ${error}`),
  )
  return { controlPlane: live, recovered: engine.recovered, reload: () => reload(current, configPath, log) }
}

type Telling = {
  readonly config: Config
  readonly current: ReturnType<typeof replaceableDrivers>
  readonly pool: pg.Pool
  readonly journal: PostgresJournal
  readonly samples: PostgresSamples
  readonly log: (text: string) => void
}

/** What stage tell needs besides the story: evidence, and witnesses. */
function telling({ config, current, pool, journal, samples, log }: Telling, signal: AbortSignal) {
  const { clock, inventory } = current.drivers
  return {
    evidence: startEvidence({ stateDir: config.stateDir, pool, journal, clock, inventory, log }, signal),
    witness: {
      store: samples,
      witnesses: () => current.config().witnesses,
      targets: () => targetsOf(current.config().probes),
      nowMs: () => Date.now(),
      log,
    },
  }
}

/** All that acts on the world. The journal and the clock are fenced by the records themselves. */
const fencedPorts = (ports: Ports): Ports => ({
  ...ports,
  hypervisor: fenced(ports.hypervisor),
  storage: fenced(ports.storage),
  bmc: fenced(ports.bmc),
  notifier: fenced(ports.notifier),
  publisher: fenced(ports.publisher),
})

const sagasOver = (ports: Ports): Readonly<Record<string, SagaFunction>> => ({
  [MAINTENANCE_SAGA]: maintenanceSaga(ports) as SagaFunction,
  [MOVE_SAGA]: moveSaga(ports) as SagaFunction,
})

/** True when the finding is dealt with: it asks for nothing, or its maintenance runs. */
async function heed(
  finding: Finding,
  live: ReturnType<typeof liveControlPlane>,
  log: (text: string) => void,
): Promise<boolean> {
  log(`finding: ${finding.text} (${finding.level}${finding.cleared ? ', over' : ''})`)
  if (!asksForMaintenance(finding)) return true
  const outcome = await live.startFor(finding, 'detect')
  if (outcome.is === 'refused') log(`no maintenance is started yet: ${outcome.text}; ${outcome.lifts}`)
  return outcome.is !== 'refused'
}

const maintenancesIn = async (engine: SagaEngine): Promise<readonly MaintenanceId[]> =>
  (await engine.list()).filter(({ definition }) => definition === MAINTENANCE_SAGA).map(({ id }) => maintenanceId(id))

async function watchedMaintenances(
  engine: SagaEngine,
  journal: Journal,
  settled: readonly MaintenanceId[],
): Promise<readonly WatchedMaintenance[]> {
  const known = new Set<string>(settled)
  const unsettled = (await maintenancesIn(engine)).filter((id) => !known.has(id))
  const rows = await Promise.all(unsettled.map((id) => journal.read(id)))
  // One that has not written its first row is not on any node yet; the engine's own keys keep others away.
  return rows.filter((one) => one.length > 0).map(watchedMaintenance)
}

/** In the lab the watch never makes time pass while a maintenance acts: that would tear its looks and acts apart. */
function watchClock(drivers: Drivers, engine: SagaEngine): Clock {
  if (drivers.lab === undefined) return drivers.clock
  // Asked about once a second of real time: a maintenance may begin in the middle of a long wait.
  return labClock(drivers.lab, async () => (await engine.list()).some(({ status }) => status.is === 'running'))
}

const newestFirst = (findings: readonly Finding[]) => [...findings].sort((a, b) => b.atMs - a.atMs)

/** Every listener hears every row that is written from now on. */
async function followJournal(
  journal: PostgresJournal,
  listeners: ReadonlySet<(row: JournalRow) => void>,
  signal: AbortSignal,
  log: (text: string) => void,
): Promise<void> {
  try {
    for await (const { row } of journal.watch(await journal.lastId(), signal)) {
      for (const listener of listeners) listener(row)
    }
  } catch (error) {
    log(`the journal is not followed any more: ${error instanceof Error ? error.message : error}`)
  }
}

/** The configured server or DATABASE_URL's, else our own embedded one. */
async function openDatabase(config: Config, configPath: string, log: (text: string) => void) {
  const named = databaseUrlOf(config, configPath)
  if (named !== undefined) return { url: named.reveal(), close: async () => {} }
  const server = await startEmbeddedPostgres({ stateDir: config.stateDir, log })
  return { url: server.url, close: () => server.stop() }
}
