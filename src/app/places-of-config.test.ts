/** NetBox behind the configuration: what the planner and the technician see of it, and what its absence costs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { jsonReplay } from '#contracts/json-replay'
import { nodeName } from '#domain/ids'
import type { Json } from '#domain/json'
import type { Bmc } from '#ports/bmc'
import { parseConfig } from './config/read.ts'
import { examineNetboxOf, placesFor } from './places-of-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'coulisse-netbox-'))
const path = join(folder, 'c.yaml')
writeFileSync(join(folder, 'token'), 'nbt_k.t\n')
const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const composed = (name: string) => readFileSync(`contracts/recordings/netbox/${name}.json`, 'utf8')
const bmcOf = (kind: string) => `bmc: { kind: ${kind}, host: 192.0.2.21, user: u, password: { file: token } }`
const configAt = (url: string) =>
  parseConfig(
    `cluster: mad1
stateDir: /var/lib/coulisse
proxmox:
  entryPoints:
    - { url: 'https://192.0.2.11:8006', tokenId: 'a@pve!b', tokenSecret: { file: token }, fingerprint256: AA }
ceph: none
nodes:
  pve1: { systemUuid: U1, ${bmcOf('ipmi')} }
  pve2: { serial: 7QX4J91, systemUuid: U2, rack: c, unit: '12.5', site: mad1, room: '2', ${bmcOf('ipmi')} }
  mad-3: { serial: 7QX4J92, systemUuid: U3, ${bmcOf('ipmi')} }
netbox: { url: '${url}', token: { file: token }, names: { mad-3: pve3 } }
`,
    'c.yaml',
  )

const bmc = { identity: async () => ({ systemUuid: 'u1', serial: '7QX4J90' }) } as Partial<Bmc> as Bmc
const clock = { nowMs: async () => 0, sleepUntil: async () => undefined }

test('racks of NetBox are the planner’s failure domains, and its places the technician’s', async () => {
  const replay = await jsonReplay(() => ({ body: composed('devices') }))
  const { places, netbox } = placesFor(configAt(replay.url), path, { clock, bmc, keeping: {} })
  open.push(replay, netbox as { close(): Promise<void> })
  expect(places.rack(nodeName('pve1'))).toBeUndefined()
  await places.refresh()
  expect(['pve1', 'pve2', 'mad-3'].map((node) => places.rack(nodeName(node)))).toEqual(['c', 'c', 'c'])
  expect(await places.place(nodeName('pve1'))).toEqual({
    site: 'MAD1',
    room: 'Room 2',
    rack: 'c',
    unit: '15',
    serial: '7QX4J90',
    assetTag: 'A-0101',
  })
  expect(await places.place(nodeName('mad-3'))).toMatchObject({ unit: 'blades-1, Bay 3', serial: '7QX4J92' })
  expect(replay.asked).toHaveLength(1)
})

test('a NetBox that is gone costs a maintenance nothing that was known before', async () => {
  const replay = await jsonReplay(() => ({ body: composed('devices') }))
  const values = new Map<string, Json>()
  const kept = {
    get: async <T extends Json>(key: string) => values.get(key) as T | undefined,
    put: async (key: string, value: Json) => void values.set(key, value),
  }
  const first = placesFor(configAt(replay.url), path, { clock, bmc, keeping: { places: kept } })
  const before = await first.places.place(nodeName('pve1'))
  await Promise.all([replay.close(), first.netbox?.close()])
  const later = { ...clock, nowMs: async () => 86_400_000 }
  const second = placesFor(configAt(replay.url), path, { clock: later, bmc, keeping: { places: kept } })
  open.push(second.netbox as { close(): Promise<void> })
  expect(await second.places.place(nodeName('pve1'))).toEqual(before)
  expect(await second.places.place(nodeName('pve2'))).toMatchObject({ rack: 'c', unit: '12.5', room: '2' })
})

test('the doctor’s look at it', async () => {
  const replay = await jsonReplay(() => ({ body: composed('devices') }))
  open.push(replay)
  const checks = await examineNetboxOf(configAt(replay.url), path)
  expect(checks.map(({ outcome, text }) => `${outcome}: ${text}`)).toEqual([
    'fine: NetBox answers, and knows 3 of 3 nodes',
  ])
})
