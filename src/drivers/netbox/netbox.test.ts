import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { BAD_ANSWERS, type JsonReplay, jsonReplay } from '#contracts/json-replay'
import { DriverError } from '#domain/driver-error'
import { nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import { readDevices } from './answers.ts'
import { type NetboxConfig, netboxDevices } from './devices.ts'
import { type ExaminedNode, examineNetbox } from './examine.ts'
import { findDevice } from './find.ts'

const folder = new URL('../../../contracts/recordings/netbox/', import.meta.url)
const composed = (name: string) => readFileSync(new URL(`${name}.json`, folder), 'utf8')

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})

function netboxAt(replay: JsonReplay, more: Partial<NetboxConfig> = {}) {
  const devices = netboxDevices({
    url: replay.url,
    token: secret('nbt_k.secret'),
    trust: {},
    deadlineMs: 1_500,
    ...more,
  })
  open.push(replay, devices)
  return devices
}

const devicesIn = (name: string) => {
  const page = readDevices(JSON.parse(composed(name)))
  return page.is === 'page' ? page.devices : []
}

const failureOf = async (work: Promise<unknown>): Promise<DriverError> => {
  const error = await work.catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(DriverError)
  return error as DriverError
}

test('site, room, rack, whole and half units, a blade’s bay, serial and tag; what is not there is not there', () => {
  expect(devicesIn('devices').map(({ words }) => words)).toEqual([
    { site: 'MAD1', room: 'Room 2', rack: 'c', unit: '15', serial: '7QX4J90', assetTag: 'A-0101' },
    { site: 'MAD1', rack: 'c', unit: '12.5', serial: '7QX4J91' },
    { site: 'MAD1', room: 'Room 2', rack: 'c', unit: 'blades-1, Bay 3', serial: '7QX4J92', assetTag: 'A-0103' },
  ])
  expect(devicesIn('devices-not-in-a-rack')[0]).toMatchObject({ status: 'planned', words: { site: 'MAD1' } })
  expect(devicesIn('devices-not-in-a-rack')[0]?.words.unit).toBeUndefined()
})

test('an older version says the same', () => {
  expect(devicesIn('devices-3.6')[0]?.words).toEqual(devicesIn('devices')[0]?.words)
})

test('all pages, each asked of the address that we know, never of the one that an answer names', async () => {
  const replay = await jsonReplay(({ url }) => ({
    body: composed(url.includes('offset=2') ? 'devices-page-2' : 'devices-page-1'),
  }))
  const found = await netboxAt(replay).named(['pve1', 'pve2', 'pve3'])
  expect(found.map(({ name }) => name)).toEqual(['pve1', 'PVE2', 'pve3'])
  expect(replay.asked.map(({ url }) => url)).toEqual(
    [0, 2].map(
      (offset) =>
        `/api/dcim/devices/?limit=100&offset=${offset}&exclude=config_context&name__ie=pve1&name__ie=pve2&name__ie=pve3`,
    ),
  )
})

test('pages without end come to an end', async () => {
  const replay = await jsonReplay(() => ({ body: composed('devices-page-1') }))
  expect((await failureOf(netboxAt(replay).named(['pve1']))).message).toContain('more than 50 pages')
  expect(replay.asked).toHaveLength(50)
})

test('two hundred nodes are four questions', async () => {
  const replay = await jsonReplay(() => ({ body: composed('devices-none') }))
  expect(await netboxAt(replay).named(Array.from({ length: 200 }, (_, index) => `pve${index}`))).toEqual([])
  expect(replay.asked).toHaveLength(4)
})

test('both kinds of tokens, each in its header, and nowhere else', async () => {
  const replay = await jsonReplay(() => ({ status: 403, body: composed('invalid-v1-token') }))
  const old = '0123456789abcdef0123456789abcdef01234567'
  const errors = [
    await failureOf(netboxAt(replay).named(['pve1'])),
    await failureOf(netboxAt(replay, { token: secret(old) }).named(['pve1'])),
  ]
  expect(replay.asked.map(({ headers }) => headers.authorization)).toEqual(['Bearer nbt_k.secret', `Token ${old}`])
  expect(errors.map(({ retry }) => retry)).toEqual(['never', 'never'])
  expect(errors[0]?.message).toBe('netbox: look up where nodes stand: 403 Invalid v1 token')
  expect(inspect(errors, { depth: 9 })).not.toMatch(/nbt_k|0123456789abcdef/)
})

