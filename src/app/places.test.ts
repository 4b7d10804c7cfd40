import { expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { nodeName } from '#domain/ids'
import type { Json } from '#domain/json'
import type { PlaceWords } from '#domain/place'
import type { BmcIdentity } from '#ports/bmc'
import { type PlacesParts, placesOf } from './places.ts'

const pve3 = nodeName('pve3')
const MINUTE = 60_000
const WHOLE = { site: 'mad1', room: '2', rack: 'c', unit: '17', serial: 'S3' }
const down = new DriverError('netbox', 'look up where nodes stand', {
  retry: 'later',
  text: 'no answer within 8000 ms',
})

/** What stands outside, and what is kept beyond a restart. */
class World {
  nowMs = 1_000_000
  netbox: PlaceWords | DriverError = {
    site: 'MAD1',
    room: 'Room 2',
    rack: 'c',
    unit: '17',
    serial: 'S3',
    assetTag: 'A-3',
  }
  identity: Partial<BmcIdentity> | DriverError = { serial: 'S3', systemUuid: 'u' }
  readonly asked: string[] = []
  readonly said: string[] = []
  readonly kept = new Map<string, Json>()

  places(words: PlaceWords, more: Partial<PlacesParts> = {}) {
    return placesOf({
      nodes: [{ node: pve3, systemUuid: 'U', words }],
      netbox: async () => {
        this.asked.push('netbox')
        if (this.netbox instanceof DriverError) throw this.netbox
        return { pve3: this.netbox }
      },
      identity: async () => {
        this.asked.push('bmc')
        if (this.identity instanceof DriverError) throw this.identity
        return this.identity as BmcIdentity
      },
      kept: {
        get: async <T extends Json>(key: string) => this.kept.get(key) as T | undefined,
        put: async (key, value) => {
          this.kept.set(key, JSON.parse(JSON.stringify(value)) as Json)
        },
      },
      clock: { nowMs: async () => this.nowMs },
      log: (text) => this.said.push(text),
      ...more,
    })
  }
}

test('a configuration that says all is believed, and nobody is asked', async () => {
  const world = new World()
  expect(await world.places(WHOLE).place(pve3)).toEqual(WHOLE)
  expect(world.asked).toEqual([])
})

test('what it leaves out comes from the machine and from NetBox, and who contradicts it is said once', async () => {
  const world = new World()
  const places = world.places({ rack: 'd', serial: 'S3' })
  expect(await places.place(pve3)).toEqual({ ...WHOLE, site: 'MAD1', room: 'Room 2', rack: 'd', assetTag: 'A-3' })
  await places.place(pve3)
  expect(world.asked).toEqual(['netbox'])
  expect(world.said).toEqual(['pve3: rack: d by the configuration, c by NetBox: the first is believed'])
})

test('the machine’s own serial goes before NetBox’s', async () => {
  const world = new World()
  world.identity = { serial: 'S3-true', systemUuid: 'u' }
  expect(await world.places({}).place(pve3)).toMatchObject({ serial: 'S3-true', rack: 'c' })
  expect(world.said.join()).toContain('serial: S3-true by the machine, S3 by NetBox')
})

test('a BMC that is another’s is not believed', async () => {
  const world = new World()
  world.identity = { serial: 'S9', systemUuid: 'another' }
  expect(await world.places({}).place(pve3)).toMatchObject({ serial: 'S3' })
  expect(world.said[0]).toContain('not believed')
})

test('NetBox that went away, and a BMC without its cords, cost nothing that was known before, restarted or not', async () => {
  const world = new World()
  const before = await world.places({}).place(pve3)
  world.netbox = down
  world.identity = down
  world.nowMs += 48 * 60 * MINUTE
  expect(await world.places({}).place(pve3)).toEqual(before)
  expect(world.said.at(-1)).toBe(
    'netbox: look up where nodes stand: no answer within 8000 ms; what it said 48 h ago stands',
  )
})

test('NetBox that is away is asked once a minute, and again when what it said is old', async () => {
  const world = new World()
  const places = world.places({ serial: 'S3' })
  await places.refresh()
  expect([places.rack(pve3), world.asked.length]).toEqual(['c', 1])
  world.netbox = down
  world.nowMs += 11 * MINUTE
  for (let look = 0; look < 5; look++) await places.refresh()
  expect([places.rack(pve3), world.asked.length]).toEqual(['c', 2])
  world.nowMs += 2 * MINUTE
  await places.refresh()
  expect(world.asked).toHaveLength(3)
})

test('a maintenance that has its rack does not wait for NetBox; one that has not does', async () => {
  const world = new World()
  world.netbox = down
  expect(await world.places({ rack: 'c', unit: '17', serial: 'S3' }).place(pve3)).toMatchObject({
    rack: 'c',
    room: 'unknown',
  })
  await expect(world.places({ serial: 'S3' }).place(pve3)).rejects.toBe(down)
})

test('a node that nobody knows, or whose serial nobody knows, is refused by name', async () => {
  const world = new World()
  world.identity = { serial: 'unknown', systemUuid: 'u' }
  world.netbox = { rack: 'c' }
  await expect(world.places({}).place(pve3)).rejects.toThrow('write it down as nodes.pve3.serial')
  await expect(world.places({}).place(nodeName('pve9'))).rejects.toThrow('the configuration has no node pve9')
})

test('without NetBox a place stays as unknown as it was', async () => {
  const world = new World()
  const places = placesOf({
    nodes: [{ node: pve3, systemUuid: 'U', words: { serial: 'S3' } }],
    identity: async () => ({ serial: 'S3', systemUuid: 'u' }),
    kept: { get: async () => undefined, put: async () => {} },
    clock: { nowMs: async () => world.nowMs },
    log: () => {},
  })
  expect(await places.place(pve3)).toEqual({
    site: 'unknown',
    room: 'unknown',
    rack: 'unknown',
    unit: 'unknown',
    serial: 'S3',
  })
})
