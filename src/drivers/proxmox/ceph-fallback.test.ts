import { afterEach, expect, test } from 'vitest'
import { type Bench, bench } from '#contracts/proxmox-bench'
import { composed, recording, type Tape } from '#contracts/replay-proxmox'
import { nodeName } from '#domain/ids'
import { failureDomainsOf } from './ceph-observe.ts'

let made: Bench | undefined
afterEach(() => made?.close())

const CRUSH = `# rules
rule replicated_rule {
\tid 0
\ttype replicated
\tstep take default
\tstep chooseleaf firstn 0 type host
\tstep emit
}
`

const ceph: Tape = {
  'GET /cluster/ceph/status': recording('ceph-status'),
  'GET /nodes/pve1/ceph/osd': recording('ceph-osd'),
  'GET /nodes/pve1/ceph/pool': recording('ceph-pool'),
  'GET /nodes/pve1/ceph/mon': recording('ceph-mon'),
  'GET /nodes/pve1/ceph/mgr': recording('ceph-mgr'),
  'GET /nodes/pve1/ceph/crush': composed(CRUSH),
  'GET /cluster/ceph/flags': recording('ceph-flags'),
  'GET /cluster/ceph/metadata': recording('ceph-metadata'),
}

async function at(tape: Tape): Promise<Bench> {
  made = await bench(['pve1', 'pve2'], { ...ceph, ...tape })
  return made
}

test('the recorded Ceph is seen as it was', async () => {
  const seen = await (await at({})).ceph.observe()
  expect(seen).toMatchObject({
    fsid: '3543f47c-7f06-43d2-abb5-d44990e05473',
    osds: [
      { id: 0, host: 'pve1', up: true, in: true },
      { id: 1, host: 'pve2', up: true, in: true },
      { id: 2, host: 'pve3', up: true, in: true },
    ],
    placementGroups: { total: 1, clean: 1, degraded: 0 },
    monitors: [
      { host: 'pve1', inQuorum: true },
      { host: 'pve2', inQuorum: true },
      { host: 'pve3', inQuorum: true },
    ],
    activeMgrHost: 'pve1',
    flags: [],
    fullness: 'ok',
    slowOpsCount: 0,
  })
  expect(seen !== 'none' && seen.pools[1]).toEqual({ name: 'rbd', size: 3, minSize: 2, failureDomain: 'host' })
})

test('undersized counts as degraded, and no PG is clean that is not', async () => {
  const seen = await (await at({ 'GET /cluster/ceph/status': recording('ceph-status-osd-down') })).ceph.observe()
  expect(seen !== 'none' && seen.placementGroups).toMatchObject({ total: 33, clean: 0, degraded: 33 })
})

test('no Ceph is none; a CRUSH rule that cannot be read is unknown', async () => {
  const bare = await at({ 'GET /cluster/ceph/status': recording('ceph-status-before-init') })
  expect(await bare.ceph.observe()).toBe('none')
  await bare.close()
  const seen = await (await at({ 'GET /nodes/pve1/ceph/crush': recording('err-403-none-status') })).ceph.observe()
  expect(seen !== 'none' && seen.pools[0]?.failureDomain).toBe('unknown')
  expect(failureDomainsOf('garbage').size).toBe(0)
})

test('several OSDs are never said to be safe together: the API asks one at a time', async () => {
  const safe = await at({ 'GET /nodes/pve1/ceph/cmd-safety': recording('ceph-cmd-safety-osd-stop') })
  expect((await safe.ceph.okToStop([0])).ok).toBe(true)
  const several = await safe.ceph.okToStop([0, 1])
  expect(several.ok).toBe(false)
  expect(several.text).toContain('not proven')
  safe.replay.play({ 'GET /nodes/pve1/ceph/cmd-safety': recording('ceph-cmd-safety-osd-stop-unsafe') })
  expect((await safe.ceph.okToStop([0])).text).toContain('33 PGs are or would become offline')
})

test('noout is the whole cluster’s, is said to be, and is put through another node', async () => {
  const { ceph: storage, replay } = await at({ 'PUT /cluster/ceph/flags/noout': recording('ceph-flag-noout-put') })
  expect(storage.nooutScope).toBe('cluster')
  await storage.setNoout(nodeName('pve1'))
  await storage.clearNoout(nodeName('pve1'))
  expect(replay.asked.map(({ entry, params }) => ({ entry, params }))).toEqual([
    { entry: 'pve2', params: { value: '1' } },
    { entry: 'pve2', params: { value: '0' } },
  ])
})

test('a lease has no place in Ceph through this API, and that is said', async () => {
  const { ceph: storage } = await at({})
  expect(await storage.readLease(nodeName('pve3'))).toBeUndefined()
  await expect(storage.deleteLease(nodeName('pve3'))).rejects.toMatchObject({ retry: 'never' })
})

test('OSDs are stopped one by one by their tasks; without the right it is not allowed', async () => {
  const upid = 'UPID:pve3:00000F32:000354BB:6B029C43:cephdaemon:osd.2:api@pve!full:'
  const { ceph: storage, replay } = await at({
    'POST /nodes/pve3/ceph/stop': composed(upid),
    [`GET /nodes/pve3/tasks/${upid}/status`]: recording('migrate-task-status-ok'),
  })
  expect(await storage.stopOsds(nodeName('pve3'), [2])).toBe('stopped')
  replay.play({ 'POST /nodes/pve3/ceph/stop': recording('err-403-ro-start') })
  expect(await storage.stopOsds(nodeName('pve3'), [2])).toBe('not-allowed')
})
