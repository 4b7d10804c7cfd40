/** Takes in what Alertmanager sends: kept durably before anybody is told so, and read by the watch in its next round. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { DriverError } from '#domain/driver-error'
import type { Secret } from '#domain/secret'
import type { Placing } from '#drivers/prometheus/placing'
import { type KeptAlert, readWebhook, type Unplaced } from '#drivers/prometheus/webhook'
import type { Clock } from '#ports/clock'

export type Received =
  /** Durable. `unplaced`: of no use to us, counted and said. */
  | {
      readonly is: 'kept'
      readonly keptCount: number
      readonly unplaced: readonly Unplaced[]
      readonly notes: readonly string[]
    }
  | { readonly is: 'unreadable'; readonly faults: readonly { readonly path: string; readonly text: string }[] }
  /** Nothing was kept: to be sent again. */
  | { readonly is: 'later'; readonly text: string; readonly afterS: number }

/** Since this process began. */
export type AlertCounts = {
  readonly messages: number
  readonly kept: number
  readonly unplaced: Readonly<Record<Unplaced['why'], number>>
  readonly unreadable: number
  readonly refusedForNow: number
}

export type AlertReceiver = {
  /** By the shared secret, compared in constant time. Without one the listener has asked for a certificate. */
  isAuthorised(authorization: string | undefined): boolean
  receive(body: unknown): Promise<Received>
  counts(): AlertCounts
}

export type AlertQueue = {
  put(messages: readonly { readonly key: string; readonly message: KeptAlert }[]): Promise<'kept' | 'full'>
}

/** More alerts than this wait for no watch: it stands still, and Alertmanager keeps them for us. */
export const ALERTS_WAITING_LIMIT = 10_000
const FULL_AFTER_S = 60
const AWAY_AFTER_S = 10
const CLOCK_AHEAD_LIMIT_MS = 5 * 60_000
/** What was said of so many alerts is not said again; a fleet that sends us everything must not fill the log. */
const SAID_LIMIT = 1_000

export function alertReceiver(parts: {
  readonly queue: AlertQueue
  readonly placing: Placing
  readonly clock: Clock
  readonly secret: Secret | undefined
  readonly log: (text: string) => void
}): AlertReceiver {
  const { queue, placing, clock, secret, log } = parts
  const say = sayingOnce(log)
  const counts = {
    messages: 0,
    kept: 0,
    unplaced: { 'no node of ours': 0, 'names no part': 0, 'cannot be read': 0 },
    unreadable: 0,
    refusedForNow: 0,
  }
  const later = (text: string, afterS: number): Received => {
    counts.refusedForNow++
    return { is: 'later', text, afterS }
  }
  return {
    isAuthorised: (authorization) => secret === undefined || isSame(authorization ?? '', `Bearer ${secret.reveal()}`),
    counts: () => ({ ...counts, unplaced: { ...counts.unplaced } }),
    receive: async (body) => {
      counts.messages++
      try {
        const webhook = readWebhook(body, placing, await clock.nowMs())
        if (webhook.is === 'unreadable') {
          counts.unreadable++
          return webhook
        }
        const { alerts, unplaced } = webhook
        if ((await queue.put(alerts.map((message) => ({ key: message.key, message })))) === 'full')
          return later(`${ALERTS_WAITING_LIMIT} alerts wait already: the watch does not read them`, FULL_AFTER_S)
        counts.kept += alerts.length
        for (const { alert, why } of unplaced) {
          counts.unplaced[why]++
          say(`alertmanager: ${alert}: ${why}`)
        }
        const notes = notesOf(webhook)
        for (const note of notes) say(`alertmanager: ${note}`)
        return { is: 'kept', keptCount: alerts.length, unplaced, notes }
      } catch (error) {
        if (!(error instanceof DriverError)) throw error
        say(`alertmanager: alerts are not kept: ${error.message}`)
        return later('they cannot be kept now', AWAY_AFTER_S)
      }
    },
  }
}

function notesOf({ aheadMs, truncatedCount }: { readonly aheadMs: number; readonly truncatedCount: number }) {
  return [
    ...(aheadMs > CLOCK_AHEAD_LIMIT_MS
      ? [`the clock of Prometheus is ${Math.round(aheadMs / 60_000)} min ahead of ours: set both by NTP`]
      : []),
    ...(truncatedCount > 0
      ? [`${truncatedCount} alerts were left out by max_alerts: raise it, or group by ['...']`]
      : []),
  ]
}

/** Digests have one length, whatever was sent. */
const isSame = (given: string, wanted: string) => timingSafeEqual(digest(given), digest(wanted))
const digest = (text: string) => createHash('sha256').update(text).digest()

function sayingOnce(log: (text: string) => void): (text: string) => void {
  const said = new Set<string>()
  return (text) => {
    if (said.has(text)) return
    const oldest = said.values().next()
    if (said.size >= SAID_LIMIT && !oldest.done) said.delete(oldest.value)
    said.add(text)
    log(text)
  }
}
