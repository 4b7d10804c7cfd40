/** The watchdog as a process: from the configuration to rounds, once or again and again, until a signal. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import type { NooutLease } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import { nodeName } from '#domain/ids'
import { witnessedJournal } from '#drivers/lab/witness'
import { PostgresDocuments } from '#drivers/postgres/documents'
import { embeddedUrlOf } from '#drivers/postgres/embedded'
import { PostgresJournal } from '#drivers/postgres/journal'
import { openPool } from '#drivers/postgres/pool'
import { releaseLease } from '#story/watchdog/release'
import { readConfig } from '../config/read.ts'
import type { Config } from '../config/schema.ts'
import { databaseUrlOf } from '../config/secrets.ts'
import { watchdogSchema } from '../config/watchdog.ts'
import { type Drivers, makeDrivers } from '../drivers.ts'
import { leasesIn } from '../leases-in-database.ts'
import { type Way, waysOf } from './channels.ts'
import { readLedger, writeLedger, writeTextfile } from './files.ts'
import { askHealth, lookAround, lookAtDatabase, type Watched } from './look.ts'
import { metricsOf } from './metrics.ts'
import { type Round, type RoundParts, watchOnce } from './round.ts'

type Log = (text: string) => void

export type Watchdog = {
  /** Looks, tells, keeps what it told. What stands is in the answer. */
  round(): Promise<Round>
  /** Where /metrics is served; undefined where nobody asked for it. */
  listen(): Promise<string | undefined>
  close(): Promise<void>
}

/** Throws BadInput for a bad configuration; nothing else that is away keeps it from starting. */
export function openWatchdog(configPath: string, log: Log): Watchdog {
  const path = resolve(configPath)
  const config = readConfig(path)
  const settings = settingsOf(config)
  const beside = (file: string) => resolve(dirname(path), file)
  const statePath = statePathOf(config, path)
  const { textfile } = settings.metrics
  let parts: Open | undefined
  let metrics = ''
  const metricsServer = serveMetrics(() => metrics)
  return {
    async round() {
      parts = await reopened(parts, { config, path, log })
      const { ledger } = readLedger(statePath, log)
      const round = await watchOnce(parts, ledger)
      writeLedger(statePath, round.ledger, round.facts.nowMs)
      metrics = metricsOf(round.facts, round.standing, round.undelivered.length, round.blind)
      if (textfile !== undefined) writeTextfile(beside(textfile), metrics)
      return round
    },
    listen: async () =>
      settings.metrics.listen === undefined ? undefined : metricsServer.listen(settings.metrics.listen),
    close: async () => {
      await Promise.all([metricsServer.close(), parts?.close()])
    },
  }
}

const settingsOf = (config: Config) => config.watchdog ?? watchdogSchema.parse({})

export const statePathOf = (config: Config, configPath: string) =>
  config.watchdog?.state === undefined
    ? join(config.stateDir, 'watchdog.json')
    : resolve(dirname(configPath), config.watchdog.state)

type Open = RoundParts & { readonly databaseUrl: string | undefined; close(): Promise<void> }

type Opening = { readonly config: Config; readonly path: string; readonly log: Log }

/** Our embedded database may be made after the watchdog began. */
async function reopened(open: Open | undefined, opening: Opening): Promise<Open> {
  const { config, path } = opening
  const databaseUrl = databaseUrlOf(config, path)?.reveal() ?? embeddedUrlOf(config.stateDir)
  if (open !== undefined && open.databaseUrl === databaseUrl) return open
  await open?.close()
  return openParts(opening, databaseUrl)
}

function openParts({ config, path, log }: Opening, databaseUrl: string | undefined): Open {
  const settings = settingsOf(config)
  const pool = databaseUrl === undefined ? undefined : openPool({ url: databaseUrl, log })
  const drivers = makeDrivers(config, path, pool === undefined ? {} : { leases: leasesIn(new PostgresDocuments(pool)) })
  const policy = {
    graceMs: settings.graceS * 1000,
    mayRelease: settings.releaseExpiredLease,
    leaseMs: config.policy.leaseS * 1000,
  }
  const health = settings.health ?? healthAt(config.listen)
  const watched: Watched = {
    clock: drivers.clock,
    nodes: Object.keys(config.nodes).map(nodeName),
    hypervisor: drivers.hypervisor,
    storage: drivers.storage,
    database: databaseUrl === undefined ? undefined : () => lookAtDatabase(databaseUrl),
    health: health === undefined ? undefined : () => askHealth(health),
  }
  const look = () => lookAround(watched)
  return {
    databaseUrl,
    look,
    release: (lease) => release({ drivers, pool, lease, look, policy }),
    policy,
    pace: { patienceMs: settings.patienceS * 1000, renotifyMs: settings.renotifyS * 1000 },
    ways: waysHeard(waysOf(config, path, drivers.notifier), log),
    log,
    close: async () => {
      await Promise.all([drivers.close(), pool?.end()])
    },
  }
}

function waysHeard(ways: readonly Way[], log: Log): readonly Way[] {
  if (ways.length === 0)
    log('nobody would hear it: neither smtp with a mail address nor watchdog.webhook is configured')
  return ways
}

type Releasing = {
  readonly drivers: Drivers
  readonly pool: ReturnType<typeof openPool> | undefined
  readonly lease: NooutLease
  readonly look: RoundParts['look']
  readonly policy: RoundParts['policy']
}

async function release({ drivers, pool, lease, look, policy }: Releasing) {
  if (pool === undefined) return { is: 'refused', text: 'there is no journal' } as const
  const kept = new PostgresJournal({ pool, clock: drivers.clock })
  const journal = drivers.lab === undefined ? kept : witnessedJournal(kept, drivers.lab)
  return releaseLease({ storage: drivers.storage, journal }, lease, { look, policy })
}

const ANY_ADDRESS = /^(0\.0\.0\.0|\[::\]|::)$/

/** Undefined where the port is the system's to choose. */
export function healthAt(listen: string): string | undefined {
  const at = listen.lastIndexOf(':')
  const [host, port] = [listen.slice(0, at), Number(listen.slice(at + 1))]
  if (port === 0) return undefined
  return `http://${ANY_ADDRESS.test(host) ? '127.0.0.1' : host}:${port}/api/health`
}

function serveMetrics(text: () => string) {
  const server = createServer((request, response) => {
    const isAsked = request.method === 'GET' && request.url === '/metrics'
    // Before the first look there is nothing to tell, and an empty answer would say that all is well.
    const status = !isAsked ? 404 : text() === '' ? 503 : 200
    response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
    response.end(status === 200 ? text() : '')
  })
  server.unref()
  return {
    listen: async (where: string) => {
      const at = where.lastIndexOf(':')
      const host = where.slice(0, at).replace(/^\[|\]$/g, '')
      await new Promise<void>((ready, fail) => {
        server.once('error', (cause) =>
          fail(new DriverError('metrics', `listen at ${where}`, { retry: 'never', cause })),
        )
        server.listen(Number(where.slice(at + 1)), host, ready)
      })
      const { port } = server.address() as AddressInfo
      return `http://${where.slice(0, at)}:${port}/metrics`
    },
    close: () => new Promise<void>((closed) => server.close(() => closed())),
  }
}
