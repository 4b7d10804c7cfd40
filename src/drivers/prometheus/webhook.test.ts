import fc from 'fast-check'
import { expect, test } from 'vitest'
import { recordedPlacing as placing, recorded } from './testing.ts'
import { readWebhook } from './webhook.ts'

const RECEIVED_MS = Date.parse('2026-11-22T15:45:38.800Z')
type Body = { version: string; truncatedAlerts: number; alerts: Record<string, unknown>[] }
const firing = () => recorded('alertmanager-firing.json') as Body
const read = (body: unknown) => readWebhook(body, placing, RECEIVED_MS)
const only = (body: Body, change: Record<string, unknown>) => ({ ...body, alerts: [{ ...body.alerts[0], ...change }] })

test('what a real Alertmanager sent for one dropout', () => {
  expect(read(firing())).toEqual({
    is: 'alerts',
    alerts: [
      {
        key: '13abfcea1c386123 1795362338712 firing',
        fingerprint: '13abfcea1c386123',
        status: 'firing',
        startsAtMs: Date.parse('2026-11-22T15:45:38.712Z'),
        receivedAtMs: RECEIVED_MS,
        node: 'pve3',
        part: 'FAN3',
        kind: 'fan',
        state: 'critical',
      },
    ],
    unplaced: [],
    truncatedCount: 0,
    aheadMs: 0,
  })
  const resolved = read(recorded('alertmanager-resolved.json'))
  expect(resolved).toMatchObject({ alerts: [{ status: 'resolved', endsAtMs: Date.parse('2026-11-22T15:45:40.712Z') }] })
})

test('alerts of nobody, of no part, or unreadable ones are counted by name, and the rest is taken', () => {
  const body = firing()
  const [good] = body.alerts
  const alerts = [
    good,
    { ...good, labels: { alertname: 'FanDown', instance: '10.9.9.9:9290', name: 'FAN1' } },
    { ...good, labels: { alertname: 'NodeDown', node: 'pve1' } },
    { ...good, startsAt: 'yesterday' },
    7,
  ]
  expect(read({ ...body, alerts, truncatedAlerts: 3 })).toMatchObject({
    alerts: [{ part: 'FAN3' }],
    truncatedCount: 3,
    unplaced: [
      { alert: 'FanDown of 10.9.9.9:9290', why: 'no node of ours' },
      { alert: 'NodeDown', why: 'names no part' },
      { alert: 'CoulisseFanCritical of 127.0.0.1:9521', why: 'cannot be read' },
      { alert: 'an alert without labels', why: 'cannot be read' },
    ],
  })
})

test('a clock that is an hour ahead is seen', () => {
  expect(read(only(firing(), { startsAt: '2026-11-22T17:45:38.800+01:00' }))).toMatchObject({ aheadMs: 3_600_000 })
})

test('severity and state: what is not known is a warning, never worse', () => {
  const stateOf = (labels: Record<string, string>) => {
    const answer = read(only(firing(), { labels: { node: 'pve3', part: 'FAN3', ...labels } }))
    return answer.is === 'alerts' ? answer.alerts[0]?.state : answer
  }
  expect(
    [
      { severity: 'critical' },
      { severity: 'page' },
      { severity: 'info' },
      {},
      { state: 'absent' },
      { state: 'ok' },
    ].map((labels) => stateOf(labels as Record<string, string>)),
  ).toEqual(['critical', 'critical', 'warning', 'warning', 'absent', 'warning'])
})

test('other formats and garbage are refused with their fault', () => {
  expect(read({ ...firing(), version: '3' })).toMatchObject({ is: 'unreadable', faults: [{ path: 'version' }] })
  expect(read({ ...firing(), alerts: [] })).toMatchObject({ faults: [{ path: 'alerts' }] })
  for (const body of [null, undefined, 7, '<html>', [], {}]) expect(read(body).is).toBe('unreadable')
})

test('no body whatever makes it fail', () => {
  const body = fc.oneof(
    fc.jsonValue(),
    fc.record({ version: fc.constant('4'), alerts: fc.array(fc.jsonValue()) }),
    fc.record({
      version: fc.constant('4'),
      alerts: fc.array(
        fc.record(
          {
            status: fc.constantFrom('firing', 'resolved', 'gone'),
            labels: fc.dictionary(fc.constantFrom('node', 'part', 'severity', '__proto__'), fc.string()),
            annotations: fc.jsonValue(),
            startsAt: fc.oneof(fc.string(), fc.constant('0001-01-01T00:00:00Z')),
            endsAt: fc.jsonValue(),
            fingerprint: fc.jsonValue(),
          },
          { requiredKeys: [] },
        ),
      ),
    }),
  )
  fc.assert(
    fc.property(body, (one) => {
      const answer = read(one)
      if (answer.is === 'unreadable') return
      expect(answer.alerts.length + answer.unplaced.length).toBe((one as { alerts: unknown[] }).alerts.length)
    }),
  )
})
