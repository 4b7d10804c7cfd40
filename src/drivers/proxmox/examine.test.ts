import { afterEach, expect, test } from 'vitest'
import { NOW_MS, TOKEN } from '#contracts/proxmox-bench'
import { cluster } from '#contracts/proxmox-tape'
import {
  composed,
  dataOf,
  type Recorded,
  type Replay,
  recording,
  replayProxmox,
  type Tape,
} from '#contracts/replay-proxmox'
import type { Check } from '#domain/check'
import { secret } from '#domain/secret'
import { examineProxmox } from './examine.ts'
import { grantFor, holds, needsOf, type Permissions } from './rights.ts'

let open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.map((one) => one.close()))
  open = []
})

type Asked = {
  readonly nodes?: readonly string[]
  readonly tokenId?: string
  readonly cephByApi?: boolean
  readonly nowMs?: number
  readonly fingerprint256?: string
}

/** Each answers for itself: `local` says which node it is. */
async function served(tape: Tape, node: string): Promise<Replay> {
  const members = dataOf<{ type: string; name: string }[]>('cluster-status')
  const own = composed(members.map((member) => ({ ...member, local: member.name === node ? 1 : 0 })))
  const all = { ...cluster, 'GET /cluster/status': own, 'GET /access/permissions': composed(LEAST), ...tape }
  const replay = await replayProxmox([node], all)
  open.push(replay)
  return replay
}

async function examine(tape: Tape, asked: Asked = {}): Promise<readonly Check[]> {
  const replays = await Promise.all((asked.nodes ?? ['pve1', 'pve2']).map((node) => served(tape, node)))
  return examineProxmox({
    entryPoints: replays
      .flatMap(({ entries }) => entries)
      .map((entry) => ({
        ...entry,
        tokenId: asked.tokenId ?? 'api@pve!full',
        tokenSecret: secret(TOKEN),
        ...(asked.fingerprint256 === undefined ? {} : { fingerprint256: asked.fingerprint256 }),
      })),
    clock: { nowMs: async () => asked.nowMs ?? NOW_MS, sleepUntil: async () => {} },
    cephByApi: asked.cephByApi ?? false,
  })
}

const RIGHTS = ['Sys.Audit', 'VM.Audit', 'Datastore.Audit', 'Pool.Audit', 'Mapping.Audit', 'SDN.Audit', 'VM.Migrate']
const rightsOf = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, 1]))
const everywhere = (rights: Readonly<Record<string, number>>): Permissions =>
  Object.fromEntries(['/', '/access', '/nodes', '/pool', '/sdn', '/storage', '/vms'].map((path) => [path, rights]))
const LEAST = everywhere(rightsOf(...RIGHTS, 'Sys.PowerMgmt'))

const bad = (checks: readonly Check[]) => checks.filter(({ outcome }) => outcome !== 'fine')
const textsOf = (checks: readonly Check[]) => checks.map(({ subject, text }) => `${subject}: ${text}`)

test('the recorded cluster: what was right and what was not', async () => {
  const checks = await examine({})
  expect(bad(checks).map(({ subject, outcome }) => [subject, outcome])).toEqual([['migration network', 'dangerous']])
  expect(textsOf(checks).join('\n')).toContain('Proxmox VE 9.2.11')
  expect(textsOf(checks).join('\n')).toContain('2 nodes let us in: pve1, pve2')
})

test('a right that is missing is named, with its stage and the command that grants it', async () => {
  const without = everywhere(rightsOf(...RIGHTS.filter((right) => right !== 'VM.Migrate'), 'Sys.PowerMgmt'))
  const checks = await examine({ 'GET /access/permissions': composed(without) })
  const [lack] = checks.filter(({ subject, outcome }) => subject.startsWith('the token') && outcome === 'missing')
  expect(lack).toMatchObject({
    text: 'it lacks VM.Migrate on /vms: no guest can be moved',
    stages: ['drain', 'reintegrate'],
    mend: `pveum role add CoulisseDrain --privs "VM.Migrate" || pveum role modify CoulisseDrain --privs "VM.Migrate"; pveum acl modify / --users 'api@pve' --tokens 'api@pve!full' --roles CoulisseDrain`,
  })
})

