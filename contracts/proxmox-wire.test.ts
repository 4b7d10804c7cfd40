import { randomBytes } from 'node:crypto'
import { connect } from 'node:tls'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { vmid } from '#domain/ids'
import { secret } from '#domain/secret'
import { proxmoxCeph } from '#drivers/proxmox/ceph-fallback'
import { type ProxmoxHypervisor, proxmoxHypervisor } from '#drivers/proxmox/hypervisor'
import { tlsTransport, type WireAnswer } from '#drivers/proxmox/transport'
import { takeFault } from '#lab/faults/apply'
import { guest, pve1, pve3, pve4, smallLab, smallSnapshot } from '#lab/testing/small-world'
import { FULL_RIGHTS, type LabToken } from '#lab/wire/proxmox/rights'
import { type ProxmoxEndpoint, serveProxmox } from '#lab/wire/proxmox/serve'
import type { LabWorld } from '#lab/world/lab-world'
import { dataOf, recording } from './replay-proxmox.ts'

let open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.map((one) => one.close()))
  open = []
})

type Call = { method?: 'GET' | 'POST' | 'PUT' | 'DELETE'; path: string; params?: Record<string, string> }
type Served = {
  readonly lab: LabWorld
  readonly endpoints: readonly ProxmoxEndpoint[]
  /** Through pve1's API, whatever the answer. */
  raw(call: Call): Promise<WireAnswer>
  driver(endpoints?: readonly ProxmoxEndpoint[]): ProxmoxHypervisor
}

const entryPoints = (endpoints: readonly ProxmoxEndpoint[]) =>
  endpoints.map((endpoint) => ({ ...endpoint, tokenSecret: secret(endpoint.tokenSecret) }))
const clockOf = (lab: LabWorld) => ({ nowMs: async () => lab.state.nowMs, sleepUntil: async () => {} })

async function serve(lab = smallLab(), tokens?: readonly LabToken[]): Promise<Served> {
  const served = await serveProxmox({ lab, onChange: () => {}, ...(tokens === undefined ? {} : { tokens }) })
  open.push(served)
  const first = entryPoints(served.endpoints)[0]
  if (first === undefined) throw new Error('no endpoint')
  const transport = tlsTransport(first)
  open.push(transport)
  return {
    lab,
    endpoints: served.endpoints,
    raw: ({ method = 'GET', path, params = {} }) => transport.send({ method, path, params, deadlineMs: 2_000 }),
    driver(endpoints = served.endpoints) {
      const hypervisor = proxmoxHypervisor({
        entryPoints: entryPoints(endpoints),
        clock: clockOf(lab),
        linkBitsPerSecond: 10e9,
        readDeadlineMs: 500,
        writeDeadlineMs: 500,
      })
      open.push(hypervisor)
      return hypervisor
    },
  }
}

const fault = (lab: LabWorld, it: Record<string, unknown>) => expect(takeFault(lab.state, it)).toEqual({ is: 'taken' })
const move = { guest: vmid(101), from: pve3, to: pve1, mode: 'live', withLocalDisks: false } as const

/** The lab's refusal is the recorded one, but for its names. */
function asRecorded(answer: WireAnswer, name: string, names: Readonly<Record<string, string>> = {}): void {
  const recorded = recording(name)
  const renamed = (value: unknown): string =>
    Object.entries(names).reduce(
      (text, [from, to]) => text.replaceAll(from, to),
      typeof value === 'string' ? value : JSON.stringify(sorted(value)),
    )
  if (answer.is !== 'answer') throw new Error(`${name}: ${answer.text}`)
  const body = answer.body === '' ? '' : JSON.stringify(sorted(JSON.parse(answer.body)))
  expect({ status: answer.status, reason: answer.reason, body }).toEqual({
    status: recorded.status,
    reason: renamed(recorded.reason),
    body: renamed(recorded.body),
  })
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value) || typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).sort(([left], [right]) => left.localeCompare(right)))
}

