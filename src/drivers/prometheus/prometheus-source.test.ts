import { inspect } from 'node:util'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { BAD_ANSWERS, type JsonReplay, jsonReplay, type Said } from '#contracts/json-replay'
import { DriverError } from '#domain/driver-error'
import { secret } from '#domain/secret'
import { readMatrix } from './answers.ts'
import { type PrometheusConfig, prometheusClient } from './client.ts'
import { prometheusSource, windowOf } from './prometheus-source.ts'
import { recordedPlacing as placing, recorded, recordedText } from './testing.ts'

const MINUTE = 60_000
const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

let nowMs = Date.UTC(2026, 10, 22, 16)
const clock = { nowMs: async () => nowMs, sleepUntil: async () => undefined }

function clientAt(replay: JsonReplay, more: Partial<PrometheusConfig> = {}) {
  const client = prometheusClient({ url: replay.url, trust: {}, signIn: { is: 'none' }, deadlineMs: 1_500, ...more })
  open.push(replay, client)
  return client
}

const queryIn = (url: string) => new URL(url, 'http://x').searchParams.get('query') ?? ''
const withIpmi =
  (name: string) =>
  ({ url }: { url: string }): Said => ({ body: recordedText(queryIn(url).includes('ipmi_') ? name : 'empty.json') })

const failureOf = async (work: Promise<unknown>): Promise<DriverError> => {
  const error = await work.catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(DriverError)
  return error as DriverError
}

test('one query a family for all nodes; the next window reaches back to where the last one ended', async () => {
  let name = 'ipmi-fan-flaps.json'
  const replay = await jsonReplay((asked) => withIpmi(name)(asked))
  const source = prometheusSource({ client: clientAt(replay), placing, clock })
  const first = await source.signals('')
  expect(first.signals.map((signal) => 'state' in signal && signal.state)).toEqual(['critical', 'ok', 'critical', 'ok'])
  expect(replay.asked).toHaveLength(4)
  expect(queryIn(replay.asked[0]?.url ?? '')).toMatch(/^\{__name__=~"ipmi_.*\[300s\]$/)
  nowMs += 10 * MINUTE
  name = 'ipmi-fan-stopped.json'
  const second = await source.signals(first.cursor)
  expect(queryIn(replay.asked[4]?.url ?? '')).toContain('[690s]')
  expect(second.signals.at(-1)).toMatchObject({ part: 'FAN3', state: 'critical' })
  name = 'ipmi-bmc-silent.json'
  expect((await source.signals(second.cursor)).signals).toEqual([])
})

test('asked again with an old cursor, or one that is broken, it tells the same again and does not fail', async () => {
  const source = prometheusSource({
    client: clientAt(await jsonReplay(withIpmi('ipmi-fan-flaps.json'))),
    placing,
    clock,
  })
  const { cursor, signals } = await source.signals('')
  expect((await source.signals(cursor)).signals).toEqual([])
  for (const old of ['', '{', '7', '{"readAtMs":1}']) expect((await source.signals(old)).signals).toEqual(signals)
})

test('windows are never longer than an hour, however long we were away, and never empty when a clock is set back', () => {
  expect([windowOf(undefined, 0), windowOf(0, 24 * 60 * MINUTE), windowOf(5 * MINUTE, 0)]).toEqual([
    5 * MINUTE,
    60 * MINUTE,
    90_000,
  ])
})

test('an answer in part, and targets of nobody, are said once', async () => {
  const partial = JSON.stringify({ ...(recorded('ipmi-fan-flaps.json') as object), warnings: ['a store is away'] })
  const replay = await jsonReplay(({ url }) => ({
    body: queryIn(url).includes('ipmi_') ? partial : recordedText('empty.json'),
  }))
  const source = prometheusSource({ client: clientAt(replay), placing: { ...placing, aliases: {} }, clock })
  const { notes, cursor } = await source.signals('')
  expect(notes).toEqual([
    'prometheus answers in part only: a store is away',
    'prometheus: targets of no node of ours: 127.0.0.1:9521',
  ])
  expect((await source.signals(cursor)).notes).toEqual([])
})

test.each([
  ['bad-query.json', 400, 'never', 'bad_data'],
  ['too-many-samples.json', 422, 'never', 'too many samples'],
  ['unknown-path.txt', 404, 'never', '404 page not found'],
] as const)('%s, as recorded, is a DriverError with its words', async (name, status, retry, words) => {
  const client = clientAt(await jsonReplay(() => ({ status, body: recordedText(name) })))
  const error = await failureOf(client.range('read the fleet’s series', '{a="b"}', MINUTE))
  expect([error.driver, error.retry]).toEqual(['prometheus', retry])
  expect(error.message).toContain(words)
})

test.each([
  [503, { status: 'error', errorType: 'timeout', error: 'query timed out' }, 'later'],
  [200, { status: 'error', errorType: 'internal', error: 'a 200 with an error' }, 'never'],
  [500, { status: 'error', errorType: 'internal', error: 'x' }, 'later'],
  [200, { status: 'success', data: { resultType: 'streams', result: [] } }, 'never'],
] as const)('%s %j', async (status, body, retry) => {
  const client = clientAt(await jsonReplay(() => ({ status, body: JSON.stringify(body) })))
  expect((await failureOf(client.range('read', '{a="b"}', MINUTE))).retry).toBe(retry)
})

test.each(BAD_ANSWERS)('%s instead of an answer', async (_, said, retry) => {
  const client = clientAt(await jsonReplay(() => said))
  expect((await failureOf(client.range('read', '{a="b"}', MINUTE))).retry).toBe(retry)
})

test('signs in by basic or bearer, and the secret is nowhere else', async () => {
  const replay = await jsonReplay(() => ({ status: 403, body: '{}' }))
  const password = secret('hush-hush')
  const basic = clientAt(replay, { signIn: { is: 'basic', user: 'coulisse', password } })
  const bearer = clientAt(replay, { signIn: { is: 'bearer', token: password } })
  const errors = [await failureOf(basic.time()), await failureOf(bearer.time())]
  expect(replay.asked.map(({ headers }) => headers.authorization)).toEqual([
    `Basic ${Buffer.from('coulisse:hush-hush').toString('base64')}`,
    'Bearer hush-hush',
  ])
  expect(inspect([errors, basic, bearer], { depth: 9 })).not.toContain('hush-hush')
})

test('whatever is changed in a recorded answer, it is read or refused, and never fails otherwise', () => {
  const text = recordedText('ipmi-fan-stopped.json')
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(40), fc.string(), (at, cut, put) => {
      let json: unknown
      try {
        json = JSON.parse(text.slice(0, at) + put + text.slice(at + cut))
      } catch {
        return
      }
      expect(['data', 'refused']).toContain(readMatrix(200, json).is)
    }),
  )
  fc.assert(fc.property(fc.jsonValue(), fc.nat(599), (json, status) => void readMatrix(status, json)))
})
