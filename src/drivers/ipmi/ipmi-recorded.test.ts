import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { bmcContract } from '#contracts/bmc-contract'
import type { IpmiStory } from '#contracts/recorded/ipmitool'
import { nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import { ipmiBmc } from './ipmi-bmc.ts'
import type { IpmiNode } from './session.ts'

const STANDIN = fileURLToPath(new URL('../../../contracts/recorded/ipmitool.ts', import.meta.url))
const clock = { nowMs: async () => Date.UTC(2026, 10, 22), sleepUntil: async () => undefined }
const node = nodeName('pve3')

async function recordedBmc(with_: Partial<IpmiStory> = {}, target: Partial<IpmiNode> = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'coulisse-ipmi-test-'))
  const file = join(dir, 'story.json')
  const start: IpmiStory = { power: 'on', edges: 0, clearedCount: 0, silent: false, password: 'horse', ...with_ }
  await writeFile(file, JSON.stringify(start))
  const story = async () => JSON.parse(await readFile(file, 'utf8')) as IpmiStory
  const change = async (with_: (story: IpmiStory) => Partial<IpmiStory>) => {
    const now = await story()
    await writeFile(file, JSON.stringify({ ...now, ...with_(now) }))
  }
  const cacheDir = join(dir, 'cache')
  /** A driver of its own, as after a restart. */
  const open = () =>
    ipmiBmc({
      nodes: { [node]: { host: '192.0.2.13', user: 'admin', password: secret('horse'), ...target } },
      command: [process.execPath, STANDIN, file],
      cacheDir,
      clock,
    })
  /** What was run since the last time it was asked. */
  const ran = async () => {
    const { ran: lines = [] } = await story()
    await change(() => ({ ran: [] }))
    return lines.map((line) => line.replace(/\/\S+\//, ''))
  }
  const close = () => rm(dir, { recursive: true })
  closes.push(close)
  return { bmc: open(), open, change, ran, cacheDir, close }
}
const closes: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closes.splice(0)) await close()
})

bmcContract('by ipmitool over recordings', async () => {
  const { bmc, change, close } = await recordedBmc()
  closes.pop()
  return {
    bmc,
    node,
    fan: 'FAN3',
    identity: { systemUuid: '01900000-6745-23a1-efcd-ab89674523a1' },
    hands: {
      stopFan: () => change(({ edges }) => ({ edges: edges + 1 })),
      startFan: () => change(({ edges }) => ({ edges: edges + 1 })),
      powerOff: () => change(() => ({ power: 'off' })),
      clearLog: () => change(({ clearedCount }) => ({ edges: 0, clearedCount: clearedCount + 1 })),
      silence: () => change(() => ({ silent: true })),
      unsilence: () => change(() => ({ silent: false })),
    },
    close,
  }
})

const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  )

test('a wrong password is told apart from a dead BMC, is never tried again, and does not lock the account', async () => {
  const { bmc, ran } = await recordedBmc({}, { password: secret('wrong') })
  const refused = { retry: 'never', message: expect.stringContaining('refuses this user and password') }
  expect(await errorOf(bmc.signals(node, ''))).toMatchObject(refused)
  // Once for the answer, once for the reason.
  expect(await ran()).toHaveLength(2)
  expect(await errorOf(bmc.signals(node, ''))).toMatchObject(refused)
  expect(await ran()).toEqual([])
  expect(await errorOf(bmc.fans(node))).toMatchObject(refused)
})

const unreachable = [expect.objectContaining({ is: 'bmc', event: 'unreachable' })]

test('a BMC whose sessions are all taken is not one that refuses us: later', async () => {
  const { bmc } = await recordedBmc({ sessionsFull: true })
  const error = { retry: 'later', message: expect.stringContaining('no session free') }
  expect(await errorOf(bmc.fans(node))).toMatchObject(error)
  expect((await bmc.signals(node, '')).signals).toEqual(unreachable)
})

test('the cipher suite is found once, remembered over a restart, and found again when it is switched off', async () => {
  const { bmc, open, change, ran } = await recordedBmc({ cipherSuite: 17 })
  expect(await bmc.power(node)).toEqual({ is: 'on' })
  // Suite 3, why not, suite 17.
  expect(await ran()).toHaveLength(3)
  expect(await open().power(node)).toEqual({ is: 'on' })
  expect(await ran()).toHaveLength(1)
  await change(() => ({ cipherSuite: 3 }))
  expect(await open().power(node)).toEqual({ is: 'on' })
  expect(await ran()).toHaveLength(3)
  expect(await open().power(node)).toEqual({ is: 'on' })
  expect(await ran()).toHaveLength(1)
})

