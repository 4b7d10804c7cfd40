/** Faults of hands, mail, signals, clocks and rooms, and how each comes to its end. */
import { expect, test } from 'vitest'
import { nodeName, vmid, workOrderId } from '#domain/ids'
import type { WorkOrder } from '#domain/maintenance'
import { TECHNICIAN_MAIL } from '#lab/ports/inventory'
import { labPorts } from '#lab/ports/lab-ports'
import { pve1, pve2, pve3, smallLab } from '#lab/testing/small-world'
import { noteInterlock } from '#lab/world/journal'
import type { LabWorld } from '#lab/world/lab-world'
import { issueWorkOrder, takeAnswers } from '#lab/world/technician'
import { takeFault } from './apply.ts'
import { FAULT_FIELDS } from './kinds.ts'
import { MENDABLE } from './mend.ts'

const MINUTE_MS = 60_000
const taken = (lab: LabWorld, fault: object) => expect(takeFault(lab.state, fault)).toEqual({ is: 'taken' })
const pass = (lab: LabWorld, ms: number) => lab.advanceTo(lab.state.nowMs + ms)

function orderFor(lab: LabWorld): WorkOrder {
  const node = lab.state.nodes.pve3
  if (!node) throw new Error('no pve3')
  const { site, room, rack, unit, serial } = node
  return {
    id: workOrderId('o1'),
    node: pve3,
    place: { site, room, rack, unit, serial },
    part: 'FAN3',
    why: 'it rattles',
    checklist: [],
    powerNote: '',
    answerBeforeMs: lab.state.nowMs + 240 * MINUTE_MS,
    round: 1,
  }
}

/** The order is out, and the node is said to be safe. */
function sent(lab: LabWorld): LabWorld {
  noteInterlock(lab.state, { is: 'safe', sinceMs: lab.state.nowMs, text: 'off' })
  issueWorkOrder(lab.state, orderFor(lab))
  return lab
}

test('a technician may answer twice, and late', () => {
  const twice = sent(smallLab())
  taken(twice, { kind: 'technician', does: 'answers-twice' })
  pass(twice, 46 * MINUTE_MS)
  expect(takeAnswers(twice.state).map(({ outcome }) => outcome)).toEqual(['repaired', 'repaired'])

  const late = sent(smallLab())
  taken(late, { kind: 'technician', does: 'answers-late', answersAfterMin: 300 })
  pass(late, 340 * MINUTE_MS)
  expect(takeAnswers(late.state)).toEqual([])
  pass(late, 10 * MINUTE_MS)
  expect(takeAnswers(late.state)).toHaveLength(1)
})

test('somebody comes after all when the technician who never answers is replaced', () => {
  const lab = smallLab()
  taken(lab, { kind: 'technician', does: 'never-answers' })
  sent(lab)
  pass(lab, 600 * MINUTE_MS)
  expect(takeAnswers(lab.state)).toEqual([])
  taken(lab, { kind: 'mended', what: 'technician' })
  pass(lab, 60 * MINUTE_MS)
  expect(takeAnswers(lab.state)).toHaveLength(1)
})

test('mail to one address bounces for good, and others’ mail arrives', async () => {
  const lab = smallLab()
  const { notifier } = labPorts(lab)
  taken(lab, { kind: 'mail-bounces', address: TECHNICIAN_MAIL, forS: 600 })
  const notice = { key: 'k', subject: 's', text: 't' }
  await expect(notifier.send({ ...notice, to: TECHNICIAN_MAIL })).rejects.toMatchObject({ retry: 'never' })
  await notifier.send({ ...notice, to: 'other@hoster.example' })
  pass(lab, 601_000)
  await notifier.send({ ...notice, to: TECHNICIAN_MAIL })
  expect(lab.state.mails.map(({ to }) => to)).toEqual(['other@hoster.example', TECHNICIAN_MAIL])
})

const recordIds = async (lab: LabWorld, cursor: string) => {
  const read = await labPorts(lab).bmc.signals(pve3, cursor)
  const ids = read.signals.flatMap((one) => (one.is === 'part' && one.recordId !== undefined ? [one.recordId] : []))
  return { ids, cursor: read.cursor }
}

test('a log tells its last records twice, or late, until that is mended', async () => {
  const lab = smallLab()
  const { cursor } = await recordIds(lab, '')
  taken(lab, { kind: 'signals-late', node: 'pve3', s: 600 })
  taken(lab, { kind: 'fan-stop', node: 'pve3' })
  pass(lab, 599_000)
  expect((await recordIds(lab, cursor)).ids).toEqual([])
  pass(lab, 1_000)
  const late = await recordIds(lab, cursor)
  expect(late.ids).toEqual([1, 2, 3])
  taken(lab, { kind: 'signals-twice', node: 'pve3', records: 2 })
  expect((await recordIds(lab, late.cursor)).ids).toEqual([2, 3])
  taken(lab, { kind: 'mended', what: 'signals' })
  expect((await recordIds(lab, late.cursor)).ids).toEqual([])
})

