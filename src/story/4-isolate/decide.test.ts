/** Every condition before the power goes, one at a time: each alone is enough to keep the node on. */
import { expect, test } from 'vitest'
import type { CephObservation } from '#domain/ceph'
import { nodeName, vmid } from '#domain/ids'
import { pve1, pve3, START_AT_MS, smallSnapshot } from '#lab/testing/small-world'
import { type IsolateFacts, isolateBlockers, powerOffBlockers, withoutOwnAbsence } from './decide.ts'

const OWNER = 'coulisse/pve3-1'
const { cluster, ceph: cephOrNone } = smallSnapshot({ guests: [] })
if (cephOrNone === 'none') throw new Error('the small world has Ceph')
const ceph: CephObservation = { ...cephOrNone, hostFlags: { pve3: ['noout'] } }
const uuid = '4c4c4544-0034'

const ready: IsolateFacts = {
  node: pve3,
  nowMs: START_AT_MS,
  cluster,
  ceph,
  identity: {
    is: 'answered',
    bmc: { systemUuid: uuid, serial: 'CZ3' },
    dmi: { systemUuid: uuid, serial: 'CZ3' },
  },
  okToStop: { ok: true, text: 'they may' },
  lease: {
    owner: OWNER,
    host: pve3,
    reason: 'FAN3',
    setAtMs: START_AT_MS - 1,
    expiresAtMs: START_AT_MS + 3_600_000,
    flagsBefore: [],
  },
  owner: OWNER,
  monitorsLeftAtLeast: 2,
  leftOnNode: [],
  elsewhere: [],
}

const kinds = (changes: Partial<IsolateFacts>) => powerOffBlockers({ ...ready, ...changes }).map(({ kind }) => kind)
const withNode = (name: string, changes: object) => ({
  ...cluster,
  nodes: cluster.nodes.map((node) => (node.name === name ? { ...node, ...changes } : node)),
})
const withOsd = (host: string, changes: object) => ({
  ...ceph,
  osds: ceph.osds.map((osd) => (osd.host === host ? { ...osd, ...changes } : osd)),
})

test('a node that is empty, proven, held and not needed may go', () => {
  expect(kinds({})).toEqual([])
  expect(kinds({ ceph: 'none', okToStop: 'not-asked', lease: undefined })).toEqual([])
})

test('its BMC is another’s, names nothing, or says nothing: the power stays', () => {
  const dmi = { systemUuid: uuid, serial: 'CZ3' }
  const other = { is: 'answered', bmc: { systemUuid: 'another', serial: 'unknown' }, dmi } as const
  const nameless = { is: 'answered', bmc: { systemUuid: 'unknown', serial: 'unknown' }, dmi } as const
  expect(kinds({ identity: other })).toEqual(['bmc-identity-unproven'])
  expect(kinds({ identity: nameless })).toEqual(['bmc-identity-unproven'])
  expect(kinds({ identity: { is: 'silent', text: 'no answer' } })).toEqual(['bmc-unreachable'])
})

test('somebody still runs there', () => {
  const guest = { kind: 'node-not-empty', node: pve3, guest: vmid(101), text: 't', lifts: 'l' } as const
  expect(kinds({ leftOnNode: [guest] })).toEqual(['node-not-empty'])
})

test('another node is away or in maintenance mode: two would be', () => {
  expect(kinds({ cluster: withNode('pve1', { online: false }) })).toContain('another-node-away')
  expect(kinds({ cluster: withNode('pve1', { maintenance: true }) })).toEqual(['another-node-away'])
})

test('exactly half of the votes is no quorum, and a QDevice counts only while it is up', () => {
  const two = { ...cluster, nodes: cluster.nodes.filter(({ name }) => name === pve1 || name === pve3), votes: {} }
  expect(kinds({ cluster: two })).toContain('quorum-after-loss')
  expect(kinds({ cluster: { ...two, qdeviceVotes: 1, qdeviceUp: false } })).toContain('quorum-after-loss')
  expect(kinds({ cluster: { ...two, qdeviceVotes: 1, qdeviceUp: true } })).not.toContain('quorum-after-loss')
})

test('the LRM is active with guests of HA, or its watchdog is armed', () => {
  const armed = withNode('pve3', { lrm: { state: 'active', watchdog: 'active' } })
  expect(kinds({ cluster: armed })).toEqual(['watchdog-armed'])
  expect(kinds({ cluster: withNode('pve3', { lrm: { state: 'lost', watchdog: 'standby' } }) })).toEqual([
    'lrm-not-idle',
  ])
})

test('Ceph says no, has two copies, is full or slow, or lacks OSDs elsewhere', () => {
  expect(kinds({ okToStop: { ok: false, text: 'no' } })).toEqual(['osds-not-ok-to-stop'])
  const pools = ceph.pools.map((pool) => ({ ...pool, size: 2, minSize: 1 }))
  expect(kinds({ ceph: { ...ceph, pools } })).toContain('pool-below-two-copies')
  expect(kinds({ ceph: { ...ceph, fullness: 'nearfull' } })).toEqual(['ceph-nearfull'])
  expect(kinds({ ceph: { ...ceph, slowOpsCount: 1 } })).toEqual(['ceph-slow-ops'])
  expect(kinds({ ceph: withOsd('pve1', { up: false }) })).toEqual(['osd-down-elsewhere'])
  expect(kinds({ ceph: { ...ceph, flags: ['norecover'] } })).toEqual(['ceph-flags-by-others'])
  expect(kinds({ elsewhere: [{ host: nodeName('other'), lease: null }] })).toEqual(['noout-by-others'])
})

test('right before the command the lease is ours, within its time, and its flag stands', () => {
  const { lease } = ready
  if (lease === undefined) throw new Error('there is one')
  expect(kinds({ lease: undefined })).toContain('lease-not-held')
  expect(kinds({ lease: { ...lease, owner: 'coulisse/other' } })).toContain('lease-not-held')
  expect(kinds({ ceph: { ...ceph, hostFlags: {} } })).toEqual(['lease-not-held'])
  expect(kinds({ nowMs: lease.expiresAtMs + 1 })).toEqual(['lease-expired'])
  // Before it is taken nobody asks for it; a flag without it is somebody else's.
  const before = { ...ready, lease: undefined, ceph: { ...ceph, hostFlags: {} } }
  expect(isolateBlockers(before)).toEqual([])
  expect(isolateBlockers({ ...ready, lease: undefined }).map(({ kind }) => kind)).toEqual(['noout-by-others'])
})

test('PGs that only its own absence leaves unclean do not keep it on; what is away elsewhere does', () => {
  const unclean = { ...withOsd('pve3', { up: false }), placementGroups: { ...ceph.placementGroups, clean: 0 } }
  const own = { ...ready, ceph: unclean, okToStop: 'not-asked' as const }
  expect(withoutOwnAbsence(own, powerOffBlockers(own))).toEqual([])
  const osds = unclean.osds.map((osd) => (osd.host === pve1 ? { ...osd, up: false } : osd))
  const elsewhere = { ...own, ceph: { ...unclean, osds } }
  expect(withoutOwnAbsence(elsewhere, powerOffBlockers(elsewhere)).map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['placement-groups-not-clean', 'osd-down-elsewhere']),
  )
})
