/** The BMC contract over OpenIPMI's simulator: real IPMI 2.0 on the wire, by our driver and `ipmitool`. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import { run } from '#drivers/exec/run'
import { examineIpmi } from '#drivers/ipmi/examine'
import { ipmiBmc } from '#drivers/ipmi/ipmi-bmc'
import type { IpmiNode } from '#drivers/ipmi/session'
import { type RealBmc, type RealBmcs, startRealBmcs } from '#lab/real/bmcs'
import { bmcContract } from './bmc-contract.ts'
import { leftOut, whyNotReal } from './real.ts'

/** The simulator looks at its sensors every 200 ms. */
const SENSOR_POLL_MS = 600
const node = nodeName('pve3')
const identity = { systemUuid: '4c4c4544-0033-4a10-8051-b2c04f4a3932', serial: '7QX4J92' }
const fans = ['FAN1', 'FAN2', 'FAN3', 'FAN4', 'FAN5', 'FAN6']
const clock = { nowMs: async () => Date.now(), sleepUntil: async () => undefined }

const why = await whyNotReal()

async function startOne(name: string, firstPort: number): Promise<{ bmcs: RealBmcs; real: RealBmc; dir: string }> {
  const dir = `/tmp/coulisse-real-${name}-${process.pid}`
  const bmcs = await startRealBmcs({ dir, nodes: [{ name: node, ...identity, fans }], firstPort })
  const real = bmcs.byNode.get(node)
  if (real === undefined) throw new Error('the BMC did not start')
  return { bmcs, real, dir }
}

/** As an operator of the BMC would: by hand, with `ipmitool`. */
async function byHand({ host, port, user, password }: RealBmc, ...words: readonly string[]): Promise<string> {
  const where = ['-I', 'lanplus', '-C', '3', '-H', host, '-p', String(port), '-U', user, '-E']
  const env = { IPMI_PASSWORD: password }
  const command = ['ipmitool', ...where, ...words]
  return (await run({ driver: 'test', doing: words.join(' '), command, env, deadlineMs: 20_000 })).stdout
}

if (why === undefined) {
  bmcContract('OpenIPMI’s simulator', async () => {
    const { bmcs, real } = await startOne('bmc', 9441)
    const { host, port, user, password, guidEncoding } = real
    const after = async (change: Promise<unknown>) => {
      await change
      await sleep(SENSOR_POLL_MS)
    }
    const bmc = ipmiBmc({ nodes: { [node]: { host, port, user, password, guidEncoding } }, clock })
    return {
      bmc,
      node,
      fan: 'FAN3',
      identity,
      hands: {
        stopFan: () => after(real.setFan('FAN3', 0)),
        startFan: () => after(real.setFan('FAN3', 8400)),
        powerOff: () => real.setPower('off'),
        clearLog: () => after(byHand(real, 'sel', 'clear')),
        silence: () => real.silence(true),
        unsilence: () => real.silence(false),
      },
      close: async () => {
        await bmc.close()
        await bmcs.stop()
      },
    }
  })
  describe('ipmitool at a real BMC', ownWays)
} else {
  leftOut('the BMC contract over a real simulator', why)
}

function ownWays() {
  let [bmcs, real, dir]: [RealBmcs | undefined, RealBmc, string] = [undefined, undefined as unknown as RealBmc, '']
  beforeAll(async () => {
    ;({ bmcs, real, dir } = await startOne('bmc-ways', 9451))
  })
  afterAll(() => bmcs?.stop())

  const open = (more: Partial<IpmiNode> = {}, cache = 'cache') => {
    const { host, port, user, password } = real
    return ipmiBmc({ nodes: { [node]: { host, port, user, password, ...more } }, clock, cacheDir: join(dir, cache) })
  }
  const notes = async () => JSON.parse(await readFile(join(dir, 'cache', 'pve3.json'), 'utf8'))

  test('the identity is read right in every packing, when it is said which it is', async () => {
    expect(await open({ guidEncoding: 'smbios' }).identity(node)).toEqual(identity)
    const turned = await open({ guidEncoding: 'rfc4122' }).identity(node)
    expect(turned.systemUuid).not.toBe(identity.systemUuid)
    expect(turned.serial).toBe(identity.serial)
  })

  test('a cipher suite that the BMC has not is found out, and the right one remembered', async () => {
    await open().power(node)
    const { address } = await notes()
    await writeFile(join(dir, 'cache', 'pve3.json'), JSON.stringify({ address, cipherSuite: 17 }))
    expect(await open().power(node)).toEqual({ is: 'on' })
    expect(await notes()).toMatchObject({ cipherSuite: 3 })
    const error = { retry: 'never', message: expect.stringContaining('cipherSuite') }
    await expect(open({ cipherSuite: 17 }).fans(node)).rejects.toMatchObject(error)
  })

  test('a wrong password and a wrong user are refused for good, at once', async () => {
    const refused = { retry: 'never', message: expect.stringContaining('refuses this user and password') }
    const startedAt = performance.now()
    await expect(open({ password: secret('wrong') }).fans(node)).rejects.toMatchObject(refused)
    await expect(open({ user: 'nobody' }).fans(node)).rejects.toMatchObject(refused)
    expect(performance.now() - startedAt).toBeLessThan(3_500)
  })

  test('the copy of the sensor records is whole, and one that was torn is never read', async () => {
    await open().signals(node, '')
    const file = join(dir, 'cache', 'pve3.sdr')
    const whole = await readFile(file)
    await writeFile(file, whole.subarray(0, 100))
    expect((await open().fans(node)).map(({ part }) => part)).toEqual(fans)
    expect(await readFile(file)).toEqual(whole)
  })

  test('a BMC that was started anew lost its clock: told as a reset, and its new records are not lost', async () => {
    await byHand(real, 'sel', 'time', 'set', 'now')
    await real.setFan('FAN2', 0)
    await sleep(SENSOR_POLL_MS)
    await real.setFan('FAN2', 8400)
    await sleep(SENSOR_POLL_MS)
    const before = await open().signals(node, '')
    await real.restart()
    await real.setFan('FAN2', 0)
    await sleep(SENSOR_POLL_MS)
    const after = await open().signals(node, before.cursor)
    expect(after.signals).toContainEqual(expect.objectContaining({ is: 'bmc', event: 'reset' }))
    expect(after.signals).toContainEqual(expect.objectContaining({ part: 'FAN2', edge: 'assert', source: 'sel' }))
    await real.setFan('FAN2', 8400)
    await rm(join(dir, 'cache'), { recursive: true })
  })

  test('the doctor finds it fine but for its clock and our privilege, and names a swap', async () => {
    const { host, port, user, password, guidEncoding } = real
    const look = async (expected: { systemUuid: string; serial: string }) => {
      const target = { host, port, user, password, guidEncoding }
      return (await examineIpmi({ node, target, expected, nowMs: Date.now() })).map(({ text }) => text)
    }
    expect(await look(identity)).toEqual([
      'has a clock that was never set: its records have no time',
      `lets ${user} do more than is needed: ADMINISTRATOR`,
    ])
    expect((await look({ ...identity, serial: '7QX4J93' }))[0]).toContain('may be swapped')
  })

  test('a soft-off is an order that reaches the machine, and identify is lit, put out and lit again', async () => {
    const bmc = open()
    await bmc.softOff(node)
    expect(await real.power()).toBe('off')
    await bmc.powerOn(node)
    for (const on of [true, true, false, true]) {
      await bmc.setLocate(node, on)
      expect(await real.locate()).toBe(on ? 'on' : 'off')
    }
  })
}
