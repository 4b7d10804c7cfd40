/** Events of the lab's BMCs, by stream and by push: each says only "look now", and the log stays the truth. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { type EventWay, listenForEvents } from '#drivers/redfish/events'
import { redfishBmc } from '#drivers/redfish/redfish-bmc'
import { smallSnapshot } from '#lab/testing/small-world'
import { serveRedfish } from '#lab/wire/redfish/redfish-server'
import type { VendorName } from '#lab/wire/redfish/vendors'
import { resetBmc, turnFan } from '#lab/world/bmc'
import { createWorld } from '#lab/world/create'
import { LabWorld } from '#lab/world/lab-world'

const name = nodeName('pve3')
const LIMIT_MS = 5_000

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const endsAt = performance.now() + LIMIT_MS; !(await isSo()); await sleep(10)) {
    if (performance.now() > endsAt) throw new Error('it did not come about')
  }
}

const closes: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closes.splice(0).reverse()) await close()
})

const PUSH: EventWay = { is: 'push', host: '127.0.0.1', port: 0 }

async function open(vendor: VendorName, way: EventWay) {
  const world = createWorld({ snapshot: smallSnapshot(), seed: 1, startAtMs: Date.UTC(2026, 10, 22, 8) })
  const lab = await serveRedfish({ lab: new LabWorld(world), onChange: () => undefined, vendors: { [name]: vendor } })
  const { user, password, fingerprint256 } = lab
  const nodes = { [name]: { url: lab.urls[name] ?? '', user, password, fingerprint256 } }
  const bmc = redfishBmc({ nodes, clock: { nowMs: async () => world.nowMs, sleepUntil: async () => undefined } })
  closes.push(lab.close, bmc.close)
  const seen = { events: 0, log: [] as string[] }
  const start = async () => {
    const events = await listenForEvents({
      askers: [bmc.asker(name)],
      way,
      onEvent: () => seen.events++,
      log: (text) => seen.log.push(text),
      againMs: 20,
      lookEveryMs: 50,
    })
    // It may be closed by the test itself.
    let isClosed = false
    const close = async () => {
      if (!isClosed) await events.close()
      isClosed = true
    }
    closes.push(close)
    return close
  }
  const node = world.nodes[name]
  if (node === undefined) throw new Error('pve3 is gone')
  const subscribed = async () => {
    const { resource } = await bmc.asker(name).client.get('count', '/redfish/v1/EventService/Subscriptions')
    return resource['Members@odata.count'] as number
  }
  return { world, node, bmc, seen, start, subscribed }
}

for (const { vendor, way, by } of [
  { vendor: 'idrac', way: { is: 'sse' }, by: 'stream' },
  { vendor: 'idrac', way: PUSH, by: 'push' },
  { vendor: 'ilo', way: PUSH, by: 'push' },
  { vendor: 'supermicro', way: PUSH, by: 'push' },
] as const) {
  test(`${vendor}, by ${by}: a dropout is told at once, and however often it is told the log has it once`, async () => {
    const { world, node, bmc, seen, start } = await open(vendor, way)
    const { cursor } = await bmc.signals(name, '')
    await start()
    // One look when the line opens: what was before it stands in the log.
    await until(() => seen.events === 1)
    turnFan(world, node, 'FAN3', true)
    await until(() => seen.events > 1)
    const after = await bmc.signals(name, cursor)
    expect(after.signals.filter((one) => one.is === 'part' && one.edge === 'assert')).toHaveLength(3)
    expect((await bmc.signals(name, after.cursor)).signals.filter((one) => 'recordId' in one)).toEqual([])
  })
}

test('a BMC that was started anew forgot our subscription: it is made again, and its node looked at', async () => {
  const { world, node, seen, start, subscribed } = await open('supermicro', PUSH)
  await start()
  await until(() => seen.events === 1)
  resetBmc(world, node)
  node.bmc.state = 'up'
  await until(() => seen.events === 2)
  expect(await subscribed()).toBe(1)
})

test('a stream that breaks is opened again', async () => {
  const { world, node, seen, start } = await open('idrac', { is: 'sse' })
  await start()
  await until(() => seen.events === 1)
  resetBmc(world, node)
  node.bmc.state = 'up'
  await until(() => seen.events === 2)
  expect(seen.log).toEqual([])
})

test('a subscription is deleted in the end, and that of a process that was killed by the next one', async () => {
  const { bmc, start, seen, subscribed } = await open('ilo', { ...PUSH, port: 0, url: 'http://127.0.0.1:9' })
  const stale = { Destination: 'http://127.0.0.1:9/redfish-events/pve3', Context: 'of old', Protocol: 'Redfish' }
  await bmc.asker(name).client.post('subscribe', '/redfish/v1/EventService/Subscriptions', stale)
  expect(await subscribed()).toBe(1)
  const close = await start()
  await until(() => seen.events === 1)
  expect(await subscribed()).toBe(1)
  await close()
  expect(await subscribed()).toBe(0)
})

test('a BMC without streams is left to the polls, and that is said', async () => {
  const { seen, start } = await open('supermicro', { is: 'sse' })
  await start()
  await until(() => seen.log.length > 0)
  expect(seen.log).toEqual(['pve3’s BMC offers no event stream: it is polled as before'])
})