test('refusals are the recorded ones: status, reason phrase, body', async () => {
  const { raw, lab } = await serve()
  const at = (path: string) => raw({ path })
  asRecorded(await at('/nodes/pve1/nonexist'), 'err-404-path')
  asRecorded(await raw({ method: 'PUT', path: '/version' }), 'err-501-method')
  asRecorded(await at('/nodes/pve1/qemu/999/config'), 'err-get-missing-vm')
  asRecorded(await at('/nodes/pve9/status'), 'err-nonode')
  asRecorded(await at('/cluster/ha/groups'), 'get-cluster-ha-groups')
  asRecorded(
    await at('/nodes/pve1/tasks/UPID:pve1:00000001:00000001:6B029A45:qmstart:100:root@pam:/status'),
    'err-task-notfound',
  )
  asRecorded(await at('/nodes/pve1/tasks/garbage/status'), 'err-task-badupid')
  const post = (params: Record<string, string>) => raw({ method: 'POST', path: '/nodes/pve1/qemu/103/migrate', params })
  asRecorded(await post({}), 'err-400-migrate')
  asRecorded(await post({ target: 'pve1' }), 'err-migrate-self')
  asRecorded(await post({ target: 'pve9' }), 'err-target-unknown')
  asRecorded(await post({ target: 'pve2' }), 'err-migrate-running-no-online')
  expect(await post({ target: 'pve2', online: '1' })).toMatchObject({ status: 200 })
  asRecorded(await post({ target: 'pve2', online: '1' }), 'err-migrate-while-locked')
  const nobody = { method: 'POST', path: '/nodes/pve1/qemu/999/migrate', params: { target: 'pve2' } } as const
  asRecorded(await raw(nobody), 'err-migrate-nonexistent')
  const noout = '/cluster/ceph/flags/noout'
  asRecorded(await raw({ method: 'PUT', path: noout, params: { value: '1' } }), 'ceph-flag-noout-put')
  asRecorded(await at(noout), 'ceph-flag-noout-get1')
  fault(lab, { kind: 'node-dead', node: 'pve2' })
  const dead = await at('/nodes/pve2/status')
  expect(dead).toMatchObject({ status: 595, reason: 'Connection timed out', body: '' })
})

test('tokens: none, a wrong one, one without rights', async () => {
  const poor: LabToken = { id: 'poor@pve!poor', secret: 'b', rights: {} }
  const reader: LabToken = { id: 'ro@pve!ro', secret: 'c', rights: { '/': ['Sys.Audit', 'VM.Audit'] } }
  const rich: LabToken = { id: 'coulisse@pve!coulisse', secret: 'a', rights: FULL_RIGHTS }
  const { endpoints, driver } = await serve(smallLab(), [rich, poor, reader])
  const as = (tokenId: string, tokenSecret: string) => endpoints.map((one) => ({ ...one, tokenId, tokenSecret }))
  const send = async (tokenId: string, word: string, call: Call) => {
    const [first] = entryPoints(as(tokenId, word))
    if (first === undefined) throw new Error('no endpoint')
    const transport = tlsTransport(first)
    open.push(transport)
    return transport.send({ method: call.method ?? 'GET', path: call.path, deadlineMs: 2_000 })
  }
  asRecorded(await send('coulisse@pve!coulisse', 'wrong', { path: '/nodes' }), 'err-401-badtoken')
  asRecorded(await send('poor@pve!poor', 'b', { path: '/cluster/status' }), 'err-403-none-status')
  asRecorded(
    await send('ro@pve!ro', 'c', { method: 'POST', path: '/nodes/pve1/qemu/103/status/start' }),
    'err-403-ro-start',
    { '/vms/100': '/vms/103' },
  )
  const list = await send('poor@pve!poor', 'b', { path: '/cluster/resources' })
  expect(list.is === 'answer' && JSON.parse(list.body).data).toHaveLength(4)
  await expect(driver(as('poor@pve!poor', 'b')).observe()).rejects.toMatchObject({ retry: 'never' })
  const { blind } = await driver(as('ro@pve!ro', 'c')).observe()
  expect(blind).toEqual(['storages may be hidden: the token lacks Datastore.Audit on /storage'])
})

test('a header that is no token has no ticket', async () => {
  const { endpoints } = await serve()
  const port = Number(new URL(endpoints[0]?.url ?? '').port)
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      socket.write('GET /api2/json/nodes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    })
    let text = ''
    socket.on('data', (chunk) => (text += chunk))
    socket.on('end', () => resolve(text))
    socket.on('error', reject)
  })
  expect(answer.split('\r\n')[0]).toBe('HTTP/1.1 401 No ticket')
  expect(answer.split('\r\n\r\n')[1]).toBe('0')
})

