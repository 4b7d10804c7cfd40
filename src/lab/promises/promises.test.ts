import { expect, test } from 'vitest'
import type { Rule } from '#domain/guest'
import { customerId, maintenanceId, type NodeName, vmid } from '#domain/ids'
import { applyFault } from '#lab/faults/apply'
import { labPorts } from '#lab/ports/lab-ports'
import { Night } from '#lab/testing/night'
import { guest, node, pve1, pve2, pve3, pve4, smallLab, smallSnapshot } from '#lab/testing/small-world'
import { powerOffHard, pressPower, publishPage } from '#lab/world/commands'
import { runGuest } from '#lab/world/guests'
import { noteIntent, noteInterlock, noteJournal } from '#lab/world/journal'
import type { LabWorld } from '#lab/world/lab-world'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const broken = (lab: LabWorld) => lab.state.brokenPromises.map(({ promise }) => promise)
const move = (id: number, to: NodeName, from = pve3) =>
  ({ guest: vmid(id), from, to, mode: 'live', withLocalDisks: false }) as const
const after = (lab: LabWorld, ms: number) => lab.advanceTo(lab.state.nowMs + ms)

test('1: a node that is switched off while guests run on it', async () => {
  const lab = smallLab()
  await labPorts(lab).hypervisor.shutDown(pve3)
  expect(broken(lab)).toContain(1)
})

test('1: a node that is switched off while its OSDs are needed', async () => {
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [guest(103, 'pve1')] }) })
  applyFault(lab.state, { kind: 'osd-down', osd: 0 })
  await labPorts(lab).hypervisor.shutDown(pve3)
  expect(lab.state.brokenPromises.map(({ text }) => text).join()).toContain('would become inactive')
})

test('1: a hard-off through a BMC address that another node answers', () => {
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [] }) })
  applyFault(lab.state, { kind: 'bmc-swapped', nodes: [pve3, pve4] })
  powerOffHard(lab.state, pve3, 'us')
  expect(lab.state.brokenPromises[0]?.text).toContain('reached pve4 through the BMC address of pve3')
})

test('2: a second failure domain is taken down while one is away', async () => {
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [] }) })
  applyFault(lab.state, { kind: 'node-dead', node: pve1 })
  after(lab, 2 * MINUTE_MS)
  await labPorts(lab).hypervisor.shutDown(pve3)
  expect(broken(lab)).toContain(2)
})

test('2: two nodes of one chassis are one failure domain', async () => {
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [] }) })
  applyFault(lab.state, { kind: 'chassis', nodes: [pve3, pve4], chassis: 'c1' })
  await labPorts(lab).hypervisor.shutDown(pve3)
  after(lab, 2 * MINUTE_MS)
  await labPorts(lab).hypervisor.shutDown(pve4)
  expect(broken(lab)).not.toContain(2)
})

test('3: a guest that runs on two nodes is seen, and counted as started twice', () => {
  const lab = smallLab()
  const one = lab.state.guests[101]
  if (!one) throw new Error('no guest')
  runGuest(lab.state, one, pve1)
  applyFault(lab.state, { kind: 'pgs-inconsistent', count: 1 })
  expect(broken(lab)).toEqual([3])
  expect(lab.state.startedTwice).toEqual([101])
})

test('3: a container that is restarted without anybody having said so; with an approved plan it may be', async () => {
  const snapshot = smallSnapshot({ guests: [guest(104, 'pve3', { kind: 'ct' }), guest(105, 'pve3', { kind: 'ct' })] })
  const lab = smallLab({ snapshot })
  lab.state.cluster.allowRestart = [105]
  await labPorts(lab).hypervisor.migrate({ ...move(104, pve1), mode: 'restart' })
  await labPorts(lab).hypervisor.migrate({ ...move(105, pve1), mode: 'restart' })
  after(lab, MINUTE_MS)
  expect(lab.state.brokenPromises.map(({ text }) => text)).toEqual([
    'guest 104 was stopped (restart) and nobody had said so',
  ])
})

const rules: readonly (readonly [string, Rule, NodeName])[] = [
  ['apart', { kind: 'keep-apart', guests: [vmid(101), vmid(103)], strict: true }, pve1],
  ['pinned', { kind: 'pin', guests: [vmid(101)], nodes: [pve3, pve4], strict: true }, pve2],
]
test.each(rules)('4: a move that breaks a rule (%s), even while it runs', async (_name, rule, to) => {
  const snapshot = smallSnapshot()
  const lab = smallLab({ snapshot: { ...snapshot, cluster: { ...snapshot.cluster, rules: [rule] } } })
  await labPorts(lab).hypervisor.migrate(move(101, to))
  expect(broken(lab)).toEqual([4])
})

