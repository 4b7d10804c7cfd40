/** Alerts come late, again and from others than the BMC: they add what only they saw, and count nothing twice. */
import { expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import type { PartSignal, Signal } from '#domain/signal'
import { newDetector, observeSignals } from './decide.ts'
import { HOUR, MINUTE, SECOND, START_MS, TraceBuilder } from './traces/build-trace.ts'

const alert = (atMs: number, edge: PartSignal['edge'], more: Partial<PartSignal> = {}): PartSignal => ({
  is: 'part',
  atMs,
  receivedAtMs: atMs,
  node: nodeName('pve3'),
  source: 'alert',
  part: 'FAN3',
  kind: 'fan',
  state: 'critical',
  edge,
  ...more,
})

const observe = (signals: readonly Signal[], endMs: number) =>
  observeSignals(
    newDetector(),
    [...signals].sort((a, b) => a.receivedAtMs - b.receivedAtMs),
    endMs,
  )

const episodesIn = (signals: readonly Signal[], endMs: number) =>
  observe(signals, endMs).state.nodes.pve3?.parts.FAN3?.trouble?.episodes.length ?? 0

test('dropouts that only alerts tell are found as those of a log are', () => {
  const signals = [0, 6, 12, 18].flatMap((hour) => [
    alert(START_MS + hour * HOUR, 'assert'),
    alert(START_MS + hour * HOUR + 30 * SECOND, 'deassert'),
  ])
  const { findings } = observe(signals, START_MS + 24 * HOUR)
  expect(findings.map(({ part, level }) => `${part} ${level}`)).toEqual(['FAN3 quarantine', 'FAN3 drain-advised'])
})

test('an alert that comes ten minutes after the log said the same is no second dropout', () => {
  const trace = new TraceBuilder()
  trace.dropout({ atMs: START_MS, part: 'FAN3', lastsMs: 20 * MINUTE })
  const late = alert(START_MS + 10 * MINUTE, 'assert')
  expect(episodesIn([...trace.build(), late], START_MS + HOUR)).toBe(1)
})

test('an alert that is repeated for hours while the log says that the part is back opens nothing', () => {
  const again = [2, 6, 10].map((hour) => alert(START_MS + hour * HOUR, null))
  const trace = new TraceBuilder()
  trace.dropout({ atMs: START_MS, part: 'FAN3', lastsMs: 30 * SECOND })
  expect(episodesIn([...trace.build(), ...again], START_MS + 12 * HOUR)).toBe(1)
})

test('an alert of a supply that is not resolved is no proof that it lasts; a second look is', () => {
  const psu = { part: 'PSU1', kind: 'psu' } as const
  const once = [alert(START_MS, 'assert', psu)]
  expect(observe(once, START_MS + HOUR).findings).toEqual([])
  const again = [...once, alert(START_MS + 5 * MINUTE, null, psu)]
  expect(observe(again, START_MS + HOUR).findings.map(({ level, class: kind }) => `${level} ${kind}`)).toEqual([
    'drain-now hard',
  ])
})