/** 'number', 'string' … by key, over all items of a list. */
function typesOf(value: unknown): Record<string, string> {
  const items = (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'object' && item !== null)
  return Object.fromEntries(
    items.flatMap((item) => Object.entries(item).map(([key, one]) => [key, one === null ? 'null' : typeof one])),
  )
}

test('what the lab tells has the types of what was recorded', async () => {
  const { raw } = await serve()
  const pairs: Readonly<Record<string, string>> = {
    '/version': 'version',
    '/cluster/status': 'cluster-status',
    '/cluster/resources?type=node': 'cluster-resources-maintenance',
    '/cluster/resources?type=vm': 'resources-during-migrate',
    '/cluster/config/nodes': 'get-cluster-config-nodes',
    '/cluster/ha/resources': 'ha-resources',
    '/cluster/ha/status/current': 'ha-status-current',
    '/cluster/ha/status/manager_status': 'ha-manager-status',
    '/nodes/pve1/status': 'get-nodes-pve1-status',
    '/nodes/pve1/network': 'get-nodes-pve1-network',
    '/nodes/pve1/qemu': 'qemu-list',
    '/nodes/pve1/qemu/103/status/current': 'qemu-status-current-running',
    '/nodes/pve1/qemu/103/migrate': 'migrate-precond-shared-running',
    '/nodes/pve1/disks/list': 'get-nodes-pve1-disks-list',
    '/nodes/pve1/capabilities/qemu/migration': 'get-nodes-pve1-capabilities-qemu-migration',
    '/nodes/pve1/ceph/mon': 'ceph-mon',
    '/nodes/pve1/ceph/mgr': 'ceph-mgr',
    '/nodes/pve1/ceph/pool': 'ceph-pool',
    '/nodes/pve1/ceph/osd': 'ceph-osd',
    '/cluster/ceph/flags': 'ceph-flags',
    '/cluster/ceph/status': 'ceph-status',
    '/nodes/pve1/ceph/cmd-safety?service=osd&id=0&action=stop': 'ceph-cmd-safety-osd-stop-unsafe',
  }
  const differences: string[] = []
  for (const [where, name] of Object.entries(pairs)) {
    const [path = '', query = ''] = where.split('?')
    const answer = await raw({ path, params: Object.fromEntries(new URLSearchParams(query)) })
    if (answer.is !== 'answer' || answer.status !== 200) throw new Error(`${where}: ${JSON.stringify(answer)}`)
    const recorded = typesOf(dataOf(name))
    for (const [key, type] of Object.entries(typesOf(JSON.parse(answer.body).data))) {
      if (recorded[key] !== undefined && recorded[key] !== 'null' && recorded[key] !== type) {
        differences.push(`${where} ${key}: ${type}, recorded ${recorded[key]}`)
      }
    }
  }
  expect(differences).toEqual([])
})

test('migrate preconditions have the recorded traps: the allowed stand among the not allowed, local disks forbid nothing', async () => {
  const local = { disks: [{ storage: 'local-zfs', bytes: 2 ** 30 }] }
  const managed = { ha: { managed: true, state: 'started' } }
  const snapshot = smallSnapshot({
    guests: [guest(101, 'pve1', local), guest(102, 'pve1', managed), guest(103, 'pve2', managed)],
  })
  const rules = [{ kind: 'keep-apart', guests: [vmid(102), vmid(103)], strict: true }] as const
  const { raw } = await serve(smallLab({ snapshot: { ...snapshot, cluster: { ...snapshot.cluster, rules } } }))
  const ask = async (id: number) => {
    const answer = await raw({ path: `/nodes/pve1/qemu/${id}/migrate`, params: { target: 'pve2' } })
    return answer.is === 'answer' ? JSON.parse(answer.body).data : {}
  }
  type Told = { allowed_nodes: string[]; not_allowed_nodes: Record<string, unknown>; local_disks: unknown }
  const recorded = dataOf<Told>('migrate-precond-local-running')
  expect(Object.keys(recorded.not_allowed_nodes).sort()).toEqual(recorded.allowed_nodes.toSorted())
  const told = (await ask(101)) as Told
  expect(told.allowed_nodes.toSorted()).toEqual(['pve2', 'pve3', 'pve4'])
  expect(told.not_allowed_nodes).toEqual({ pve2: {}, pve3: {}, pve4: {} })
  expect(typesOf(told.local_disks)).toEqual({ ...typesOf(told.local_disks), size: 'number', shared: 'number' })
  const blocked = (await ask(102)) as Told
  const example = dataOf<Told>('migrate-precond-ha-negative').not_allowed_nodes.pve2
  expect(JSON.stringify(blocked.not_allowed_nodes.pve2)).toBe(JSON.stringify(example).replace('vm:102', 'vm:103'))
})

