import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { nodeName, vmid } from '#domain/ids'
import { secret } from '#domain/secret'
import { examineProxmox } from '#drivers/proxmox/examine'
import { tlsTransport } from '#drivers/proxmox/transport'
import { guest as smallGuest, smallLab, smallSnapshot } from '#lab/testing/small-world'
import { ROUTES, serveProxmox } from '#lab/wire/proxmox/serve'
import { startMigration } from '#lab/world/commands'
import { type Bench, bench } from './proxmox-bench.ts'
import { cluster, MIGRATED, migration } from './proxmox-tape.ts'
import { describedAs, describedAt, faultsIn, isOptional, isThere, type Schema } from './pve-schema.ts'
import { composed, recording } from './replay-proxmox.ts'

let made: Bench | undefined
afterAll(() => made?.close())

test.runIf(isThere)('every path and parameter that the driver sends is in Proxmox VE’s API', async () => {
  const stopTask = 'UPID:pve1:00000F32:000354BB:6B029C43:srvstop:osd.0:api@pve!full:'
  const ctTask = 'UPID:pve1:000003AB:0002C1F7:6B029ACB:vzmigrate:105:api@pve!full:'
  made = await bench(['pve1', 'pve2', 'pve3'], {
    ...cluster,
    ...migration,
    'GET /nodes/pve1/lxc/105/status/current': composed({ status: 'running' }),
    'GET /nodes/pve1/qemu/105/status/current': recording('err-get-missing-vm'),
    'POST /nodes/pve1/lxc/105/migrate': composed(ctTask),
    'POST /nodes/pve1/status': composed(null),
    'GET /nodes/pve1/ceph/osd': recording('ceph-osd'),
    'GET /nodes/pve1/ceph/pool': recording('ceph-pool'),
    'GET /nodes/pve1/ceph/mon': recording('ceph-mon'),
    'GET /nodes/pve1/ceph/mgr': recording('ceph-mgr'),
    'GET /nodes/pve1/ceph/crush': composed(''),
    'GET /nodes/pve1/ceph/cmd-safety': recording('ceph-cmd-safety-osd-stop'),
    'GET /cluster/ceph/flags': recording('ceph-flags'),
    'GET /cluster/ceph/metadata': recording('ceph-metadata'),
    'PUT /cluster/ceph/flags/noout': recording('ceph-flag-noout-put'),
    'POST /nodes/pve1/ceph/stop': composed(stopTask),
    'POST /nodes/pve1/ceph/restart': composed(stopTask),
    [`GET /nodes/pve1/tasks/${stopTask}/status`]: recording('migrate-task-status-ok'),
  })
  const { hypervisor, ceph, replay } = made
  const [pve1, pve2] = [nodeName('pve1'), nodeName('pve2')]
  const live = { guest: vmid(100), from: pve1, to: pve2, mode: 'live', withLocalDisks: true } as const
  await hypervisor.observe()
  replay.play({ 'GET /version': composed({ version: '8.4.1' }), 'GET /cluster/ha/groups': composed([]) })
  await hypervisor.observe()
  await hypervisor.migrate(live)
  await hypervisor.migrate({ ...live, guest: vmid(105), mode: 'restart' })
  await hypervisor.follow(MIGRATED)
  await hypervisor.cancelMigration(MIGRATED)
  await hypervisor.findMigration({ guest: vmid(100), from: pve1, sinceMs: 0 })
  await hypervisor.locate(vmid(100))
  await hypervisor.runningOn(pve1)
  await hypervisor.maintenanceMode(pve1)
  await hypervisor.shutDown(pve1)
  await hypervisor.hardware(pve1)
  await ceph.observe()
  await ceph.okToStop([0])
  await ceph.setNoout(pve1)
  await ceph.failMgr(pve1)
  await ceph.stopOsds(pve1, [0])
  await examineProxmox({
    entryPoints: replay.entries.map((entry) => ({ ...entry, tokenId: 'api@pve!full', tokenSecret: secret('x') })),
    clock: { nowMs: async () => Date.now(), sleepUntil: async () => {} },
    cephByApi: true,
  })
  const faults = replay.asked.flatMap(({ method, path, params }) => {
    const found = describedAt(method, path)
    if (found === undefined) return [`${method} ${path}`]
    const { properties = {} } = found.method.parameters ?? {}
    const inPath = Object.keys(properties).filter((name) => found.path.includes(`{${name}}`))
    const must = Object.entries(properties).filter(([name, one]) => !isOptional(one) && !inPath.includes(name))
    return [
      ...must.flatMap(([name]) => (name in params ? [] : [`${name} is missing`])),
      ...Object.entries(params).flatMap(([name, value]) => sentWrongly(name, value, properties[name])),
    ].map((fault) => `${method} ${found.path}: ${fault}`)
  })
  expect([...new Set(faults)]).toEqual([])
  expect(new Set(replay.asked.map(({ method, path }) => describedAt(method, path)?.path)).size).toBeGreaterThan(40)
})

/** A form knows texts only: a number is one that reads as such. */
function sentWrongly(name: string, value: string, schema: Schema | undefined): readonly string[] {
  if (schema === undefined) return [`${name} is not known`]
  return faultsIn(schema.type === 'integer' || schema.type === 'number' ? Number(value) : value, schema, name)
}

