/** Whether somebody looks after the control plane from outside: by what the watchdog itself left behind. */
import type { Check } from '#domain/check'
import { durationText } from '#domain/figures'
import type { Config } from '../config/schema.ts'
import { readLedger } from '../watchdog/files.ts'
import { statePathOf } from '../watchdog/watchdog.ts'

/** Cron may call it every ten minutes. */
const LOOKED_WITHIN_MS = 15 * 60_000

/** @param nowMs the clock that the watchdog reads. */
export function examineWatchdog(config: Config, path: string, nowMs: number): readonly Check[] {
  const base = { area: 'watchdog', subject: 'watchdog' } as const
  const { lastLookMs } = readLedger(statePathOf(config, path))
  if (lastLookMs === undefined && config.watchdog === undefined) {
    const text = 'optional, and none is set up: when the control plane is gone, nobody shouts about its leases'
    return [{ ...base, outcome: 'fine', text }]
  }
  const mend = 'systemctl enable --now coulisse-watchdog.timer (deploy/systemd), on another machine if there is one'
  if (lastLookMs === undefined) return [{ ...base, outcome: 'missing', text: 'it has never looked', mend }]
  const agoMs = nowMs - lastLookMs
  const text = `looked ${durationText(Math.max(0, agoMs))} ago`
  return agoMs > LOOKED_WITHIN_MS
    ? [{ ...base, outcome: 'missing', text: `${text}, and not since`, mend }]
    : [{ ...base, outcome: 'fine', text }]
}
