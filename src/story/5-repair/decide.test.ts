/** May I touch it now, and is it this one? Every reason against is one too many. */
import { expect, test } from 'vitest'
import type { CephObservation } from '#domain/ceph'
import { workOrderId } from '#domain/ids'
import { pve1, pve3, START_AT_MS, smallSnapshot } from '#lab/testing/small-world'
import { answerBlockers, type InterlockFacts, interlockOf, isSameInterlock } from './decide.ts'

const { cluster: whole, ceph: cephOrNone } = smallSnapshot({ guests: [] })
if (cephOrNone === 'none') throw new Error('the small world has Ceph')
const ofHost = (host: string, changes: object, ceph: CephObservation): CephObservation => ({
  ...ceph,
  osds: ceph.osds.map((osd) => (osd.host === host ? { ...osd, ...changes } : osd)),
})
const ofNode = (name: string, changes: object) => ({
  ...whole,
  nodes: whole.nodes.map((node) => (node.name === name ? { ...node, ...changes } : node)),
})
const away = ofHost('pve3', { up: false }, cephOrNone)

const safe: InterlockFacts = {
  node: pve3,
  nowMs: START_AT_MS,
  power: 'off',
  lastSeen: 'off',
  cluster: ofNode('pve3', { online: false }),
  ceph: away,
  leaseStands: true,
}

const reasons = (changes: Partial<InterlockFacts>) => {
  const interlock = interlockOf({ ...safe, ...changes })
  return interlock.is === 'safe' ? [] : interlock.reasons
}

test('off by its BMC, or its cords pulled after that: safe', () => {
  expect(reasons({})).toEqual([])
  expect(reasons({ power: 'dark', lastSeen: 'off' })).toEqual([])
  expect(reasons({ ceph: 'none', leaseStands: false })).toEqual([])
})

test('power, or silence after power was seen, is no safety', () => {
  expect(reasons({ power: 'on' })).toEqual([expect.stringMatching(/has power: hands off/)])
  expect(reasons({ power: 'dark', lastSeen: 'on' })).toEqual([expect.stringMatching(/is silent, and it had power/)])
  expect(reasons({ cluster: whole })).toEqual([expect.stringMatching(/pve3 is online/)])
})

test('what does not answer is a reason', () => {
  expect(reasons({ cluster: 'unseen' })).toHaveLength(1)
  expect(reasons({ ceph: 'unseen' })).toHaveLength(1)
})

test('one OSD of its own that runs, one elsewhere that does not, or no noout: not safe', () => {
  const [first] = away.osds.filter(({ host }) => host === pve3)
  const oneUp = { ...away, osds: away.osds.map((osd) => (osd === first ? { ...osd, up: true } : osd)) }
  expect(reasons({ ceph: oneUp })).toEqual([expect.stringMatching(/an OSD of pve3 runs/)])
  expect(reasons({ ceph: ofHost('pve1', { up: false }, away) })).toEqual([expect.stringMatching(/on other hosts down/)])
  expect(reasons({ leaseStands: false })).toEqual([expect.stringMatching(/noout of pve3 is not set/)])
})

test('another node away, or quorum lost: leave it', () => {
  const cluster = ofNode('pve3', { online: false })
  const nodes = cluster.nodes.map((node) => (node.name === pve1 ? { ...node, online: false } : node))
  expect(reasons({ cluster: { ...cluster, nodes } })).toEqual([expect.stringMatching(/pve1 is away too/)])
  expect(reasons({ cluster: { ...cluster, quorate: false } })).toEqual([expect.stringMatching(/lost quorum/)])
})

test('the same answer is not told twice; another reason is', () => {
  const one = interlockOf({ ...safe, power: 'on' })
  expect(isSameInterlock(one, interlockOf({ ...safe, power: 'on', nowMs: START_AT_MS + 9 }))).toBe(true)
  expect(isSameInterlock(one, interlockOf({ ...safe, cluster: 'unseen' }))).toBe(false)
  expect(isSameInterlock(undefined, one)).toBe(false)
})

test('a serial is this node’s to its last letter, however it is written', () => {
  const place = { site: 'mad1', room: '2', rack: 'c', unit: '17', serial: 'CZ3-0417' }
  const read = (serial: string) =>
    answerBlockers(pve3, place, {
      order: workOrderId('m-1'),
      by: 'Tom',
      serial,
      outcome: 'repaired',
      found: '',
      did: [],
      photos: [],
    }).map(({ kind }) => kind)
  expect(read(' cz3-0417 ')).toEqual([])
  for (const other of ['CZ3-0418', 'CZ3-041', 'CZ3-04171', '', 'unknown']) expect(read(other)).toEqual(['wrong-serial'])
})