test('an entry point dies with its node, and the driver goes on at another', async () => {
  const { lab, driver } = await serve()
  const hypervisor = driver()
  expect(await hypervisor.nodeOnline(pve3)).toBe(true)
  fault(lab, { kind: 'node-dead', node: 'pve1' })
  expect(await hypervisor.runningOn(pve3)).toEqual([101, 102])
  await expect(hypervisor.runningOn(pve1)).rejects.toMatchObject({ retry: 'later' })
  expect(await hypervisor.migrate({ ...move, to: pve4 })).toContain('qmigrate')
})

test('a node that hangs costs a deadline and no more', async () => {
  const { lab, driver } = await serve()
  const hypervisor = driver()
  fault(lab, { kind: 'node-hangs', node: 'pve1' })
  expect(await hypervisor.runningOn(pve3)).toEqual([101, 102])
})

test('guests of a dead node stay in the list, and where they run is unknown', async () => {
  const { lab, driver } = await serve(
    smallLab({ snapshot: smallSnapshot({ guests: [guest(101, 'pve3'), guest(103, 'pve1')] }) }),
  )
  const hypervisor = driver()
  fault(lab, { kind: 'node-dead', node: 'pve3' })
  lab.advanceTo(lab.state.nowMs + 90_000)
  expect(await hypervisor.nodeOnline(pve3)).toBe(false)
  expect(await hypervisor.locate(vmid(101))).toMatchObject({ is: 'unknown' })
  const seen = await hypervisor.observe({ avoid: pve3 })
  expect(seen.guests.find((one) => one.vmid === 101)).toMatchObject({ node: 'pve3' })
  expect(seen.blind.join()).toContain('guest 101: its node pve3 is offline')
})

test('an answer that is lost leaves its effect, and the task is found instead of a second one', async () => {
  const { lab, driver } = await serve()
  const hypervisor = driver()
  fault(lab, { kind: 'answer-lost', path: 'migrate', rate: 1 })
  const sinceMs = lab.state.nowMs
  const error = await hypervisor.migrate(move).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(DriverError)
  expect((error as DriverError).message).toContain('may have been carried out')
  const handle = await hypervisor.findMigration({ guest: vmid(101), from: pve3, sinceMs })
  expect(handle).toContain(':qmigrate:101:')
  expect(Object.values(lab.state.tasks)).toHaveLength(1)
})

test('reads outlive errors of the proxy; a 500 is told', async () => {
  const { lab, driver } = await serve()
  const hypervisor = driver()
  fault(lab, { kind: 'api-error', rate: 1, status: 595, times: 1 })
  expect(await hypervisor.nodeOnline(pve3)).toBe(true)
  fault(lab, { kind: 'api-error', rate: 1, status: 500, times: 1 })
  await expect(hypervisor.nodeOnline(pve3)).rejects.toMatchObject({ retry: 'later' })
})

test('a guest under HA: queued, then moved by root@pam, followed to its real end', async () => {
  const { lab, driver } = await serve()
  const hypervisor = driver()
  const sinceMs = lab.state.nowMs
  const handle = await hypervisor.migrate({ ...move, guest: vmid(102) })
  expect(handle).toContain(':hamigrate:102:')
  expect(await hypervisor.findMigration({ guest: vmid(102), from: pve3, sinceMs })).toBe(handle)
  let progress = await hypervisor.follow(handle)
  for (let looks = 0; progress.is === 'running' && looks < 200; looks++) {
    lab.advanceTo(lab.state.nowMs + 2_000)
    progress = await hypervisor.follow(handle)
  }
  expect(progress).toMatchObject({ is: 'ended', outcome: 'ok' })
  expect(progress).not.toMatchObject({ blackout: 'unmeasured' })
  expect(await hypervisor.locate(vmid(102))).toMatchObject({ is: 'at', node: 'pve1' })
})

