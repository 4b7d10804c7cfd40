/** What knows of many nodes at once, wired: Prometheus asked by the watch, Alertmanager's webhook behind a durable queue. */
import { dirname } from 'node:path'
import type pg from 'pg'
import type { Json } from '#domain/json'
import { PostgresInbox } from '#drivers/postgres/inbox'
import { alertSource } from '#drivers/prometheus/alert-source'
import { prometheusClient } from '#drivers/prometheus/client'
import { prometheusSource } from '#drivers/prometheus/prometheus-source'
import type { KeptAlert } from '#drivers/prometheus/webhook'
import type { Clock } from '#ports/clock'
import type { SignalSource } from '#ports/signal-source'
import { ALERTS_WAITING_LIMIT, alertReceiver } from './alerts.ts'
import type { Config } from './config/schema.ts'
import { secretOf } from './config/secrets.ts'
import type { ControlPlane } from './control-plane.ts'
import { placingOf, prometheusConfigOf } from './monitoring.ts'

type FleetParts = {
  readonly configPath: string
  readonly clock: Clock
  readonly pool: pg.Pool
  readonly log: (text: string) => void
}

export type Fleet = {
  readonly sources: readonly SignalSource[]
  readonly alerts: ControlPlane['alerts']
  close(): Promise<void>
}

export function fleetOf(config: Config, { configPath, clock, pool, log }: FleetParts): Fleet {
  const placing = placingOf(config)
  const asked = prometheusConfigOf(config, configPath)
  const client = asked === undefined ? undefined : prometheusClient(asked)
  const fromPrometheus = client === undefined ? [] : [prometheusSource({ client, placing, clock })]
  const close = async () => client?.close()
  const { alertmanager } = config
  if (alertmanager === undefined) return { sources: fromPrometheus, alerts: undefined, close }
  const queue = alertQueue(pool)
  const { secret, listen } = alertmanager
  const receiver = alertReceiver({
    queue,
    placing,
    clock,
    secret: secret === undefined ? undefined : secretOf(secret, dirname(configPath)),
    log,
  })
  return {
    sources: [...fromPrometheus, alertSource(queue)],
    alerts: { receiver, isOnApi: listen === undefined },
    close,
  }
}

export function alertQueue(pool: pg.Pool): PostgresInbox<KeptAlert & Json> {
  return new PostgresInbox({ pool, topic: 'alerts', limit: ALERTS_WAITING_LIMIT })
}
