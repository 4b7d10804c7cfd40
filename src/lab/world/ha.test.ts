import { expect, test } from 'vitest'
import type { Rule } from '#domain/guest'
import { vmid } from '#domain/ids'
import { applyFault } from '#lab/faults/apply'
import { labPorts } from '#lab/ports/lab-ports'
import { guest, pve1, pve2, pve3, smallLab, smallSnapshot } from '#lab/testing/small-world'
import type { LabWorld } from './lab-world.ts'

const MINUTE_MS = 60_000
const after = (lab: LabWorld, ms: number) => lab.advanceTo(lab.state.nowMs + ms)
const whereIs = (lab: LabWorld, id: number) => lab.state.guests[id]?.runsOn.join('+')
const managed = { ha: { managed: true, state: 'started' } } as const

function labWith(rules: readonly Rule[]) {
  const guests = [101, 102, 104, 105].map((id) => guest(id, 'pve3', id === 101 ? {} : managed))
  const snapshot = smallSnapshot({ guests })
  return smallLab({ snapshot: { ...snapshot, cluster: { ...snapshot.cluster, rules } } })
}

test('maintenance mode moves managed guests only, by itself, and brings them back when it ends', async () => {
  const lab = labWith([])
  const { hypervisor } = labPorts(lab)
  await hypervisor.setMaintenanceMode(pve3, true)
  expect(await hypervisor.maintenanceMode(pve3)).toBe('off')
  after(lab, 2 * MINUTE_MS)
  expect(await hypervisor.maintenanceMode(pve3)).toBe('on')
  expect(whereIs(lab, 101)).toBe('pve3')
  for (const id of [102, 104, 105]) expect(whereIs(lab, id)).not.toBe('pve3')
  expect((await hypervisor.observe()).nodes.find(({ name }) => name === pve3)?.lrm.state).toBe('maintenance')
  await hypervisor.setMaintenanceMode(pve3, false)
  after(lab, 2 * MINUTE_MS)
  for (const id of [102, 104, 105]) expect(whereIs(lab, id)).toBe('pve3')
})

test('its gaps are silent: pairs never come back, pinned guests stay, guests moved before it are not returned', async () => {
  const lab = labWith([
    { kind: 'keep-together', guests: [vmid(104), vmid(105)], strict: true },
    { kind: 'pin', guests: [vmid(102)], nodes: [pve3], strict: true },
  ])
  const { hypervisor } = labPorts(lab)
  await hypervisor.setMaintenanceMode(pve3, true)
  after(lab, 3 * MINUTE_MS)
  expect(whereIs(lab, 102)).toBe('pve3')
  expect(whereIs(lab, 104)).not.toBe('pve3')
  expect(whereIs(lab, 104)).toBe(whereIs(lab, 105))
  await hypervisor.setMaintenanceMode(pve3, false)
  after(lab, 3 * MINUTE_MS)
  expect(whereIs(lab, 104)).not.toBe('pve3')
})

test('the LRM runs at most four moves of a node at once', async () => {
  const guests = Array.from({ length: 7 }, (_, at) => guest(201 + at, 'pve3', managed))
  const lab = smallLab({ snapshot: smallSnapshot({ guests }) })
  for (const { vmid: id } of guests) {
    await labPorts(lab).hypervisor.migrate({ guest: id, from: pve3, to: pve1, mode: 'live', withLocalDisks: false })
  }
  let most = 0
  for (let s = 0; s < 120; s++) {
    after(lab, 1000)
    const running = Object.values(lab.state.migrations).filter(({ phase }) => phase !== 'ha-queued')
    most = Math.max(most, running.length)
  }
  expect(most).toBe(4)
  expect(guests.map(({ vmid: id }) => whereIs(lab, id))).toEqual(guests.map(() => 'pve1'))
})

test('a dead node is seen offline after about 75 s, its managed guests run elsewhere after about 3 min, its others never', async () => {
  const lab = labWith([])
  const { hypervisor } = labPorts(lab)
  applyFault(lab.state, { kind: 'node-dead', node: pve3 })
  after(lab, MINUTE_MS)
  expect(await hypervisor.nodeOnline(pve3)).toBe(true)
  await expect(hypervisor.runningOn(pve3)).rejects.toThrow('595')
  expect((await hypervisor.observe()).blind).toHaveLength(1)
  after(lab, MINUTE_MS)
  expect(await hypervisor.nodeOnline(pve3)).toBe(false)
  expect((await hypervisor.observe()).guests.find((one) => one.vmid === 101)).toMatchObject({
    node: pve3,
    status: 'running',
  })
  expect(await hypervisor.locate(vmid(101))).toMatchObject({ is: 'unknown' })
  after(lab, 2 * MINUTE_MS)
  for (const id of [102, 104, 105]) expect(lab.state.guests[id]?.runsOn).toHaveLength(1)
  expect(whereIs(lab, 101)).toBe('')
  expect(lab.state.startedTwice).toEqual([])
})

test('a node that hangs is fenced by its watchdog before its guests start elsewhere: nothing runs twice', () => {
  const lab = labWith([])
  applyFault(lab.state, { kind: 'node-hangs', node: pve3, when: 'now' })
  for (let s = 0; s < 600; s += 5) after(lab, 5000)
  expect(lab.state.startedTwice).toEqual([])
  expect(lab.state.brokenPromises).toEqual([])
  for (const id of [102, 104, 105]) expect(lab.state.guests[id]?.runsOn).toHaveLength(1)
})

test('a move whose target dies leaves the guest at its source; one whose source dies is unknown', async () => {
  const lab = smallLab()
  const { hypervisor } = labPorts(lab)
  const move = { guest: vmid(101), from: pve3, to: pve2, mode: 'live', withLocalDisks: false } as const
  const one = await hypervisor.migrate(move)
  after(lab, 3000)
  applyFault(lab.state, { kind: 'node-dead', node: pve2 })
  expect(await hypervisor.follow(one)).toMatchObject({ outcome: 'failed' })
  expect(whereIs(lab, 101)).toBe('pve3')
  const other = await hypervisor.migrate({ ...move, to: pve1 })
  after(lab, 3000)
  applyFault(lab.state, { kind: 'node-dead', node: pve3 })
  await expect(hypervisor.follow(other)).rejects.toThrow('595')
  after(lab, 2 * MINUTE_MS)
  expect(await hypervisor.follow(other)).toMatchObject({ outcome: 'unknown' })
})

test('without quorum writes are refused and looks go on', async () => {
  const lab = smallLab()
  const { hypervisor } = labPorts(lab)
  applyFault(lab.state, { kind: 'quorum-lost', forS: 60 })
  expect((await hypervisor.observe()).quorate).toBe(false)
  const move = { guest: vmid(101), from: pve3, to: pve2, mode: 'live', withLocalDisks: false } as const
  await expect(hypervisor.migrate(move)).rejects.toThrow('no quorum')
  after(lab, MINUTE_MS)
  await hypervisor.migrate(move)
})

test('a wish for a guest that is deleted before HA begins is forgotten', async () => {
  const lab = labWith([])
  const { hypervisor } = labPorts(lab)
  await hypervisor.migrate({ guest: vmid(104), from: pve3, to: pve1, mode: 'live', withLocalDisks: false })
  const query = { guest: vmid(104), from: pve3, sinceMs: lab.state.nowMs }
  const handle = (await hypervisor.findMigration(query)) ?? ''
  applyFault(lab.state, { kind: 'guest-deleted', guest: vmid(104) })
  after(lab, 2 * MINUTE_MS)
  expect(await hypervisor.follow(handle)).toMatchObject({ is: 'ended', outcome: 'unknown' })
})
