/** The whole control plane, started and ended in order: database, engine, journal, watch, facade. */

import type { NooutLease } from '#domain/ceph'
import type { JournalRow } from '#domain/event'
import type { Finding } from '#domain/finding'
import { clusterName, maintenanceId, nodeName } from '#domain/ids'
import type { Json } from '#domain/json'
import { MOVE_SAGA, moveSaga } from '#drain/move'
import { createDbosEngine } from '#drivers/dbos/engine'
import { labClock } from '#drivers/lab/clock'
import { witnessedJournal } from '#drivers/lab/witness'
import { PostgresDocuments } from '#drivers/postgres/documents'
import { startEmbeddedPostgres } from '#drivers/postgres/embedded'
import { PostgresJournal } from '#drivers/postgres/journal'
import { migrate } from '#drivers/postgres/migrate'
import { openPool } from '#drivers/postgres/pool'
import type { LeaseStore } from '#drivers/proxmox/ceph-fallback'
import type { Ports } from '#ports/all'
import type { Clock } from '#ports/clock'
import type { SagaEngine, SagaFunction } from '#ports/saga'
import { MAINTENANCE_SAGA, maintenanceSaga } from '#story/maintenance'
import { type Config, secretOf } from './config.ts'
import type { ControlPlane } from './control-plane.ts'
import { type Drivers, makeDrivers } from './drivers.ts'
import { liveControlPlane } from './live-control-plane.ts'
import { asksForMaintenance, documentStore, runWatch } from './watch.ts'

export type Running = {
  readonly controlPlane: ControlPlane
  /** Sagas taken up from an earlier process. */
  readonly recovered: number
  close(): Promise<void>
}

export async function startControlPlane(
  config: Config,
  configPath: string,
  log: (text: string) => void,
): Promise<Running> {
  const database = await openDatabase(config, configPath, log)
  const pool = openPool({ url: database.url, log })
  await migrate(pool)
  const documents = new PostgresDocuments(pool)
  const drivers = makeDrivers(config, configPath, leasesIn(documents))
  const kept = new PostgresJournal({ pool, clock: drivers.clock })
  const journal = drivers.lab === undefined ? kept : witnessedJournal(kept, drivers.lab)
  const ports: Ports = { ...drivers, journal }
  const definitions: Record<string, SagaFunction> = {
    [MAINTENANCE_SAGA]: maintenanceSaga(ports) as SagaFunction,
    [MOVE_SAGA]: moveSaga(ports) as SagaFunction,
  }
  const engine = await createDbosEngine({ databaseUrl: database.url, clock: drivers.clock, definitions, onLog: log })
  const stop = new AbortController()
  const listeners = new Set<(row: JournalRow) => void>()
  const following = followJournal(kept, listeners, stop.signal, log)
  const store = documentStore(documents)
  const live = liveControlPlane({
    cluster: clusterName(config.cluster),
    engine,
    ports,
    policy: config.policy,
    findings: async () => newestFirst(Object.values((await store.load())?.findings ?? {})),
    listMaintenances: async () =>
      (await engine.list())
        .filter((saga) => saga.definition === MAINTENANCE_SAGA)
        .map((saga) => maintenanceId(saga.id)),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    readPage: (id, customer) => drivers.pages.read(id, customer),
    simulated: config.lab !== undefined,
  })
  const watching = runWatch(
    {
      nodes: Object.keys(config.nodes).map(nodeName),
      bmc: drivers.bmc,
      clock: watchClock(drivers, engine),
      store,
      everyMs: config.watch.everyS * 1000,
      onFinding: async (finding) => {
        log(`finding: ${finding.text} (${finding.level})`)
        if (!asksForMaintenance(finding)) return true
        const outcome = await live.startFor(finding, 'detect')
        if (outcome.is === 'refused') log(`no maintenance is started yet: ${outcome.text}; ${outcome.lifts}`)
        return outcome.is !== 'refused'
      },
      log,
    },
    stop.signal,
  )
  watching.catch((error: unknown) => log(`the watch ended: ${error}`))
  return {
    controlPlane: live,
    recovered: engine.recovered,
    close: async () => {
      stop.abort()
      await engine.shutdown()
      await following
      await drivers.close()
      await pool.end()
      await database.close()
    },
  }
}

/** In the lab the watch never makes time pass while a maintenance acts: that would tear its looks and acts apart. */
function watchClock(drivers: Drivers, engine: SagaEngine): Clock {
  if (drivers.lab === undefined) return drivers.clock
  let isBusy = false
  const clock = labClock(drivers.lab, () => isBusy)
  return {
    nowMs: () => clock.nowMs(),
    async sleepUntil(atMs, quit) {
      isBusy = (await engine.list()).some(({ status }) => status.is === 'running')
      await clock.sleepUntil(atMs, quit)
    },
  }
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

/** DATABASE_URL's server when the configuration names one, else our own embedded one. */
async function openDatabase(config: Config, configPath: string, log: (text: string) => void) {
  const named = config.database?.url
  if (named !== undefined) {
    const url = typeof named === 'string' ? named : secretOf(named, configPath).reveal()
    return { url, close: async () => {} }
  }
  const server = await startEmbeddedPostgres({ stateDir: config.stateDir, log })
  return { url: server.url, close: () => server.stop() }
}

/** Where Ceph is reached through Proxmox alone there is no config-key: our own database keeps the lease. */
function leasesIn(documents: PostgresDocuments): LeaseStore {
  const keyOf = (host: string) => `lease/${host}`
  return {
    readLease: async (host) =>
      ((await documents.get<Json>(keyOf(host))) ?? undefined) as unknown as NooutLease | undefined,
    writeLease: (lease) => documents.put(keyOf(lease.host), lease as unknown as Json),
    deleteLease: (host) => documents.put(keyOf(host), null),
  }
}