test('4: a move that overfills its target, and one that leaves a partner behind', async () => {
  const nodes = [node('pve1', { memoryBytes: 20 * 2 ** 30 }), node('pve2'), node('pve3'), node('pve4')]
  const snapshot = smallSnapshot({ nodes, guests: [101, 104, 105].map((id) => guest(id, 'pve3')) })
  const rule: Rule = { kind: 'keep-together', guests: [vmid(104), vmid(105)], strict: true }
  const lab = smallLab({ snapshot: { ...snapshot, cluster: { ...snapshot.cluster, rules: [rule] } } })
  await labPorts(lab).hypervisor.migrate(move(101, pve1))
  expect(broken(lab)).toEqual([])
  await labPorts(lab).hypervisor.migrate(move(104, pve2))
  after(lab, 11 * MINUTE_MS)
  expect(lab.state.brokenPromises.map(({ text }) => text)).toEqual(['guest 104 is apart from guest 105'])
  await labPorts(lab).hypervisor.migrate(move(105, pve1))
  expect(lab.state.brokenPromises.map(({ text }) => text).join()).toContain('memory over the limit')
})

test('5: noout cleared from under OSDs that are down, cluster-wide unasked, or somebody else’s', async () => {
  const cleared = smallLab({ snapshot: smallSnapshot({ guests: [] }) })
  const night = new Night(cleared, pve3)
  await night.isolate()
  await night.ports.storage.clearNoout(pve3)
  expect(broken(cleared)).toContain(5)

  const wide = smallLab()
  await labPorts(wide, { nooutScope: 'cluster' }).storage.setNoout(pve3)
  expect(broken(wide)).toEqual([5])

  const foreign = smallLab()
  applyFault(foreign.state, { kind: 'noout-set-by-other', node: pve3 })
  await labPorts(foreign).storage.setNoout(pve3)
  await labPorts(foreign).storage.clearNoout(pve3)
  expect(foreign.state.brokenPromises[0]?.text).toContain('somebody else')
})

test('5: a lease that runs out unnoticed', async () => {
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [] }) })
  await new Night(lab, pve3).isolate()
  after(lab, 5 * HOUR_MS)
  expect(lab.state.brokenPromises.map(({ text }) => text)).toEqual([
    'noout on pve3 outlived its lease and nobody was told',
  ])
})

test('6: a pause over its budget that nobody was told of; told, it is kept', async () => {
  const snapshot = smallSnapshot({ guests: [101, 104].map((id) => guest(id, 'pve3', { pauseBudgetMs: 1 })) })
  const lab = smallLab({ snapshot })
  for (const id of [101, 104]) await labPorts(lab).hypervisor.migrate(move(id, pve1))
  after(lab, MINUTE_MS)
  noteJournal(lab.state, { kind: 'pause-over-budget', guest: vmid(104), blackoutMs: 30, budgetMs: 1 })
  after(lab, 20 * MINUTE_MS)
  expect(lab.state.brokenPromises.map(({ promise, text }) => [promise, text.slice(0, 20)])).toEqual([
    [6, 'guest 101 was paused'],
  ])
})

test('7: "safe" said of a node with power, and "safe" not withdrawn when it starts by itself', async () => {
  const said = smallLab()
  noteInterlock(said.state, { is: 'safe', sinceMs: 0, text: '' })
  expect(broken(said)).toEqual([7])

  const lab = smallLab({ snapshot: smallSnapshot({ guests: [] }) })
  await new Night(lab, pve3).isolate()
  applyFault(lab.state, { kind: 'powers-on-by-itself', node: pve3, afterS: 60 })
  after(lab, 90_000)
  expect(broken(lab)).toEqual([])
  after(lab, 90_000)
  expect(broken(lab)).toEqual([7])
})

const page = (html: string) => ({ maintenance: maintenanceId('m1'), customer: customerId('acorn'), html })

test('8: a customer’s page with a number that nobody measured, a zero, or a claim', async () => {
  for (const html of ['<p>paused for 17 ms</p>', '<p>0 ms</p>', '<p>There was no impact.</p>']) {
    const lab = smallLab()
    await labPorts(lab).publisher.publish(page(html))
    expect(broken(lab)).toEqual([8])
  }
})

test('8: what was measured may be said', async () => {
  const lab = smallLab()
  await labPorts(lab).hypervisor.migrate(move(101, pve1))
  after(lab, MINUTE_MS)
  const log = Object.values(lab.state.tasks).flatMap((task) => task.log)
  const pause = /downtime (\d+) ms/.exec(log.join('\n'))?.[1]
  const html = `<p>Guest web-101 of acorn was paused for ${pause} ms; the probe, every 50 ms, saw 150 ms.</p>`
  await labPorts(lab).publisher.publish(page(html))
  expect(pause).toBeDefined()
  expect(broken(lab)).toEqual([])
})

test('8: what a real prober told of his guest may be said to him, and to nobody else', async () => {
  const lab = smallLab()
  const guests = Object.values(lab.state.guests)
  for (const one of guests) if (one.customer === 'acorn') one.probedMs = [347, 10]
  const { publisher } = labPorts(lab)
  await publisher.publish(page('<p>no answer for 347 ms, asked every 10 ms</p>'))
  expect(broken(lab)).toEqual([])
  await publisher.publish({ ...page('<p>no answer for 347 ms</p>'), customer: customerId('birch') })
  expect(broken(lab)).toEqual([8])
})

