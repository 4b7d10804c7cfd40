/** One round: look, decide, release what may be released, tell who is due, keep what was told. */

import type { NooutLease } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import { decide } from '#story/watchdog/decide'
import { due, enter, type Ledger, type Pace, type Standing, standingIn, told } from '#story/watchdog/ledger'
import type { Alert, WatchdogFacts, WatchdogPolicy } from '#story/watchdog/observation'
import { type Release, releasable } from '#story/watchdog/release'
import type { Way } from './channels.ts'

export type RoundParts = {
  readonly look: () => Promise<WatchdogFacts>
  readonly release: (lease: NooutLease) => Promise<Release>
  readonly policy: WatchdogPolicy
  readonly pace: Pace
  readonly ways: readonly Way[]
  readonly log: (text: string) => void
}

export type Round = {
  readonly facts: WatchdogFacts
  readonly blind: readonly string[]
  readonly standing: readonly Standing[]
  /** Ways that failed, with why. */
  readonly undelivered: readonly string[]
  readonly ledger: Ledger
}

export async function watchOnce(parts: RoundParts, before: Ledger): Promise<Round> {
  const { policy, log } = parts
  const facts = await parts.look()
  const verdict = decide(facts, policy)
  const released: Alert[] = []
  for (const lease of releasable(facts, policy)) {
    const outcome = await parts.release(lease)
    log(`${lease.host}: ${outcome.is}: ${outcome.text}`)
    if (outcome.is === 'released') released.push(releasedAlert(lease, outcome.text))
  }
  const entered = enter(before, { ...verdict, alerts: [...verdict.alerts, ...released] }, facts.nowMs)
  const { ledger, undelivered } = await tellAll(parts, entered, facts.nowMs)
  return { facts, blind: verdict.blind, standing: standingIn(ledger), undelivered, ledger }
}

const releasedAlert = ({ host }: NooutLease, text: string): Alert => ({
  kind: 'lease-released',
  subject: host,
  severity: 'warning',
  text,
  mend: 'nothing; the journal shows what was done',
})

async function tellAll({ ways, pace, log }: RoundParts, entered: Ledger, nowMs: number) {
  let ledger = entered
  const undelivered: string[] = []
  for (const way of ways) {
    const shouts = due(ledger, way.channel, pace, nowMs)
    if (shouts.length === 0) continue
    try {
      await way.tell(shouts, nowMs)
      ledger = told(ledger, way.channel, shouts, nowMs)
      for (const { is, key, alert } of shouts) log(`${way.channel}: ${is}: ${key}: ${alert.text}`)
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      undelivered.push(`${way.channel}: ${error.message}`)
      log(`${way.channel} could not be told: ${error.message}`)
    }
  }
  return { ledger, undelivered }
}
