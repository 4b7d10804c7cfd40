import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { type Bench, bench, NOW_MS } from '#contracts/proxmox-bench'
import { cluster, MIGRATED, migration, moved } from '#contracts/proxmox-tape'
import { composed, dataOf, recording, type Tape } from '#contracts/replay-proxmox'
import { DriverError } from '#domain/driver-error'
import { nodeName, vmid } from '#domain/ids'
import { outcomeOf, readLog } from './task-log.ts'
import { parseUpid } from './upid.ts'

let made: Bench | undefined
afterEach(() => made?.close())

async function at(tape: Tape): Promise<Bench> {
  made = await bench(['pve1', 'pve2', 'pve3'], { ...cluster, ...tape })
  return made
}

const linesOf = (name: string) => dataOf<{ t: string }[]>(name).map((line) => line.t)
/** What it had written while it still ran. */
const beginningOf = (name: string) => composed(dataOf<unknown[]>(name).slice(0, 5))
const exitOf = (name: string) => dataOf<{ exitstatus?: string }>(name).exitstatus ?? ''
const [pve1, pve2] = [nodeName('pve1'), nodeName('pve2')]
const HA = 'UPID:pve1:00000902:00032C36:6B029BDB:hamigrate:100:api@pve!full:'
const HA_STARTED_MS = 0x6b029bdb * 1000

test('recorded logs give pause, speed and the allowed pause; what they do not say is unknown', () => {
  expect(readLog(linesOf('migrate-task-log-ok'))).toMatchObject({
    blackoutMs: 5,
    bytesPerSecond: Math.round(144.8 * 2 ** 20),
    allowedPauseMs: 100,
    transferredBytes: Math.round(2.8 * 2 ** 20),
    totalBytes: 'unknown',
  })
  expect(readLog(linesOf('task-log-migrate-online-localdisks'))).toMatchObject({ blackoutMs: 271 })
  expect(readLog(linesOf('task-log-migrate-rbd'))).toMatchObject({ blackoutMs: 5 })
  expect(readLog(linesOf('task-log-migrate-ha-managed'))).toMatchObject({ blackoutMs: 'unknown' })
})

test('the danger sign is read: Proxmox raised the pause that it allows', () => {
  const log = readLog([
    '2026-11-22 07:33:46 migration downtime limit: 100 ms',
    '2026-11-22 07:33:50 migration active, transferred 1.5 GiB of 4.0 GiB VM-state, 144.8 MiB/s',
    '2026-11-22 07:33:55 auto-increased downtime to continue migration: 200 ms',
    '2026-11-22 07:33:59 auto-increased downtime to continue migration: 400 ms',
  ])
  expect(log).toMatchObject({ allowedPauseMs: 400, transferredBytes: 1.5 * 2 ** 30, totalBytes: 4 * 2 ** 30 })
})

test('recorded exit statuses mean what they mean, and a killed worker means unknown', () => {
  const end = (status: string, log: string) => outcomeOf(exitOf(status), readLog(linesOf(log)))
  expect(end('migrate-task-status-ok', 'migrate-task-log-ok')).toBe('ok')
  expect(end('task-status-warnings', 'task-log-warnings')).toBe('ok')
  expect(end('task-status-migrate-interrupted', 'task-log-migrate-interrupted')).toBe('unknown')
  expect(end('task-status-migrate-offline-interrupted', 'task-log-migrate-offline-interrupted')).toBe('cancelled')
  expect(end('task-status-migrate-online-localdisk-noflag', 'task-log-migrate-online-localdisk-noflag')).toBe('failed')
  expect(outcomeOf('migration problems', readLog([]))).toBe('failed')
  expect(outcomeOf('received interrupt', readLog([]))).toBe('cancelled')
  expect(outcomeOf('VM is locked (backup)', readLog([]))).toBe('failed')
  for (const gone of ['', 'unexpected status', 'unexpected status=unknown']) {
    expect(outcomeOf(gone, readLog([]))).toBe('unknown')
  }
})

test('no line of a log, and no text for a task id, breaks the readers', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.string(), (lines, text) => {
      expect(readLog(lines).interrupted).toBeTypeOf('boolean')
      parseUpid(text)
    }),
  )
  expect(parseUpid('UPID:pve1:00000F32:000354BB:6B029C43:cephsetflags::api@pve!full:')).toMatchObject({
    type: 'cephsetflags',
    id: '',
    startedAtMs: 0x6b029c43 * 1000,
  })
})