test('a configured cipher suite that the BMC does not take is said, and nothing else is tried', async () => {
  const { bmc } = await recordedBmc({}, { cipherSuite: 17 })
  const error = { retry: 'never', message: expect.stringContaining('cipherSuite') }
  expect(await errorOf(bmc.powerOn(node))).toMatchObject(error)
})

const POLL = 'exec sel-info+sel-elist-last-8+sdr-elist.script'

test('a poll is one process, with a copy of the sensor records that outlives a restart', async () => {
  const { bmc, open, ran, cacheDir } = await recordedBmc()
  const { cursor } = await bmc.signals(node, '')
  expect(await ran()).toEqual([POLL, 'sdr dump pve3.sdr.next'])
  await bmc.signals(node, cursor)
  await open().signals(node, cursor)
  expect(await ran()).toEqual([POLL, POLL])
  expect((await stat(cacheDir)).mode & 0o777).toBe(0o700)
})

test('the copy is renewed after a firmware update, and when it is not what was written', async () => {
  const { bmc, change, ran, cacheDir } = await recordedBmc()
  await bmc.signals(node, '')
  await ran()
  await change(() => ({ firmware: '9.09' }))
  await bmc.signals(node, '')
  // Read with the old copy, renewed, and read again: what the old copy showed is of no use.
  expect(await ran()).toEqual([POLL, 'sdr dump pve3.sdr.next', POLL])
  await writeFile(join(cacheDir, 'pve3.sdr'), '<html>')
  await bmc.signals(node, '')
  expect(await ran()).toEqual([POLL, 'sdr dump pve3.sdr.next'])
  await bmc.signals(node, '')
  expect(await ran()).toEqual([POLL])
})

test('a copy that is not whole is not used, and not asked for again until the firmware is another', async () => {
  const { bmc, change, ran, cacheDir } = await recordedBmc({ dumpBytes: 20 })
  await bmc.signals(node, '')
  await bmc.signals(node, '')
  expect(await ran()).toEqual([POLL, 'sdr dump pve3.sdr.next', POLL])
  expect(await readdir(cacheDir)).not.toContain('pve3.sdr')
  await change(() => ({ firmware: '9.09', dumpBytes: 1000 }))
  await bmc.signals(node, '')
  expect(await readdir(cacheDir)).toContain('pve3.sdr')
})

test('a long log is read whole once, and then by what is new', async () => {
  const { bmc, change, ran } = await recordedBmc({ edges: 2 })
  const first = await bmc.signals(node, '')
  await ran()
  await change(() => ({ edges: 4 }))
  const news = await bmc.signals(node, first.cursor)
  expect(news.signals.flatMap((one) => ('recordId' in one ? one.recordId : []))).toEqual([7, 8, 9, 10, 11, 12])
  expect(await ran()).toEqual([POLL])
})

test('a BMC that knows no forced identify is given the longest that it knows', async () => {
  const { bmc, ran } = await recordedBmc({ knowsNoForce: true })
  await bmc.setLocate(node, true)
  expect(await ran()).toEqual(['chassis identify force', 'chassis identify 255'])
})

test.each([
  ['an empty answer', ''],
  ['HTML', '<html><body>Service Unavailable</body></html>\n'],
  ['half a JSON', '{"Entries": '],
  ['noise', '\u0000\u0001|||| | |\n||||\nEntries : many\n'],
])('%s in place of every answer is an error to try again, and no reading', async (_, garbage) => {
  const { bmc } = await recordedBmc({ garbage })
  expect((await bmc.signals(node, '')).signals).toEqual(unreachable)
  expect(await errorOf(bmc.fans(node))).toMatchObject({ name: 'DriverError', retry: 'later' })
  expect(await bmc.power(node)).toEqual({ is: 'unknown', reason: 'the BMC does not say' })
  expect(await bmc.powerRestorePolicy(node)).toBe('unknown')
  expect(await bmc.identity(node)).toEqual({ systemUuid: 'unknown', serial: 'unknown' })
})