test('9: a page or a mail that names another customer’s guest', async () => {
  const lab = smallLab()
  await labPorts(lab).publisher.publish(page('<p>web-103 was moved too</p>'))
  expect(broken(lab)).toEqual([9])
  const mailed = smallLab()
  const notice = { key: 'k', to: 'it@acorn.example', subject: 'Your report', text: 'like Birch' }
  await labPorts(mailed).notifier.send(notice)
  expect(broken(mailed)).toEqual([9])
})

test('10: a command that the journal did not show before', async () => {
  const lab = smallLab()
  noteIntent(lab.state, { kind: 'migrate', guest: vmid(101), from: pve3, to: pve1, mode: 'live', purpose: 'drain' })
  await labPorts(lab).hypervisor.migrate(move(101, pve1))
  expect(broken(lab)).toEqual([])
  await labPorts(lab).hypervisor.migrate(move(102, pve1))
  expect(broken(lab)).toEqual([10])
})

test('1: a hard-off by a BMC that cannot say whose it is', () => {
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [] }) })
  applyFault(lab.state, { kind: 'bmc-anonymous', node: pve3 })
  powerOffHard(lab.state, pve3, 'us')
  expect(lab.state.brokenPromises.map(({ text }) => text).join()).toContain('cannot say whose it is')
})

test('1: a shutdown by the button of a BMC that is another’s', () => {
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [] }) })
  applyFault(lab.state, { kind: 'bmc-swapped', nodes: [pve3, pve4] })
  pressPower(lab.state, pve3, 'us')
  expect(broken(lab)).toContain(1)
})

test('2: a host of another cluster is away in the same Ceph', async () => {
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [] }) })
  applyFault(lab.state, { kind: 'lease-by-other', host: 'ceph9', owner: 'coulisse/pve9-other' })
  after(lab, MINUTE_MS)
  await labPorts(lab).hypervisor.shutDown(pve3)
  expect(lab.state.brokenPromises.map(({ text }) => text).join()).toContain('away in the same Ceph')
})

test('5: noout that stands without a lease', async () => {
  const lab = smallLab()
  await labPorts(lab).storage.setNoout(pve3)
  after(lab, 6 * MINUTE_MS)
  expect(lab.state.brokenPromises.map(({ text }) => text)).toEqual(['noout on pve3 stands without a lease'])
})

test('5: a lease whose end was said before it came is not unnoticed', async () => {
  for (const isSaid of [false, true]) {
    const lab = smallLab()
    const night = new Night(lab, pve3)
    await night.isolate()
    const expiresAtMs = lab.state.nowMs + HOUR_MS
    const { storage } = labPorts(lab)
    const lease = { owner: 'coulisse/x', host: pve3, reason: 'r', setAtMs: 0, expiresAtMs, flagsBefore: [] }
    noteIntent(lab.state, { kind: 'put-lease', node: pve3, expiresAtMs })
    await storage.writeLease(lease)
    const end = new Date(expiresAtMs).toISOString().slice(0, 19).replace('T', ' ')
    const text = `its lease ends at ${end} UTC: nobody renews it from now on`
    if (isSaid) noteJournal(lab.state, { kind: 'maintenance-ended', ending: 'stuck', text })
    after(lab, 2 * HOUR_MS)
    expect(broken(lab).includes(5)).toBe(!isSaid)
  }
})

test('7: power comes on while the technician is told "safe"', async () => {
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [] }) })
  await labPorts(lab).hypervisor.shutDown(pve3)
  after(lab, 10 * MINUTE_MS)
  noteInterlock(lab.state, { is: 'safe', sinceMs: lab.state.nowMs, text: 'off' })
  await labPorts(lab).bmc.powerOn(pve3)
  expect(lab.state.brokenPromises.map(({ text }) => text)).toEqual([
    'pve3 was switched on while the technician was told "safe"',
  ])
})

test('9: another customer in what only a screen reader says', () => {
  const one = { ...guest(101, 'pve3'), customer: customerId('acorn') }
  const other = { ...guest(102, 'pve3'), customer: customerId('birch') }
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [one, other] }) })
  const html = '<p>Your guests.</p><img alt="the rack of birch">'
  publishPage(lab.state, { maintenance: 'm', customer: customerId('acorn'), html })
  expect(broken(lab)).toContain(9)
})

test('10: a move to another target than the journal said', async () => {
  const lab = smallLab()
  const act = { kind: 'migrate', guest: vmid(101), from: pve3, to: pve1, mode: 'live', purpose: 'drain' } as const
  noteIntent(lab.state, act)
  await labPorts(lab).hypervisor.migrate(move(101, pve2))
  expect(broken(lab)).toEqual([10])
})
