/** What every BMC behind the port promises: the lab's, Redfish's, IPMI's, recorded, simulated or real. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { type NodeName, nodeName } from '#domain/ids'
import type { PartSignal, Signal } from '#domain/signal'
import type { Bmc } from '#ports/bmc'

/** One node's BMC, and hands that act on the machine behind it. Each resolves once the BMC shows it. */
export type BmcBench = {
  readonly bmc: Bmc
  readonly node: NodeName
  /** A fan that turns in the beginning; any one where absent. */
  readonly fan: string
  /** A maker that tells how hard it drives a fan, in percent, does not tell its speed. */
  readonly tellsNoSpeed?: true
  readonly identity: { readonly systemUuid?: string; readonly serial?: string }
  readonly hands: {
    stopFan(): Promise<void>
    startFan(): Promise<void>
    /** Pulls the machine's power, not the BMC's. */
    powerOff(): Promise<void>
    clearLog(): Promise<void>
    silence(): Promise<void>
    unsilence(): Promise<void>
  }
  close(): Promise<void>
}

export function bmcContract(name: string, open: () => Promise<BmcBench>) {
  describe(`a BMC, ${name}`, () => {
    let bench: BmcBench
    beforeAll(async () => {
      bench = await open()
    })
    afterAll(() => bench?.close())
    logPromises(() => bench)
    powerPromises(() => bench)
    silencePromises(() => bench)
    test('a node that nobody configured is an error that no retry heals', async () => {
      const error = await bench.bmc.power(nodeName('pve99')).catch((caught: unknown) => caught)
      if (error instanceof DriverError) expect(error.retry).toBe('never')
      else expect(error).toMatchObject({ is: 'unknown' })
    })
  })
}

const ofPart = (signals: readonly Signal[], part: string) =>
  signals.filter((signal): signal is PartSignal => signal.is === 'part' && signal.part === part)
const edges = (signals: readonly Signal[], part: string, edge: 'assert' | 'deassert') =>
  ofPart(signals, part).filter((signal) => signal.edge === edge)

function logPromises(bench: () => BmcBench) {
  test('it proves whose it is by UUID or serial number', async () => {
    const { bmc, node, identity } = bench()
    const told = await bmc.identity(node)
    expect([told.systemUuid, told.serial].some((proof) => proof !== 'unknown')).toBe(true)
    expect(told).toMatchObject(identity)
  })

  test('a fan in band is shown with its speed, and its dropout shows in reading and log', async () => {
    const { bmc, node, fan, hands, tellsNoSpeed } = bench()
    const calm = (await bmc.fans(node)).find(({ part }) => part === fan)
    expect(calm).toMatchObject({ state: 'ok', rpm: tellsNoSpeed ? 'unknown' : expect.any(Number) })
    const start = await bmc.signals(node, '')
    await hands.stopFan()
    expect((await bmc.fans(node)).find(({ part }) => part === fan)?.state).toBe('low')
    const dropped = await bmc.signals(node, start.cursor)
    const asserted = edges(dropped.signals, fan, 'assert')
    expect(asserted.length).toBeGreaterThan(0)
    expect(asserted.every(({ kind, recordId }) => kind === 'fan' && recordId !== undefined)).toBe(true)
    expect(ofPart(dropped.signals, fan).some(({ edge, source }) => edge === null && source !== 'sel')).toBe(true)
    await hands.startFan()
    const back = await bmc.signals(node, dropped.cursor)
    expect(edges(back.signals, fan, 'assert')).toEqual([])
    expect(edges(back.signals, fan, 'deassert')).toHaveLength(asserted.length)
    expect((await bmc.signals(node, back.cursor)).signals).toEqual([])
  })

  test('records are read again from an old cursor, in the order of their ids', async () => {
    const { bmc, node, fan } = bench()
    const all = await bmc.signals(node, '')
    const ids = ofPart(all.signals, fan).flatMap(({ recordId }) => (recordId === undefined ? [] : [recordId]))
    expect(ids.length).toBeGreaterThan(1)
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  })

  test('a log that was cleared is told, and what it writes afterwards is not lost', async () => {
    const { bmc, node, fan, hands } = bench()
    const { cursor } = await bmc.signals(node, '')
    await hands.clearLog()
    await hands.stopFan()
    const after = await bmc.signals(node, cursor)
    expect(after.signals).toContainEqual(expect.objectContaining({ is: 'bmc', event: 'log-cleared' }))
    expect(edges(after.signals, fan, 'assert').length).toBeGreaterThan(0)
    await hands.startFan()
  })

  test('the fans that it knows are part of the hardware', async () => {
    const { bmc, node, fan } = bench()
    expect((await bmc.hardware(node)).fans).toContain(fan)
  })
}

function powerPromises(bench: () => BmcBench) {
  test('power off is seen, power on is done and read back, and twice is once', async () => {
    const { bmc, node, hands } = bench()
    expect(await bmc.power(node)).toEqual({ is: 'on' })
    await hands.powerOff()
    expect(await bmc.power(node)).toEqual({ is: 'off' })
    await bmc.powerOn(node)
    expect(await bmc.power(node)).toEqual({ is: 'on' })
    await bmc.powerOn(node)
    expect(await bmc.power(node)).toEqual({ is: 'on' })
  })

  test('an order to shut down is passed on, and once more to a machine that is off does no harm', async () => {
    const { bmc, node, hands } = bench()
    await bmc.softOff(node)
    await hands.powerOff()
    await bmc.softOff(node)
    expect(await bmc.power(node)).toEqual({ is: 'off' })
    await bmc.powerOn(node)
  })

  test('the locate LED can be lit and put out, and the restore policy is a word that we know', async () => {
    const { bmc, node } = bench()
    await bmc.setLocate(node, true)
    await bmc.setLocate(node, false)
    expect(['always-on', 'always-off', 'previous', 'unknown']).toContain(await bmc.powerRestorePolicy(node))
  })
}

function silencePromises(bench: () => BmcBench) {
  test('a BMC that does not answer is a signal, its power unknown, and its return is told once', async () => {
    const { bmc, node, hands } = bench()
    const { cursor } = await bmc.signals(node, '')
    await hands.silence()
    const silent = await bmc.signals(node, cursor)
    expect(silent.signals).toEqual([expect.objectContaining({ is: 'bmc', event: 'unreachable' })])
    expect(await bmc.power(node)).toMatchObject({ is: 'unknown' })
    await hands.unsilence()
    const back = await bmc.signals(node, silent.cursor)
    expect(back.signals).toEqual([expect.objectContaining({ is: 'bmc', event: 'reachable' })])
    expect((await bmc.signals(node, back.cursor)).signals).toEqual([])
  })
}