test.runIf(isThere)('every path that the lab serves is Proxmox VE’s, with its parameters', () => {
  const strangers = ROUTES.flatMap(({ method, path, takes = [], needs = [] }) => {
    const found = describedAs(method, path)
    if (found === undefined) return [`${method} ${path}`]
    const { properties = {} } = found.method.parameters ?? {}
    const unknown = takes.filter((name) => properties[name] === undefined)
    const must = Object.entries(properties)
      .filter(([name, property]) => !isOptional(property) && !found.path.includes(`{${name}}`))
      .map(([name]) => name)
    const wrongNeeds = [...needs, ...must].filter((name) => !needs.includes(name) || !must.includes(name))
    return [
      ...unknown.map((name) => `${method} ${path}: ${name}`),
      ...wrongNeeds.map((name) => `${method} ${path} needs ${name}`),
    ]
  })
  expect(strangers).toEqual([])
})

/** Where Proxmox VE sends what its description does not say. */
const UNLIKE: readonly (readonly [RegExp, string])[] = [
  [/^\/cluster\/options: \$\.migration: /, 'property strings of datacenter.cfg come parsed'],
  [
    /^\/cluster\/ha\/rules: \$\[\]\.(nodes|strict) is not described$/,
    'a rule’s fields depend on its type; POST describes them',
  ],
  [/not[-_]allowed[-_]nodes\.\w+ is not described$/, 'its keys are nodes’ names'],
  [/osdid-list: null is no array$/, 'recorded: null for a disk without OSDs'],
  [/^\/nodes: \$\[\]\.(id|type|maxdisk|disk) is not described$/, 'recorded: the items of /cluster/resources'],
  [/\/lxc[^:]*: \$(\[\])?\.type is not described$/, 'a container’s status names its type'],
]

/** Every name in a value, at any depth. */
function namesIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(namesIn)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, one]) => [name, ...namesIn(one)])
}

/** Fields that a real 9.2 sent, by path with its names left out: its description leaves some out, and calls others mandatory. */
function recordedFields(): ReadonlyMap<string, ReadonlySet<string>> {
  const fields = new Map<string, Set<string>>()
  const folder = new URL('./recordings/proxmox/', import.meta.url)
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.json')) continue
    const { request, status, body } = JSON.parse(readFileSync(new URL(file, folder), 'utf8'))
    if (request?.method !== 'GET' || status !== 200) continue
    const path = describedAt('GET', request.path.replace('/api2/json', '').split('?')[0])?.path ?? ''
    const known = fields.get(path) ?? new Set()
    for (const name of namesIn(body.data)) known.add(name)
    fields.set(path, known)
  }
  return fields
}

/** A small world with something of everything: a VM and a container that move, under HA and not, with rules and tasks. */
async function servedLab() {
  const snapshot = smallSnapshot()
  const guests = [...snapshot.cluster.guests, smallGuest(190, 'pve2', { kind: 'ct', tags: ['web'] })]
  const rules = [
    { kind: 'keep-apart', guests: [vmid(101), vmid(102)], strict: true },
    { kind: 'pin', guests: [vmid(102)], nodes: [nodeName('pve1'), nodeName('pve3')], strict: true },
  ] as const
  const lab = smallLab({
    snapshot: { ...snapshot, cluster: { ...snapshot.cluster, guests, rules, qdeviceVotes: 1, qdeviceUp: true } },
  })
  startMigration(lab.state, {
    guest: vmid(101),
    from: nodeName('pve3'),
    to: nodeName('pve1'),
    mode: 'live',
    withLocalDisks: false,
    by: 'us',
  })
  return { lab, served: await serveProxmox({ lab, onChange: () => {} }) }
}

test.runIf(isThere)(
  'what the lab answers has the fields and types that Proxmox VE describes, or that it was recorded to send',
  async () => {
    const { lab, served } = await servedLab()
    const [first] = served.endpoints
    if (first === undefined) throw new Error('no endpoint')
    const way = tlsTransport({ ...first, tokenSecret: secret(first.tokenSecret) })
    const at: Readonly<Record<string, string>> = {
      vmid: '103',
      upid: Object.keys(lab.state.tasks)[0] ?? '',
      flag: 'noout',
      poolid: 'acorn',
    }
    const params: Readonly<Record<string, Record<string, string>>> = {
      '/nodes/{node}/ceph/cmd-safety': { service: 'osd', id: '0', action: 'stop' },
    }
    const fields = recordedFields()
    const faults: string[] = []
    let answered = 0
    for (const { method, path } of ROUTES) {
      if (method !== 'GET') continue
      // The task runs on pve3, the container lies on pve2, guest 103 on pve1.
      const node = path.includes('{upid}') ? 'pve3' : path.includes('/lxc') ? 'pve2' : 'pve1'
      const placed = path.replace('{node}', node).replace('/lxc/{vmid}', '/lxc/190')
      const where = placed.replaceAll(/\{(\w+)\}/g, (_, name: string) => at[name] ?? name)
      const answer = await way.send({ method, path: where, params: params[path] ?? {}, deadlineMs: 2_000 })
      if (answer.is !== 'answer' || answer.status !== 200) {
        // Groups are gone in 9.x.
        if (path !== '/cluster/ha/groups') faults.push(`${path}: ${JSON.stringify(answer)}`)
        continue
      }
      answered++
      const found = describedAs(method, path)
      const known = fields.get(found?.path ?? '')
      const told = faultsIn(JSON.parse(answer.body).data, found?.method.returns ?? {})
      const unexplained = told.filter((fault) => {
        const [, name = '', what = ''] = /\.([\w-]+) is (missing|not described)$/.exec(fault) ?? []
        return what === 'missing' ? known === undefined || known.has(name) : what === '' || known?.has(name) !== true
      })
      const named = [...new Set(unexplained)].map((fault) => `${path}: ${fault}`)
      faults.push(...named.filter((fault) => !UNLIKE.some(([pattern]) => pattern.test(fault))))
    }
    await way.close()
    await served.close()
    expect(faults).toEqual([])
    expect(answered).toBeGreaterThan(40)
  },
)
