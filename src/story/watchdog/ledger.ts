/** What was told to whom: nothing is repeated every minute, and what ends is said to be over. Pure; kept between two looks. */
import { type Alert, type AlertKind, alertKey } from './observation.ts'

/** What goes out of the house, and to whom it was told. */
export type Channel = 'mail' | 'webhook'

export type Standing = {
  readonly alert: Alert
  readonly firstMs: number
  /** Since when it is not seen any more. */
  readonly goneMs?: number
  readonly toldMs: Partial<Record<Channel, number>>
}

export type Ledger = { readonly standing: Readonly<Record<string, Standing>> }

export const EMPTY_LEDGER: Ledger = { standing: {} }

/** new: for the first time; again: it still stands; over: it does not. */
export type Shout = {
  readonly is: 'new' | 'again' | 'over'
  readonly key: string
  readonly alert: Alert
  readonly sinceMs: number
}

export type Pace = {
  /** What passes by itself within this time (a restart, a network) is told to nobody. */
  readonly patienceMs: number
  readonly renotifyMs: number
}

/** What is gone for less may be back in the next look: it is not over yet. */
export const OVER_AFTER_MS = 5 * 60_000
/** Somebody who cannot be reached is not told days later that something is over. */
const OVER_KEPT_MS = 24 * 3_600_000

/** It happened, and does not stand: told once, and never over. */
const HAPPENS: readonly AlertKind[] = ['lease-released']
/** So long somebody who could not be reached is told of it. */
const HAPPENED_KEPT_MS = 3_600_000

const PASSES_BY_ITSELF: readonly AlertKind[] = ['control-plane-gone', 'database-gone', 'ceph-unseen', 'proxmox-unseen']

/** What stands after a look. `blind`: kinds that could not be judged; what stood of them stands. */
export function enter(
  ledger: Ledger,
  { alerts, blind }: { readonly alerts: readonly Alert[]; readonly blind: readonly AlertKind[] },
  nowMs: number,
): Ledger {
  const standing: Record<string, Standing> = {}
  for (const alert of alerts) {
    const key = alertKey(alert)
    const known = ledger.standing[key]
    standing[key] = { alert, firstMs: known?.firstMs ?? nowMs, toldMs: known?.toldMs ?? {} }
  }
  for (const [key, old] of Object.entries(ledger.standing)) {
    if (standing[key] !== undefined) continue
    if (HAPPENS.includes(old.alert.kind)) {
      if (nowMs - old.firstMs < HAPPENED_KEPT_MS) standing[key] = old
    } else if (blind.includes(old.alert.kind) && old.goneMs === undefined) standing[key] = old
    else if (isWorthAnEnd(old, nowMs)) standing[key] = { ...old, goneMs: old.goneMs ?? nowMs }
  }
  return { standing }
}

const isWorthAnEnd = ({ toldMs, goneMs }: Standing, nowMs: number) =>
  Object.keys(toldMs).length > 0 && nowMs - (goneMs ?? nowMs) < OVER_KEPT_MS

/** What this channel is to be told now. */
export function due(ledger: Ledger, channel: Channel, pace: Pace, nowMs: number): readonly Shout[] {
  return Object.entries(ledger.standing).flatMap(([key, one]) => {
    const is = wordFor(one, channel, pace, nowMs)
    return is === undefined ? [] : [{ is, key, alert: one.alert, sinceMs: one.firstMs }]
  })
}

function wordFor(
  { alert, firstMs, goneMs, toldMs }: Standing,
  channel: Channel,
  { patienceMs, renotifyMs }: Pace,
  nowMs: number,
): Shout['is'] | undefined {
  const lastMs = toldMs[channel]
  if (goneMs !== undefined) return lastMs !== undefined && nowMs - goneMs >= OVER_AFTER_MS ? 'over' : undefined
  if (lastMs !== undefined && HAPPENS.includes(alert.kind)) return undefined
  if (lastMs !== undefined) return nowMs - lastMs >= renotifyMs ? 'again' : undefined
  const waitsMs = PASSES_BY_ITSELF.includes(alert.kind) ? patienceMs : 0
  return nowMs - firstMs >= waitsMs ? 'new' : undefined
}

/** After they were delivered; what could not be is due again in the next look. */
export function told(ledger: Ledger, channel: Channel, shouts: readonly Shout[], nowMs: number): Ledger {
  const standing = { ...ledger.standing }
  for (const { is, key } of shouts) {
    const old = standing[key]
    if (old === undefined) continue
    const { [channel]: _, ...others } = old.toldMs
    if (is !== 'over') standing[key] = { ...old, toldMs: { ...others, [channel]: nowMs } }
    else if (Object.keys(others).length > 0) standing[key] = { ...old, toldMs: others }
    else delete standing[key]
  }
  return { standing }
}

/** Those that stand, told or not. */
export const standingIn = ({ standing }: Ledger): readonly Standing[] =>
  Object.values(standing).filter(({ goneMs, alert }) => goneMs === undefined && !HAPPENS.includes(alert.kind))
