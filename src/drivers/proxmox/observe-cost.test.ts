import { afterEach, expect, test } from 'vitest'
import { type Bench, bench, NOW_MS } from '#contracts/proxmox-bench'
import { cluster } from '#contracts/proxmox-tape'
import { composed, dataOf, recording, type Tape } from '#contracts/replay-proxmox'

let made: Bench | undefined
afterEach(() => made?.close())

let nowMs = NOW_MS
/** For us and for the nodes alike. */
function passes({ replay }: Bench, ms: number): void {
  nowMs += ms
  replay.clock.nowMs = nowMs
}

async function at(tape: Tape = {}): Promise<Bench> {
  nowMs = NOW_MS
  const clock = { nowMs: async () => nowMs, sleepUntil: async () => {} }
  made = await bench(['pve1', 'pve2', 'pve3'], { ...cluster, ...tape }, { clock })
  return made
}

type Item = Readonly<Record<string, unknown>>

/** What a look asks, by path; the nodes' names left out. */
async function asked({ hypervisor, replay }: Bench): Promise<Readonly<Record<string, number>>> {
  replay.asked.length = 0
  const { blind } = await hypervisor.observe()
  expect(blind).toEqual([])
  const counts: Record<string, number> = {}
  for (const { path } of replay.asked) {
    const kind = path.replace(/^\/nodes\/[^/]+/, '/nodes/N').replace(/\/\d+\//, '/V/')
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((total, count) => total + count, 0)

test('a second look within a minute asks for what changes by itself, and for no guest', async () => {
  const there = await at()
  const first = await asked(there)
  expect(first['/nodes/N/qemu/V/config']).toBe(3)
  passes(there, 30_000)
  const second = await asked(there)
  expect(second).toEqual({
    '/cluster/status': 1,
    '/cluster/resources': 1,
    '/cluster/tasks': 1,
    '/cluster/config/qdevice': 1,
    '/cluster/ha/rules': 1,
    '/cluster/ha/status/current': 1,
    '/cluster/ha/status/manager_status': 1,
    '/nodes/N/status': 3,
    '/nodes/N/qemu': 3,
    '/nodes/N/lxc': 3,
    // Guest 101 has a disk of its node's own: how much room is left must be asked.
    '/nodes/N/storage': 3,
  })
})

test('a look costs as much with three hundred guests as with three', async () => {
  const there = await at()
  await asked(there)
  const before = sum(await asked(there))
  const [one] = dataOf<Item[]>('qemu-list')
  const many = Array.from({ length: 300 }, (_, index) => ({ ...one, vmid: 1000 + index }))
  const configs = many.map(({ vmid }) => [`GET /nodes/pve3/qemu/${vmid}/config`, composed({ name: 'x' })] as const)
  there.replay.play({ 'GET /nodes/pve3/qemu': composed(many), ...Object.fromEntries(configs) })
  await asked(there)
  expect(sum(await asked(there))).toBe(before)
})

test('a configuration is read again when the list shows a change, a task may have changed it, or after ten minutes', async () => {
  const there = await at()
  const { replay } = there
  await asked(there)
  const reads = async () => (await asked(there))['/nodes/N/qemu/V/config'] ?? 0
  expect(await reads()).toBe(0)
  const changed = dataOf<Item[]>('qemu-list').map((guest) => (guest.vmid === 101 ? { ...guest, tags: 'web' } : guest))
  replay.play({ 'GET /nodes/pve1/qemu': composed(changed) })
  // And guest 100, which the list now has as stopped.
  expect(await reads()).toBe(2)
  expect(await reads()).toBe(0)
  const task = { upid: 'UPID:pve1:00000001:00000001:6B029AFF:qmconfig:101:root@pam:', node: 'pve1', type: 'qmconfig' }
  const begun = { ...task, id: '101', user: 'root@pam', starttime: 1_795_332_900 }
  replay.play({ 'GET /cluster/tasks': composed([begun]) })
  expect(await reads()).toBe(1)
  replay.play({ 'GET /cluster/tasks': composed([{ ...begun, endtime: 1_795_332_901, status: 'OK' }]) })
  expect(await reads()).toBe(1)
  replay.play({ 'GET /cluster/tasks': composed([{ ...begun, type: 'qmigrate', starttime: 1_795_333_000 }]) })
  expect(await reads()).toBe(0)
  passes(there, 600_001)
  expect(await reads()).toBe(3)
})

test('what a node offers is asked again after it has booted', async () => {
  const there = await at()
  await asked(there)
  expect((await asked(there))['/nodes/N/apt/versions']).toBeUndefined()
  const listed = (cluster['GET /cluster/resources'] as { body: { data: Item[] } }).body.data
  const booted = listed.map((item) => (item.id === 'node/pve2' ? { ...item, uptime: 5 } : item))
  there.replay.play({ 'GET /cluster/resources': composed(booted) })
  const after = await asked(there)
  expect([after['/nodes/N/apt/versions'], after['/nodes/N/network']]).toEqual([1, 1])
})

test('where no disk would be copied the storages come from the cluster’s list', async () => {
  // Recorded before the shared storage was made.
  const listed = (cluster['GET /cluster/resources'] as { body: { data: Item[] } }).body.data
  const shared = { type: 'storage', storage: 'shared', shared: 1, status: 'available', disk: 1000, maxdisk: 5000 }
  const more = ['pve1', 'pve2', 'pve3'].map((node) => ({ ...shared, id: `storage/${node}/shared`, node }))
  const there = await at({
    'GET /cluster/resources': composed([...listed, ...more, { ...shared, id: 'x', storage: 'nfs', status: 'unknown' }]),
    'GET /nodes/pve1/qemu/101/config': composed({ name: 'vm-local' }),
  })
  const seen = await there.hypervisor.observe()
  expect(there.replay.asked.map(({ path }) => path)).not.toContain('/nodes/pve1/storage')
  expect(seen.nodes[0]?.storages).toEqual([
    { id: 'local', shared: false, freeBytes: 12884901888 - 45318144 },
    { id: 'shared', shared: true, freeBytes: 4000 },
  ])
})

test('a configuration that could not be read is asked for again', async () => {
  const there = await at({
    'GET /nodes/pve1/qemu/101/config': [recording('err-proxy-dead-node-1'), composed({ name: 'a' })],
  })
  const entries = await there.hypervisor.observe()
  expect(entries.blind).toEqual([])
  there.replay.play({ 'GET /nodes/pve1/qemu/100/config': recording('err-403-none-status') })
  passes(there, 600_001)
  expect((await there.hypervisor.observe()).blind).toHaveLength(1)
  there.replay.play({ 'GET /nodes/pve1/qemu/100/config': composed({ name: 'back' }) })
  expect((await asked(there))['/nodes/N/qemu/V/config']).toBe(1)
})