test('a container moves by restart: its log names no pause, so there is none measured', async () => {
  const { driver, lab } = await serve(
    smallLab({ snapshot: smallSnapshot({ guests: [guest(104, 'pve3', { kind: 'ct' })] }) }),
  )
  const hypervisor = driver()
  const restart = { ...move, guest: vmid(104), mode: 'restart' } as const
  await expect(hypervisor.migrate({ ...restart, mode: 'live' })).rejects.toBeInstanceOf(DriverError)
  const handle = await hypervisor.migrate(restart)
  expect(handle).toContain(':vzmigrate:104:')
  lab.advanceTo(lab.state.nowMs + 120_000)
  expect(await hypervisor.follow(handle)).toMatchObject({ outcome: 'ok', blackout: 'unmeasured' })
  expect(await hypervisor.locate(vmid(104))).toMatchObject({ is: 'at', node: 'pve1', status: 'running' })
})

test('8.4: groups instead of rules, and no session state', async () => {
  const snapshot = smallSnapshot()
  const cluster = { ...snapshot.cluster, pveVersion: '8.4.14', conntrackStateOffered: false }
  const { driver } = await serve(smallLab({ snapshot: { ...snapshot, cluster } }))
  const seen = await driver().observe()
  expect(seen).toMatchObject({ pveVersion: '8.4.14', conntrackStateOffered: false, blind: [] })
  expect(await driver().migrate(move)).toContain(':qmigrate:')
})

test('progress is told while it copies, and the danger sign when Proxmox raises the pause', async () => {
  const { lab, driver } = await serve()
  const hypervisor = driver()
  fault(lab, { kind: 'migration-never-converges', guest: 101 })
  const handle = await hypervisor.migrate(move)
  lab.advanceTo(lab.state.nowMs + 3_000)
  const early = await hypervisor.follow(handle)
  if (early.is !== 'running' || early.transferredBytes === 'unknown') throw new Error('no progress')
  expect(early.transferredBytes).toBeGreaterThan(0)
  expect(early.allowedPauseMs).toBe(100)
  lab.advanceTo(lab.state.nowMs + 30_000)
  const late = await hypervisor.follow(handle)
  expect(late.is === 'running' && late.allowedPauseMs !== 'unknown' && late.allowedPauseMs > 100).toBe(true)
  await hypervisor.cancelMigration(handle)
  expect(await hypervisor.follow(handle)).toMatchObject({ is: 'ended', outcome: 'unknown' })
})

test('a task that vanishes is unknown, not ended well', async () => {
  const { lab, driver } = await serve()
  const hypervisor = driver()
  fault(lab, { kind: 'task-vanishes', guest: 101 })
  const handle = await hypervisor.migrate(move)
  expect(await hypervisor.follow(handle)).toMatchObject({ is: 'ended', outcome: 'unknown' })
})

test('without quorum writes are refused for now, and reads go on', async () => {
  const { lab, driver } = await serve()
  const hypervisor = driver()
  fault(lab, { kind: 'quorum-lost', s: 60 })
  await expect(hypervisor.migrate(move)).rejects.toMatchObject({ retry: 'later' })
  expect((await hypervisor.observe()).quorate).toBe(false)
})