test('two clocks that differ make the look blind, whichever is wrong', async () => {
  const lab = smallLab()
  const blind = async () => (await labPorts(lab).hypervisor.observe()).blind
  taken(lab, { kind: 'clock-jump', node: 'pve2', s: 3_600 })
  expect(await blind()).toEqual([
    'the clock of pve2 is 3600 s ahead of ours: tasks there cannot be found by their times',
  ])
  taken(lab, { kind: 'mended', what: 'clock-jump', node: 'pve2' })
  expect(await blind()).toEqual([])
  taken(lab, { kind: 'clock-jump', s: 3_600 })
  expect((await blind())[0]).toBe('the clock of pve1 is 3600 s behind ours: tasks there cannot be found by their times')
  taken(lab, { kind: 'mended', what: 'clock-jump' })
  expect(await blind()).toEqual([])
})

test('a target is filled, and its outsider goes again', async () => {
  const lab = smallLab()
  const { hypervisor } = labPorts(lab)
  taken(lab, { kind: 'target-filled', node: 'pve1' })
  expect(await hypervisor.runningOn(pve1)).toContain(vmid(900))
  taken(lab, { kind: 'mended', what: 'target-filled' })
  expect(await hypervisor.runningOn(pve1)).not.toContain(vmid(900))
  expect(await hypervisor.locate(vmid(900))).toEqual({ is: 'missing' })
})

/** Everything that others did: by its end the world is as healthy as it began. */
const TROUBLE = [
  { kind: 'node-dead', node: 'pve2' },
  { kind: 'osd-down', osd: 0 },
  { kind: 'osd-nearfull' },
  { kind: 'ceph-flag', flag: 'norecover' },
  { kind: 'noout-set-by-other', node: 'pve2' },
  { kind: 'maintenance-mode-by-other', node: 'pve1' },
  { kind: 'quorum-lost', forS: 1e6 },
  { kind: 'fan-stop', node: 'pve3' },
  { kind: 'psu-lost', node: 'pve3' },
  { kind: 'bmc-silent', node: 'pve3' },
  { kind: 'guest-locked', guest: 101 },
  { kind: 'api-error', rate: 1 },
  { kind: 'clock-jump', s: -7200 },
  { kind: 'database-away', s: 1e6 },
  { kind: 'node-hangs', node: 'pve3', atS: 7200 },
]

test('when everything is mended nothing is left of it, and what was still to come does not come', async () => {
  const lab = smallLab()
  for (const fault of TROUBLE) taken(lab, fault)
  pass(lab, 30 * MINUTE_MS)
  taken(lab, { kind: 'mended', what: 'everything' })
  pass(lab, 180 * MINUTE_MS)
  const { hypervisor, storage, bmc } = labPorts(lab)
  const cluster = await hypervisor.observe()
  expect(cluster).toMatchObject({ quorate: true, blind: [], corosyncLinksDown: [] })
  expect(cluster.nodes.filter(({ online, maintenance }) => !online || maintenance)).toEqual([])
  expect(cluster.guests.filter(({ lock }) => lock !== undefined)).toEqual([])
  const ceph = await storage.observe()
  if (ceph === 'none') throw new Error('no Ceph')
  expect(ceph.osds.filter(({ up }) => !up)).toEqual([])
  expect([ceph.flags, ceph.hostFlags[nodeName('pve2')] ?? [], ceph.fullness]).toEqual([[], [], 'ok'])
  expect((await bmc.fans(pve3)).filter(({ state }) => state !== 'ok')).toEqual([])
  expect(await hypervisor.runningOn(pve2)).toBeDefined()
})

test('a node that we switched off stays off when everything else is mended', async () => {
  const lab = smallLab()
  await labPorts(lab).hypervisor.shutDown(pve3)
  pass(lab, 5 * MINUTE_MS)
  taken(lab, { kind: 'mended', what: 'everything' })
  pass(lab, 30 * MINUTE_MS)
  expect(await labPorts(lab).bmc.power(pve3)).toEqual({ is: 'off' })
})

/** Those that happen once, or describe how things are and stay. */
const ENDS_WITH_ITSELF = [
  ...['bmc-reset', 'sel-cleared', 'lease-deleted', 'noout-cleared-by-other', 'ha-moves', 'guest-appears'],
  ...['power-restore', 'locate-goes-out', 'bmc-dark-when-unplugged', 'powers-on-by-itself', 'guest-stops-slowly'],
  ...[
    'failback-off',
    'starts-with-node',
    'crm-master',
    'mgr-active',
    'pending-kernel',
    'mended',
    'task-vanishes',
    'guest-deleted',
    'dimm-missing-after-repair',
    'after-repair',
  ],
]
const MENDED_AS: Record<string, string> = {
  'fan-flap': 'fans',
  'fan-bus-flap': 'fans',
  'fan-stop': 'fans',
  'signals-twice': 'signals',
  'signals-late': 'signals',
  'watchdog-armed': 'lrm-state',
  'corosync-token-loss': 'corosync-link-down',
  'pgs-degraded': 'pgs',
  'pgs-inconsistent': 'pgs',
  'noout-set-by-other': 'ceph-flag',
  'api-error': 'api',
  'api-slow': 'api',
  'answer-lost': 'api',
}

test('every fault ends: by itself, or because somebody mends it', () => {
  const known: readonly string[] = MENDABLE
  const endless = Object.keys(FAULT_FIELDS).filter(
    (kind) => !ENDS_WITH_ITSELF.includes(kind) && !known.includes(MENDED_AS[kind] ?? kind),
  )
  expect(endless).toEqual([])
})
