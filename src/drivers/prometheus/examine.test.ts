import { afterEach, expect, test } from 'vitest'
import { type JsonReplay, jsonReplay, type Said } from '#contracts/json-replay'
import { nodeName } from '#domain/ids'
import { prometheusClient } from './client.ts'
import { examinePrometheus } from './examine.ts'
import { recordedPlacing as placing, recordedText } from './testing.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

/** What `time()` said in the recording, a few seconds after its last scrape. */
const THEIRS_MS = 1_795_362_388_818
const pve3 = { ...placing, nodes: [nodeName('pve3')] }

async function examine(replay: JsonReplay, more: { nowMs?: number; placing?: typeof placing } = {}) {
  const client = prometheusClient({ url: replay.url, trust: {}, signIn: { is: 'none' }, deadlineMs: 1_000 })
  open.push(replay, client)
  const checks = await examinePrometheus({ url: 'https://prom', client, nowMs: THEIRS_MS, placing: pve3, ...more })
  return checks.map(({ subject, outcome, text }) => `${outcome}: ${subject}: ${text}`)
}

function answers(said: Partial<Record<'ipmi' | 'time' | 'build', Said>> = {}) {
  return jsonReplay(({ url }) => {
    if (url.includes('buildinfo')) return said.build ?? { body: recordedText('buildinfo.json') }
    const query = new URL(url, 'http://x').searchParams.get('query') ?? ''
    if (query === 'time()') return said.time ?? { body: recordedText('time.json') }
    return query.includes('ipmi_')
      ? (said.ipmi ?? { body: recordedText('ipmi-fan-flaps.json') })
      : { body: recordedText('empty.json') }
  })
}

test('all is well: who it is, its clock, whom it sees, how often', async () => {
  expect(await examine(await answers())).toEqual([
    'fine: https://prom: answers, 2.42.0+ds',
    'fine: https://prom clock: its clock is 0.0 s behind ours'.replace('behind', 'ahead of'),
    'fine: fans: Prometheus has the fans of 1 of 1 nodes',
    'fine: scrapes: 1 targets, each scraped within 60 s',
  ])
})

test('nodes without a reading, targets of nobody, and a clock that is an hour off are named', async () => {
  const checks = await examine(await answers(), {
    nowMs: THEIRS_MS - 3_600_000,
    placing: { ...placing, aliases: {} },
  })
  expect(checks.filter((one) => !one.startsWith('fine'))).toEqual([
    'dangerous: https://prom clock: its clock is 3600.0 s ahead of ours',
    'missing: fans: no reading of a fan within 15 min of pve1, pve2, pve3',
    'missing: targets: 127.0.0.1:9521: targets of no node of ours',
  ])
})

test('scrapes that are rare, or long past, find no fan that drops out for half a minute', async () => {
  const rare = (agesS: readonly number[]) => ({
    body: JSON.stringify({
      status: 'success',
      data: {
        resultType: 'matrix',
        result: [
          {
            metric: { __name__: 'ipmi_fan_speed_state', instance: 'pve3', job: 'ipmi', name: 'FAN1' },
            values: agesS.map((ageS) => [THEIRS_MS / 1000 - ageS, '0']),
          },
        ],
      },
    }),
  })
  expect(await examine(await answers({ ipmi: rare([480, 240, 0]) }))).toContain(
    'dangerous: ipmi pve3 (pve3): is scraped every 240 s: what drops out for less is seen by chance',
  )
  expect(await examine(await answers({ ipmi: rare([690, 660, 630]) }))).toContain(
    'missing: ipmi pve3 (pve3): its newest reading is 630 s old',
  )
})

test('one that does not answer, or refuses us, is missing; it is never an error of ours', async () => {
  const [refused] = await examine(await answers({ time: { status: 401, body: 'Unauthorized' } }))
  expect(refused).toBe('missing: https://prom: prometheus: read its clock: 401 Unauthorized')
  const gone = await answers()
  await gone.close()
  expect(await examine(gone)).toHaveLength(1)
})

test('what speaks the API only need not say what it is', async () => {
  const checks = await examine(await answers({ build: { status: 404, body: 'not found' } }))
  expect(checks[0]).toContain('fine')
})