test('rights on a path replace inherited ones: that is seen, and granted there', () => {
  const [, , audit] = needsOf(false)
  if (audit?.right !== 'VM.Audit') throw new Error('another order of needs')
  const replaced: Permissions = { ...LEAST, '/vms': rightsOf('VM.Migrate') }
  expect(holds(replaced, audit)).toBe(false)
  expect(grantFor(replaced, audit, 'a@pve!b')).toContain('pveum acl modify /vms ')
  expect(holds({ '/': { 'VM.Audit': 0 } }, audit)).toBe(false)
  expect(holds({ '/': { 'Sys.Audit': 0 } }, { path: '/', right: 'Sys.Audit' })).toBe(true)
  expect(holds({ '/': { 'Mapping.Audit': 1 } }, { path: '/mapping', right: 'Mapping.Audit' })).toBe(true)
})

test('too many rights are dangerous, and root’s token most of all; rights to look are not', async () => {
  const all = recording('get-access-permissions')
  const checks = await examine({ 'GET /access/permissions': all }, { tokenId: 'root@pam!all' })
  const [much] = checks.filter(({ subject, outcome }) => subject.startsWith('the token') && outcome === 'dangerous')
  expect(much?.text).toContain('it is root’s own, and it may more than it needs: Datastore.Allocate,')
  expect(much?.text).not.toContain('.Audit')
  const auditor = everywhere({ ...rightsOf(...RIGHTS, 'Sys.PowerMgmt'), 'VM.GuestAgent.Audit': 1 })
  expect(bad(await examine({ 'GET /access/permissions': composed(auditor) }))).toHaveLength(1)
})

test('Sys.Modify is needed where Ceph is reached through Proxmox, and too much elsewhere', async () => {
  const withModify = composed(everywhere(rightsOf(...RIGHTS, 'Sys.PowerMgmt', 'Sys.Modify')))
  const about = (checks: readonly Check[]) => checks.filter(({ subject }) => subject.startsWith('the token'))
  expect(about(await examine({ 'GET /access/permissions': withModify }))[0]?.outcome).toBe('dangerous')
  const byApi = await examine({ 'GET /access/permissions': withModify }, { cephByApi: true })
  expect(about(byApi)[0]?.outcome).toBe('fine')
  expect(about(await examine({}, { cephByApi: true }))[0]).toMatchObject({
    outcome: 'missing',
    stages: ['isolate', 'reintegrate'],
  })
})

const taken = (id: number): Recorded => ({
  status: 400,
  reason: 'Parameter verification failed.',
  body: { errors: { vmid: `VM ${id} already exists` }, message: 'Parameter verification failed.\n', data: null },
})

test('hidden guests are counted, each proven to exist', async () => {
  const checks = await examine({
    'GET /cluster/resources': recording('resources-none'),
    'GET /cluster/nextid': composed('102'),
    'GET /cluster/nextid?vmid=100': taken(100),
    'GET /cluster/nextid?vmid=101': taken(101),
    'GET /cluster/nextid?vmid=102': taken(102),
    // Recorded: 110 was gone already, and still had figures.
    'GET /cluster/nextid?vmid=103': composed('103'),
    'GET /cluster/nextid?vmid=110': composed('110'),
  })
  const [hidden] = checks.filter(({ subject }) => subject.startsWith('guests seen'))
  expect(hidden).toMatchObject({ outcome: 'dangerous' })
  expect(hidden?.text).toContain('3 guests exist that it does not see, for lack of VM.Audit: 100, 101, 102')
})