test('a look through the wire sees what the world is', async () => {
  const snapshot = smallSnapshot({
    guests: [
      guest(101, 'pve3', { pauseBudgetMs: 300, movable: false, passthrough: ['0000:01:00.0'], onboot: true }),
      guest(104, 'pve1', { kind: 'ct', status: 'stopped', tags: ['web'], bridges: ['vmbr0', 'vmbr1'] }),
    ],
  })
  const rules = [{ kind: 'keep-apart', guests: [vmid(101), vmid(104)], strict: true }] as const
  const world = smallLab({
    snapshot: { ...snapshot, cluster: { ...snapshot.cluster, rules, qdeviceVotes: 1, qdeviceUp: true } },
  })
  const { driver } = await serve(world)
  const seen = await driver().observe()
  expect(seen).toMatchObject({
    name: 'mad1',
    pveVersion: '9.2.11',
    votes: { pve1: 1, pve2: 1, pve3: 1, pve4: 1 },
    qdeviceVotes: 1,
    qdeviceUp: true,
    cephFsid: 'b0b4f3ac-0000-4000-8000-000000000001',
    migrationNetworkIsCorosyncLink: false,
    rules,
  })
  const { guests, nodes } = snapshot.cluster
  expect(seen.guests[0]).toMatchObject({
    vmid: 101,
    residentBytes: guests[0]?.residentBytes,
    cpuType: guests[0]?.cpuType,
    disks: guests[0]?.disks,
    customer: 'acorn',
    pauseBudgetMs: 300,
    movable: false,
    passthrough: ['hostpci0: 0000:01:00.0'],
    onboot: true,
  })
  expect(seen.guests[1]).toMatchObject({ kind: 'ct', status: 'stopped', bridges: ['vmbr0', 'vmbr1'], tags: ['web'] })
  expect(seen.nodes[0]).toMatchObject({
    cpuModel: nodes[0]?.cpuModel,
    memoryUsedBytes: nodes[0]?.memoryUsedBytes,
    storages: nodes[0]?.storages,
  })
})

test('Ceph through the wire: the whole cluster’s flag, lagging figures, no proof for a host', async () => {
  const { lab, endpoints } = await serve()
  const storage = proxmoxCeph({ entryPoints: entryPoints(endpoints), clock: clockOf(lab) })
  open.push(storage)
  const seen = await storage.observe()
  expect(seen).toMatchObject({ fsid: 'b0b4f3ac-0000-4000-8000-000000000001', flags: [], fullness: 'ok' })
  if (seen === 'none') throw new Error('no Ceph')
  expect(seen.osds).toHaveLength(8)
  expect(seen.pools).toEqual([{ name: 'vm', size: 3, minSize: 2, failureDomain: 'host' }])
  expect(seen.placementGroups).toMatchObject({ total: 128, clean: 128 })
  expect(await storage.okToStop([4])).toMatchObject({ ok: true })
  expect(await storage.okToStop([4, 5])).toMatchObject({ ok: false })
  await storage.setNoout(pve3)
  expect(lab.state.ceph !== 'none' && lab.state.ceph.flags).toEqual(['noout'])
  expect(await storage.stopOsds(pve3, [4, 5])).toBe('stopped')
  const after = await storage.observe()
  expect(after !== 'none' && after.osds.filter((osd) => !osd.up).map((osd) => osd.id)).toEqual([4, 5])
  await storage.clearNoout(pve3)
  expect(lab.state.ceph !== 'none' && lab.state.ceph.flags).toEqual([])
})

test('shutdown answers before it acts, and the API is gone afterwards', async () => {
  const { lab, driver } = await serve()
  const hypervisor = driver()
  await hypervisor.shutDown(pve4)
  lab.advanceTo(lab.state.nowMs + 600_000)
  expect(lab.state.nodes.pve4?.state).toBe('off')
  expect(await hypervisor.nodeOnline(pve4)).toBe(false)
  await expect(hypervisor.hardware(pve4)).rejects.toBeInstanceOf(DriverError)
})

test('whatever is sent, the lab answers and stands', async () => {
  const { raw, lab } = await serve()
  const word = fc.oneof(fc.constantFrom('nodes', 'cluster', 'qemu', 'pve1', '103', 'tasks', '%00', '..'), fc.string())
  const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE' as const)
  await fc.assert(
    fc.asyncProperty(
      method,
      fc.array(word, { maxLength: 6 }),
      fc.dictionary(fc.string(), fc.string()),
      async (how, words, params) => {
        const path = `/${words.map(encodeURIComponent).join('/')}`
        const answer = await raw({ method: how as 'GET', path, params })
        expect(answer.is).toBe('answer')
      },
    ),
    { numRuns: 60 },
  )
  expect(await raw({ path: `/${randomBytes(20).toString('hex')}` })).toMatchObject({ status: 501 })
  expect(lab.state.commands).toEqual([])
})