test.each(BAD_ANSWERS)('%s instead of an answer', async (_, said, retry) => {
  expect((await failureOf(netboxAt(await jsonReplay(() => said)).named(['pve1']))).retry).toBe(retry)
})

test('a certificate that changed gets no token', async () => {
  const replay = await jsonReplay(() => ({ body: composed('devices') }), { tls: true })
  const fingerprint256 = replay.certificate?.fingerprint256.replace(/^../, 'zz') ?? ''
  expect((await failureOf(netboxAt(replay, { trust: { fingerprint256 } }).named(['pve1']))).retry).toBe('never')
  expect(replay.asked).toEqual([])
})

test('of several devices of one name the serial decides, else none is believed', () => {
  const all = devicesIn('devices-two-of-a-name')
  const node = { node: nodeName('pve1'), name: 'pve1' }
  expect(findDevice({ ...node, serial: '7qx4j90' }, all)).toMatchObject({ is: 'found', device: { id: 101 } })
  expect(findDevice(node, all).is).toBe('several')
  expect(findDevice({ ...node, serial: 'other' }, all).is).toBe('several')
  expect(findDevice({ ...node, name: 'pve9' }, all).is).toBe('none')
})

const nodes = (...words: ExaminedNode['words'][]): readonly ExaminedNode[] =>
  words.map((one, index) => ({
    node: nodeName(`pve${index + 1}`),
    name: `pve${index + 1}`,
    words: one,
    ...(one.serial === undefined ? {} : { serial: one.serial }),
  }))

async function examine(replay: JsonReplay, asked: readonly ExaminedNode[]) {
  const checks = await examineNetbox({ url: 'https://netbox', devices: netboxAt(replay), nodes: asked })
  return checks.map(({ subject, outcome, text }) => `${outcome}: ${subject}: ${text}`)
}

test('the doctor: all is well', async () => {
  const replay = await jsonReplay(() => ({ body: composed('devices') }))
  expect(await examine(replay, nodes({ serial: '7QX4J90', unit: '15' }, {}, { rack: 'C' }))).toEqual([
    'fine: https://netbox: NetBox answers, and knows 3 of 3 nodes',
  ])
})

test('the doctor: another serial, a node that nobody wrote down, one that is only planned, two of a name', async () => {
  const said = async (name: string, asked: readonly ExaminedNode[]) =>
    (await examine(await jsonReplay(() => ({ body: composed(name) })), asked)).slice(1)
  expect(await said('devices', nodes({ serial: '7QX4J99' }))).toEqual([
    'dangerous: pve1: serial: 7QX4J99 by the configuration, 7QX4J90 by NetBox: hands may stand before another node',
  ])
  expect(await said('devices-none', nodes({}))).toEqual(['missing: pve1: NetBox has no device pve1'])
  expect(await said('devices-not-in-a-rack', nodes({ rack: 'c' }))).toEqual([
    'missing: pve1: neither NetBox nor the configuration knows its unit',
    'dangerous: pve1: is planned in NetBox, and a member of the cluster',
  ])
  expect((await said('devices-two-of-a-name', nodes({})))[0]).toContain('several devices pve1 (ids 101, 201)')
})

test('the doctor: NetBox that is away, or refuses us, is a check with its mending', async () => {
  const refused = await jsonReplay(() => ({ status: 403, body: composed('no-permission') }))
  const [check] = await examineNetbox({ url: 'https://netbox', devices: netboxAt(refused), nodes: nodes({}) })
  expect(check).toMatchObject({ outcome: 'missing', mend: expect.stringContaining('netbox.token') })
  const gone = await jsonReplay(() => ({}))
  await gone.close()
  expect((await examine(gone, nodes({})))[0]).toContain('missing: https://netbox')
})

test('whatever is changed in an answer, it is read or refused', () => {
  const whole = composed('devices')
  fc.assert(
    fc.property(fc.nat(whole.length), fc.nat(60), fc.string(), (at, cut, put) => {
      let json: unknown
      try {
        json = JSON.parse(whole.slice(0, at) + put + whole.slice(at + cut))
      } catch {
        return
      }
      expect(['page', 'unknown']).toContain(readDevices(json).is)
    }),
  )
  fc.assert(fc.property(fc.jsonValue(), (json) => void readDevices(json)))
})
