import { afterEach, expect, test } from 'vitest'
import { type JsonReplay, jsonReplay } from '#contracts/json-replay'
import { DriverError } from '#domain/driver-error'
import { type JsonServiceOptions, jsonService } from './json-service.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

function serviceAt(replay: JsonReplay, more: Partial<JsonServiceOptions> = {}) {
  const service = jsonService({
    driver: 'prometheus',
    url: replay.url,
    trust: {},
    deadlineMs: 2_000,
    bodyLimitBytes: 1_000,
    ...more,
  })
  open.push(replay, service)
  return service
}

const failureOf = async (work: Promise<unknown>): Promise<DriverError> => {
  const error = await work.catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(DriverError)
  return error as DriverError
}

test('below the path of the service, with its authorization made at the last moment', async () => {
  const replay = await jsonReplay(() => ({ body: '{"a":1}' }))
  const service = serviceAt(replay, { url: `${replay.url}/prefix/`, authorization: () => 'Bearer t' })
  expect(await service.get('ask', '/api?x=1')).toEqual({ status: 200, json: { a: 1 } })
  expect(replay.asked[0]).toMatchObject({ url: '/prefix/api?x=1', headers: { authorization: 'Bearer t' } })
})

test('an answer beyond the limit is not read to its end', async () => {
  const service = serviceAt(await jsonReplay(() => ({ body: JSON.stringify('x'.repeat(5_000)) })))
  const error = await failureOf(service.get('ask', '/'))
  expect([error.retry, error.message]).toEqual(['never', 'prometheus: ask: the answer is larger than 1000 bytes'])
})

test('the pinned certificate, or the authority that signed it, and nobody else', async () => {
  const replay = await jsonReplay(() => ({ body: '{}' }), { tls: true })
  const { fingerprint256 = '', cert = '' } = replay.certificate ?? {}
  for (const trust of [{ fingerprint256 }, { ca: cert }]) {
    expect(await serviceAt(replay, { trust }).get('ask', '/')).toMatchObject({ status: 200 })
  }
  const changed = { fingerprint256: fingerprint256.replace(/^../, fingerprint256.startsWith('00') ? '01' : '00') }
  const seenBefore = replay.asked.length
  for (const trust of [changed, {}]) {
    const authorization = () => 'Bearer secret'
    expect((await failureOf(serviceAt(replay, { trust, authorization }).get('ask', '/'))).retry).toBe('never')
  }
  expect(replay.asked).toHaveLength(seenBefore)
})

test('nobody there is "later", with the deadline kept', async () => {
  const replay = await jsonReplay(() => ({ silent: true }))
  const silent = await failureOf(serviceAt(replay, { deadlineMs: 200 }).get('ask', '/'))
  expect([silent.retry, silent.message]).toEqual(['later', 'prometheus: ask: no answer within 200 ms'])
  const gone = await jsonReplay(() => ({}))
  await gone.close()
  const service = jsonService({ driver: 'netbox', url: gone.url, trust: {}, deadlineMs: 500, bodyLimitBytes: 10 })
  open.push(service)
  expect((await failureOf(service.get('ask', '/'))).retry).toBe('later')
})
