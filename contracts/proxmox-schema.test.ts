import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { nodeName, vmid } from '#domain/ids'
import { ROUTES } from '#lab/wire/proxmox/serve'
import { type Bench, bench } from './proxmox-bench.ts'
import { cluster, MIGRATED, migration } from './proxmox-tape.ts'
import { composed, recording } from './replay-proxmox.ts'

/** Proxmox's own description of its API (apidata.js of pve-docs, as gzipped JSON) is no part of this project. */
const SCHEMA = process.env.COULISSE_PVE_SCHEMA ?? ''
const isThere = existsSync(SCHEMA)
if (!isThere) console.log('left out: the checks against Proxmox VE’s API schema, for COULISSE_PVE_SCHEMA names no file')

type Property = { readonly optional?: number; readonly enum?: readonly string[] }
type Method = { readonly parameters?: { readonly properties?: Readonly<Record<string, Property>> } }
type Entry = {
  readonly path: string
  readonly info?: Readonly<Record<string, Method>>
  readonly children?: readonly Entry[]
}

function entriesOf(entries: readonly Entry[]): readonly Entry[] {
  return entries.flatMap((entry) => [entry, ...entriesOf(entry.children ?? [])])
}
const described = isThere ? entriesOf(JSON.parse(gunzipSync(readFileSync(SCHEMA)).toString('utf8'))) : []

function describedAt(method: string, path: string): { readonly path: string; readonly takes: Method } | undefined {
  for (const entry of described) {
    const pattern = new RegExp(`^${entry.path.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`)
    const takes = entry.info?.[method]
    // A literal part wins over a placeholder: '/nodes/{node}/status' is not '/nodes/{node}/{x}'.
    if (takes !== undefined && pattern.test(path)) return { path: entry.path, takes }
  }
  return undefined
}

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
  await hypervisor.tasksOn(pve1)
  await hypervisor.maintenanceMode(pve1)
  await hypervisor.shutDown(pve1)
  await hypervisor.hardware(pve1)
  await ceph.observe()
  await ceph.okToStop([0])
  await ceph.setNoout(pve1)
  await ceph.failMgr(pve1)
  await ceph.stopOsds(pve1, [0])
  const strangers = replay.asked.flatMap(({ method, path, params }) => {
    const found = describedAt(method, path)
    if (found === undefined) return [`${method} ${path}`]
    const properties = found.takes.parameters?.properties ?? {}
    return Object.entries(params).flatMap(([name, value]) => {
      const property = properties[name]
      if (property === undefined) return [`${method} ${found.path}: ${name}`]
      return property.enum === undefined || property.enum.includes(value)
        ? []
        : [`${method} ${found.path}: ${name}=${value}`]
    })
  })
  expect([...new Set(strangers)]).toEqual([])
  expect(replay.asked.length).toBeGreaterThan(80)
})

test.runIf(isThere)('every path that the lab serves is Proxmox VE’s, with its parameters', () => {
  const strangers = ROUTES.flatMap(({ method, path, takes = [], needs = [] }) => {
    const entry = described.find((one) => one.path.replaceAll(/\{\w+\}/g, '{}') === path.replaceAll(/\{\w+\}/g, '{}'))
    const properties = entry?.info?.[method]?.parameters?.properties
    if (properties === undefined && entry?.info?.[method] === undefined) return [`${method} ${path}`]
    const unknown = takes.filter((name) => properties?.[name] === undefined)
    const must = Object.entries(properties ?? {})
      .filter(([name, property]) => property.optional !== 1 && !path.includes(`{${name}}`))
      .map(([name]) => name)
      .filter((name) => entry?.path.includes(`{${name}}`) !== true)
    const wrongNeeds = [...needs, ...must].filter((name) => !needs.includes(name) || !must.includes(name))
    return [
      ...unknown.map((name) => `${method} ${path}: ${name}`),
      ...wrongNeeds.map((name) => `${method} ${path} needs ${name}`),
    ]
  })
  expect(strangers).toEqual([])
})
