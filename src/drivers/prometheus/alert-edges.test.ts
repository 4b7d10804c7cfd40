import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { type AlertMemory, alertEdges } from './alert-edges.ts'
import type { KeptAlert } from './webhook.ts'

const MINUTE = 60_000
const T = Date.UTC(2026, 10, 22, 8)

function alert(startsAtMs: number, status: KeptAlert['status'], more: Partial<KeptAlert> = {}): KeptAlert {
  const { fingerprint = 'f1' } = more
  return {
    key: `${fingerprint} ${startsAtMs} ${status}`,
    fingerprint,
    status,
    startsAtMs,
    ...(status === 'resolved' ? { endsAtMs: startsAtMs + 30_000 } : {}),
    receivedAtMs: startsAtMs + 40_000,
    node: nodeName('pve3'),
    part: 'FAN3',
    kind: 'fan',
    state: 'critical',
    ...more,
  }
}

const edges = (alerts: readonly KeptAlert[], memory: AlertMemory = {}) =>
  alertEdges(memory, alerts).signals.map(({ edge }) => edge ?? 'again')

test('fires and is resolved: one assert and one deassert, with both times', () => {
  const { signals } = alertEdges({}, [alert(T, 'firing'), alert(T, 'resolved')])
  expect(signals).toMatchObject([
    { source: 'alert', edge: 'assert', state: 'critical', atMs: T },
    { source: 'alert', edge: 'deassert', state: 'critical', atMs: T + 30_000 },
  ])
})

test('sent again, by two Alertmanagers, or late, nothing begins anew', () => {
  const [fires, over] = [alert(T, 'firing'), alert(T, 'resolved')]
  expect(edges([fires, fires, over, over, fires])).toEqual(['assert', 'again', 'deassert'])
})

test('an alert that fires anew though its end never came was over in between', () => {
  expect(edges([alert(T, 'firing'), alert(T + 10 * MINUTE, 'firing')])).toEqual(['assert', 'deassert', 'assert'])
})

test('one that is heard of when it is over was a dropout, unless long ago', () => {
  expect(edges([alert(T, 'resolved')])).toEqual(['assert', 'deassert'])
  expect(edges([alert(T, 'resolved', { receivedAtMs: T + 24 * 60 * MINUTE })])).toEqual([])
})

test('a beginning that was moved back still ends what it began', () => {
  expect(edges([alert(T + MINUTE, 'firing'), alert(T, 'resolved', { endsAtMs: T + 3 * MINUTE })])).toEqual([
    'assert',
    'deassert',
  ])
})

test('what is remembered is bounded, and those that fire stay', () => {
  const old = Array.from({ length: 12_000 }, (_, index) => alert(T + index, 'resolved', { fingerprint: `f${index}` }))
  const { memory } = alertEdges({}, [alert(T, 'firing', { fingerprint: 'fires' }), ...old])
  expect(Object.keys(memory)).toHaveLength(10_000)
  expect(memory.fires?.status).toBe('firing')
})

test('however a life of dropouts is doubled, shuffled near by and cut into batches, edges alternate and none is doubled', () => {
  const life = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(
      life,
      fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
      fc.integer({ min: 1, max: 5 }),
      (gaps, draws, size) => {
        let atMs = T
        const sent = gaps.flatMap((gap, index) => {
          atMs += gap * MINUTE
          const [fires, over] = [alert(atMs, 'firing'), alert(atMs, 'resolved')]
          const draw = draws[index] ?? 0
          return draw % 3 === 0 ? [fires, fires, over] : draw % 3 === 1 ? [fires, over, fires] : [fires, over, over]
        })
        let memory: AlertMemory = {}
        const seen: string[] = []
        for (let from = 0; from < sent.length; from += size) {
          const batch = alertEdges(memory, sent.slice(from, from + size))
          memory = JSON.parse(JSON.stringify(batch.memory)) as AlertMemory
          seen.push(...batch.signals.map(({ edge }) => edge ?? 'again').filter((edge) => edge !== 'again'))
        }
        expect(seen).toEqual(gaps.flatMap(() => ['assert', 'deassert']))
      },
    ),
  )
})

test('in any order whatever, an assert follows an assert never, and who is resolved last is closed', () => {
  const any = fc.array(
    fc.record({ at: fc.integer({ min: 0, max: 4 }), status: fc.constantFrom('firing' as const, 'resolved' as const) }),
    { maxLength: 20 },
  )
  fc.assert(
    fc.property(any, (picks) => {
      const alerts = picks.map(({ at, status }) => alert(T + at * MINUTE, status))
      const seen = edges(alerts).filter((edge) => edge !== 'again')
      expect(seen).toEqual(seen.map((_, index) => (index % 2 === 0 ? 'assert' : 'deassert')))
    }),
  )
})
