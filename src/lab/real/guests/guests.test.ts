/** What of real guests can be held without any: sizes, disks, kernel modules, the two clocks. */
import { expect, test } from 'vitest'
import { vmid } from '#domain/ids'
import { guest, smallSnapshot } from '#lab/testing/small-world'
import { firstGuestsOn, withRealGuests } from './as-real.ts'
import { numbersOn } from './disk.ts'
import { dependsOf } from './kernel.ts'
import { WorldTime } from './world-time.ts'

test('real guests are running virtual machines of the node, the lowest numbers first, and have their true size', () => {
  const guests = [
    guest(105, 'pve3'),
    guest(101, 'pve3', { kind: 'ct' }),
    guest(102, 'pve3', { status: 'stopped' }),
    guest(103, 'pve1'),
    guest(104, 'pve3'),
  ]
  const snapshot = smallSnapshot({ guests })
  expect(firstGuestsOn(snapshot, 'pve3', 3)).toEqual([104, 105])
  const [, , , other, real] = withRealGuests(snapshot, [vmid(104)]).cluster.guests
  expect(other).toEqual(guests[3])
  expect(real).toMatchObject({ vmid: 104, node: 'pve3', memoryBytes: 80 * 2 ** 20, cpuCores: 1 })
  expect(real?.disks).toEqual([{ storage: 'ceph-vm', bytes: 16 * 2 ** 20 }])
})

const record = (number: number) => `${String(number).padStart(15, '0')}\n`
const NOTHING = '\0'.repeat(16)

test('a lost write is a hole in the numbers on a disk', () => {
  const disk = (...records: string[]) => Buffer.from([NOTHING, ...records, NOTHING].join(''))
  expect(numbersOn(disk(record(1), record(2), record(3)))).toEqual({ unbrokenCount: 3, behindAHoleCount: 0 })
  expect(numbersOn(disk(record(1), NOTHING, record(3), record(4)))).toEqual({ unbrokenCount: 1, behindAHoleCount: 2 })
  expect(numbersOn(disk(record(1), record(7), record(3)))).toEqual({ unbrokenCount: 1, behindAHoleCount: 1 })
  expect(numbersOn(Buffer.alloc(0))).toEqual({ unbrokenCount: 0, behindAHoleCount: 0 })
})

test('a kernel module names what it needs', () => {
  const module = Buffer.from('\x7fELF…license=GPL\0depends=virtio_ring,virtio,net-failover\0retpoline=Y\0', 'latin1')
  expect(dependsOf(module)).toEqual(['virtio_ring', 'virtio', 'net_failover'])
  expect(dependsOf(Buffer.from('license=GPL\0depends=\0'))).toEqual([])
  expect(dependsOf(Buffer.from('license=GPL\0'))).toEqual([])
})

test('a time of the world is found in real time, never narrower than it was', () => {
  const time = new WorldTime()
  for (const [worldMs, realMs] of [
    [1000, 50],
    [3000, 150],
    [3000, 250],
    [9000, 350],
  ] as const)
    time.note(worldMs, realMs)
  expect([time.realBefore(3500), time.realAfter(3500)]).toEqual([150, 350])
  expect([time.realBefore(3000), time.realAfter(3000)]).toEqual([150, 150])
  expect([time.realBefore(500), time.realAfter(9001)]).toEqual([undefined, undefined])
  expect(time.worldBefore(349)).toBe(3000)
})