test('a move is told to Proxmox as it wants it: online for a vm, restart for a container, disks only where asked', async () => {
  const { hypervisor, replay } = await at({
    ...migration,
    'GET /nodes/pve1/lxc/105/status/current': composed({ status: 'running', ha: { managed: 0 } }),
    'GET /nodes/pve1/qemu/105/status/current': recording('err-get-missing-vm'),
    'POST /nodes/pve1/lxc/105/migrate': composed('UPID:pve1:000003AB:0002C1F7:6B029ACB:vzmigrate:105:api@pve!full:'),
  })
  const live = { guest: vmid(100), from: pve1, to: pve2, mode: 'live', withLocalDisks: true } as const
  expect(await hypervisor.migrate(live)).toBe(MIGRATED)
  await hypervisor.migrate({ ...live, mode: 'offline', withLocalDisks: false })
  await hypervisor.migrate({ ...live, guest: vmid(105), mode: 'restart' })
  const sent = replay.asked.filter((asked) => asked.method === 'POST')
  expect(sent.map((asked) => asked.params)).toEqual([
    { target: 'pve2', online: '1', 'with-local-disks': '1', 'with-conntrack-state': '1' },
    { target: 'pve2' },
    { target: 'pve2', restart: '1', timeout: '180' },
  ])
  expect(replay.asked.map((asked) => asked.entry)).not.toContain('pve1')
  await expect(hypervisor.migrate({ ...live, mode: 'restart' })).rejects.toMatchObject({ retry: 'never' })
})

test('session state is not promised where one end cannot carry it (501 on releases before 9)', async () => {
  const { hypervisor, replay } = await at({
    ...migration,
    'GET /nodes/pve2/capabilities/qemu/migration': recording('err-404-path'),
  })
  await hypervisor.migrate({ guest: vmid(100), from: pve1, to: pve2, mode: 'live', withLocalDisks: false })
  expect(replay.asked.find((asked) => asked.method === 'POST')?.params).toEqual({ target: 'pve2', online: '1' })
  expect((await hypervisor.observe()).conntrackStateOffered).toBe(false)
})

test('HA’s task is OK when it is queued: the real one is waited for, found and followed', async () => {
  const { hypervisor, replay } = await at({
    ...migration,
    'POST /nodes/pve1/qemu/100/migrate': recording('migrate-ha-managed'),
    'GET /nodes/pve1/tasks': composed([]),
  })
  const handle = await hypervisor.migrate({
    guest: vmid(100),
    from: pve1,
    to: pve2,
    mode: 'live',
    withLocalDisks: false,
  })
  expect(handle).toBe(HA)
  expect(await hypervisor.follow(handle)).toMatchObject({ is: 'running' })
  await expect(hypervisor.cancelMigration(handle)).rejects.toMatchObject({ retry: 'later' })
  const real = 'UPID:pve1:00000E65:0005B6DB:6B029BE0:qmigrate:100:root@pam:'
  made?.pass(2_001)
  replay.play({
    'GET /nodes/pve1/tasks': composed([
      { upid: HA, type: 'hamigrate', id: '100', starttime: HA_STARTED_MS / 1000, endtime: 1, status: 'OK' },
      { upid: real, type: 'qmigrate', id: '100', starttime: HA_STARTED_MS / 1000 + 5 },
    ]),
    [`GET /nodes/pve1/tasks/${real}/log`]: [beginningOf('migrate-task-log-ok'), recording('migrate-task-log-ok')],
    [`DELETE /nodes/pve1/tasks/${real}`]: recording('task-stop'),
  })
  expect(await hypervisor.follow(handle)).toMatchObject({ is: 'running' })
  await hypervisor.cancelMigration(handle)
  expect(replay.asked.at(-1)?.method).toBe('DELETE')
  expect(await hypervisor.follow(handle)).toMatchObject({ outcome: 'ok', blackout: { blackoutMs: 5 } })
  const asked = replay.asked.find((one) => one.path === '/nodes/pve1/tasks')
  expect(asked?.params).toMatchObject({ source: 'all', since: String(NOW_MS / 1000 - 86_400) })
})

test('a guest that HA moved without a task to be found has arrived unmeasured, not in 0 ms', async () => {
  const { hypervisor } = await at({ 'GET /nodes/pve1/tasks': composed([]), ...moved })
  expect(await hypervisor.follow(HA)).toEqual({
    is: 'ended',
    outcome: 'ok',
    blackout: 'unmeasured',
    bytesPerSecond: 'unknown',
    target: 'pve2',
  })
})