test('an entry point that is dead, lies, speaks HTML or does not know the token is told as that', async () => {
  const wrong = (await examine({}, { fingerprint256: Array.from({ length: 32 }, () => '00').join(':') }))[0]
  expect(wrong).toMatchObject({ outcome: 'dangerous' })
  expect(wrong?.text).toContain('pinned is 00:00')
  const html = await examine({ 'GET /version': { status: 200, reason: 'OK', body: '<html>hotel wifi</html>' } })
  expect(html[0]?.text).toContain("not Proxmox's JSON: <html>hotel wifi")
  expect(html.at(-1)).toMatchObject({
    subject: 'entry points',
    outcome: 'missing',
    stages: expect.arrayContaining(['plan']),
  })
  const stranger = await examine({ 'GET /version': recording('err-401-badtoken') })
  expect(stranger[0]?.mend).toContain("pveum user token add 'api@pve' 'full' --privsep 1")
  const dead = await examineProxmox({
    entryPoints: [{ url: 'https://127.0.0.1:9', tokenId: 'a@b!c', tokenSecret: secret('x'), fingerprint256: '00' }],
    clock: { nowMs: async () => NOW_MS, sleepUntil: async () => {} },
    cephByApi: false,
  })
  expect(dead.map(({ outcome }) => outcome)).toEqual(['missing', 'missing'])
})

test('one way in is too few, and two to one node are one', async () => {
  const alone = bad(await examine({}, { nodes: ['pve1'] })).find(({ subject }) => subject === 'entry points')
  expect(alone).toMatchObject({ outcome: 'missing', stages: ['drain', 'isolate'] })
  const twice = bad(await examine({}, { nodes: ['pve1', 'pve1'] })).find(({ subject }) => subject === 'entry points')
  expect(twice?.text).toContain('all of them are on pve1')
})

test.each([
  ['8.3.2', 'missing'],
  ['8.4.1', 'fine'],
  ['9.0.3', 'fine'],
  ['10.0', 'dangerous'],
  ['', 'missing'],
] as const)('release %s is %s', async (version, outcome) => {
  const groups = { 'GET /cluster/ha/groups': composed([]) }
  const [first] = await examine({ ...groups, 'GET /version': composed({ version }) })
  expect(first).toMatchObject({ outcome })
})

test('a clock an hour off is dangerous, one that is right is fine', async () => {
  const real = NOW_MS
  const far = (await examine({}, { nowMs: real + 3_600_000 })).filter(({ area }) => area === 'clock')
  expect(far.map(({ outcome }) => outcome)).toEqual(['dangerous', 'dangerous'])
  expect(far[0]?.text).toMatch(/its clock is 3(599|600|601) s behind ours/)
  const near = (await examine({}, { nowMs: real })).filter(({ area }) => area === 'clock')
  expect(near.map(({ outcome }) => outcome)).toEqual(['fine', 'fine'])
})

test('votes, QDevice, networks and shutdown_policy', async () => {
  const status = dataOf<{ type: string; name: string }[]>('cluster-status')
  const two = composed(status.filter(({ name }) => name !== 'pve3'))
  const checks = await examine({
    'GET /cluster/status': two,
    'GET /cluster/config/qdevice': composed({ Model: 'Net', Algorithm: 'Fifty-Fifty split', State: 'Connect failed' }),
    'GET /cluster/options': composed({ ha: 'shutdown_policy=freeze', migration: 'secure,network=10.99.0.0/24' }),
  })
  const outcomes = Object.fromEntries(checks.map(({ subject, outcome }) => [subject, outcome]))
  expect(outcomes).toMatchObject({
    quorum: 'missing',
    QDevice: 'dangerous',
    'migration network': 'fine',
    shutdown_policy: 'dangerous',
  })
  const names = composed([{ node: 'pve1', ring0_addr: 'pve1.lan' }])
  const unknown = bad(await examine({ 'GET /cluster/config/nodes': names })).map(({ subject, outcome }) => [
    subject,
    outcome,
  ])
  expect(unknown).toEqual([['migration network', 'missing']])
})

test('whatever cannot be read is a check, never a throw', async () => {
  for (const path of [
    '/cluster/status',
    '/cluster/resources',
    '/access/permissions',
    '/cluster/nextid',
    '/cluster/options',
  ]) {
    for (const answer of [recording('err-403-none-status'), { status: 200, reason: 'OK', body: '{"data":' }]) {
      const told = textsOf(bad(await examine({ [`GET ${path}`]: answer })))
      expect(told.join()).toMatch(/403 Permission check failed|not Proxmox's JSON/)
    }
  }
}, 20_000)