test('HA says OK to a move that a rule forbids, and drops it: that is a failure, found after a minute', async () => {
  const { hypervisor, replay } = await at({
    'POST /nodes/pve1/qemu/100/migrate': recording('migrate-ha-blocked'),
    'GET /nodes/pve1/tasks': composed([]),
  })
  // Recorded beside it: the manager has vm:100 as started, without a target.
  const move = { guest: vmid(100), from: pve1, to: pve2, mode: 'live', withLocalDisks: false } as const
  expect(await hypervisor.migrate(move)).toBe('UPID:pve1:00000900:00032C08:6B029BDB:hamigrate:100:api@pve!full:')
  const minuteAgo = (NOW_MS / 1000 - 61).toString(16).toUpperCase()
  const handle = `UPID:pve1:00000900:00032C08:${minuteAgo}:hamigrate:100:api@pve!full:`
  expect(await hypervisor.follow(handle)).toMatchObject({ is: 'ended', outcome: 'failed' })
  const moving = { manager_status: { service_status: { 'vm:100': { state: 'migrate', target: 'pve2' } } } }
  replay.play({ 'GET /cluster/ha/status/manager_status': composed(moving) })
  expect(await hypervisor.follow(handle)).toMatchObject({ is: 'running' })
})

test('what HA never begins ends as unknown', async () => {
  const old = `UPID:pve1:00000902:00032C36:${(NOW_MS / 1000 - 1000).toString(16).toUpperCase()}:hamigrate:100:api@pve:`
  const queued = { manager_status: { service_status: { 'vm:100': { state: 'migrate' } } } }
  const { hypervisor } = await at({
    'GET /nodes/pve1/tasks': composed([]),
    'GET /cluster/ha/status/manager_status': composed(queued),
  })
  expect(await hypervisor.follow(old)).toMatchObject({ is: 'ended', outcome: 'unknown' })
})

test('a task on a node that died ends as unknown; on a node that is only slow it is an error to try again', async () => {
  const { hypervisor, replay } = await at({
    [`GET /nodes/pve1/tasks/${MIGRATED}/log`]: recording('err-proxy-dead-node-1'),
  })
  await expect(hypervisor.follow(MIGRATED)).rejects.toMatchObject({ retry: 'later' })
  const dead = dataOf<{ name: string }[]>('cluster-status').map((item) =>
    item.name === 'pve1' ? { ...item, online: 0 } : item,
  )
  replay.play({ 'GET /cluster/status': composed(dead) })
  expect(await hypervisor.follow(MIGRATED)).toMatchObject({ is: 'ended', outcome: 'unknown' })
})

const LOG = `GET /nodes/pve1/tasks/${MIGRATED}/log`
const STATUS = `GET /nodes/pve1/tasks/${MIGRATED}/status`

test('a log is read in one call while it fits a page, and read on from the last whole page', async () => {
  const line = (n: number) => ({ n, t: n === 600 ? 'auto-increased downtime to continue migration: 800 ms' : 'x' })
  const lines = (from: number, to: number) =>
    composed(Array.from({ length: to - from }, (_, at) => line(from + at + 1)))
  const { hypervisor, replay } = await at({
    [`${LOG}?limit=500&start=0`]: [lines(0, 499), lines(0, 500)],
    [`${LOG}?limit=500&start=500`]: lines(500, 620),
  })
  expect(await hypervisor.follow(MIGRATED)).toMatchObject({ is: 'running', allowedPauseMs: 'unknown' })
  expect(await hypervisor.follow(MIGRATED)).toMatchObject({ is: 'running', allowedPauseMs: 800 })
  expect(await hypervisor.follow(MIGRATED)).toMatchObject({ is: 'running', allowedPauseMs: 800 })
  expect(replay.asked.map((asked) => asked.params.start)).toEqual(['0', '0', '500', '500'])
})

test('a log that is silent for long is no proof that its worker lives: the status is asked, and ends it', async () => {
  const { hypervisor, replay } = await at({
    [LOG]: recording('task-log-migrate-interrupted'),
    [STATUS]: [recording('task-status-running'), recording('task-status-migrate-interrupted')],
  })
  expect(await hypervisor.follow(MIGRATED)).toMatchObject({ is: 'running' })
  made?.pass(9_000)
  expect(await hypervisor.follow(MIGRATED)).toMatchObject({ is: 'running' })
  expect(replay.asked.some((asked) => asked.path.endsWith('/status'))).toBe(false)
  made?.pass(1_000)
  expect(await hypervisor.follow(MIGRATED)).toMatchObject({ is: 'running' })
  expect(await hypervisor.follow(MIGRATED)).toMatchObject({ is: 'ended', outcome: 'unknown' })
})

test('a task that we stopped is asked for its status at once', async () => {
  const { hypervisor } = await at({
    [LOG]: recording('task-log-migrate-interrupted'),
    [STATUS]: recording('task-status-migrate-interrupted'),
    [`DELETE /nodes/pve1/tasks/${MIGRATED}`]: recording('task-stop'),
  })
  expect(await hypervisor.follow(MIGRATED)).toMatchObject({ is: 'running' })
  await hypervisor.cancelMigration(MIGRATED)
  expect(await hypervisor.follow(MIGRATED)).toMatchObject({ is: 'ended', outcome: 'unknown' })
})

test('where the log is refused the status tells the end, and the pause stays unmeasured', async () => {
  const { hypervisor } = await at({
    [LOG]: recording('err-403-none-status'),
    [STATUS]: [recording('task-status-running'), recording('migrate-task-status-ok')],
  })
  expect(await hypervisor.follow(MIGRATED)).toMatchObject({ is: 'running' })
  expect(await hypervisor.follow(MIGRATED)).toMatchObject({ outcome: 'ok', blackout: 'unmeasured' })
})

test('the tasks of a node are asked once for all who follow guests away from it', async () => {
  const { hypervisor, replay } = await at({ 'GET /nodes/pve1/tasks': composed([]) })
  const query = (id: number) => ({ guest: vmid(id), from: pve1, sinceMs: NOW_MS })
  const lists = () => replay.asked.filter((asked) => asked.path === '/nodes/pve1/tasks').length
  await Promise.all([100, 101, 102].map((id) => hypervisor.findMigration(query(id))))
  made?.pass(2_000)
  await hypervisor.findMigration(query(103))
  expect(lists()).toBe(1)
  made?.pass(1)
  await hypervisor.findMigration(query(104))
  expect(lists()).toBe(2)
})

test('what was seen before we acted does not count: after a migrate the tasks are asked anew', async () => {
  const { hypervisor } = await at({ ...migration, 'GET /nodes/pve1/tasks': [composed([]), tasksOf(MIGRATED)] })
  const query = { guest: vmid(100), from: pve1, sinceMs: NOW_MS }
  expect(await hypervisor.findMigration(query)).toBeUndefined()
  await hypervisor.migrate({ guest: vmid(100), from: pve1, to: pve2, mode: 'live', withLocalDisks: false })
  expect(await hypervisor.findMigration(query)).toBe(MIGRATED)
})

const tasksOf = (upid: string) => composed([{ upid, type: 'qmigrate', id: '100', starttime: NOW_MS / 1000 }])

test('a lost answer to a migrate says so, and the task is found afterwards instead of another', async () => {
  const { hypervisor, replay } = await at({
    ...migration,
    'POST /nodes/pve1/qemu/100/migrate': { status: 596, reason: 'Connection timed out', body: '' },
  })
  const move = { guest: vmid(100), from: pve1, to: pve2, mode: 'live', withLocalDisks: false } as const
  const error = await hypervisor.migrate(move).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(DriverError)
  expect((error as DriverError).message).toContain('may have been carried out')
  expect(await hypervisor.findMigration({ guest: vmid(100), from: pve1, sinceMs: NOW_MS })).toBe(MIGRATED)
  expect(await hypervisor.migrate(move)).toBe(MIGRATED)
  expect(replay.asked.filter((asked) => asked.method === 'POST')).toHaveLength(1)
})

test('a migration that ended before is not found again, one that still runs is, and HA’s wish stands for itself', async () => {
  const task = { upid: MIGRATED, type: 'qmigrate', id: '100', starttime: NOW_MS / 1000 - 60 }
  const { hypervisor, replay } = await at({ 'GET /nodes/pve1/tasks': composed([task]) })
  const query = { guest: vmid(100), from: pve1, sinceMs: NOW_MS }
  expect(await hypervisor.findMigration(query)).toBe(MIGRATED)
  made?.pass(2_001)
  replay.play({ 'GET /nodes/pve1/tasks': composed([{ ...task, endtime: NOW_MS / 1000 - 1, status: 'OK' }]) })
  expect(await hypervisor.findMigration(query)).toBeUndefined()
  const wish = {
    upid: HA,
    type: 'hamigrate',
    id: '100',
    starttime: NOW_MS / 1000,
    endtime: NOW_MS / 1000,
    status: 'OK',
  }
  made?.pass(2_001)
  replay.play({ 'GET /nodes/pve1/tasks': composed([wish]) })
  expect(await hypervisor.findMigration(query)).toBe(HA)
})
