import { expect, test } from 'vitest'
import { vmid } from '#domain/ids'
import { applyFault } from '#lab/faults/apply'
import { labPorts } from '#lab/ports/lab-ports'
import { guest, pve1, pve2, pve3, pve4, smallLab, smallSnapshot } from '#lab/testing/small-world'
import type { LabWorld } from './lab-world.ts'

const GIB = 2 ** 30
const LINK_BYTES_PER_SECOND = (10e9 * 0.88) / 8
const move = (id: number, to = pve1) =>
  ({ guest: vmid(id), from: pve3, to, mode: 'live', withLocalDisks: false }) as const

async function untilEnded(lab: LabWorld, handle: string) {
  const { hypervisor } = labPorts(lab)
  for (let s = 0; s < 4000; s++) {
    const progress = await hypervisor.follow(handle)
    if (progress.is === 'ended') return progress
    lab.advanceTo(lab.state.nowMs + 1000)
  }
  throw new Error('never ended')
}

test('a quiet guest moves in one copy of its memory and pauses for what it dirtied meanwhile', async () => {
  const lab = smallLab()
  const { hypervisor } = labPorts(lab)
  const began = lab.state.nowMs
  const ended = await untilEnded(lab, await hypervisor.migrate(move(101)))
  const copyS = (6 * GIB) / LINK_BYTES_PER_SECOND
  const pauseMs = ((4e6 * copyS) / LINK_BYTES_PER_SECOND) * 1000
  expect(ended).toMatchObject({ is: 'ended', outcome: 'ok' })
  if (ended.outcome !== 'ok' || ended.blackout === 'unmeasured') throw new Error('not measured')
  expect(ended.blackout.blackoutMs).toBeGreaterThan(pauseMs)
  expect(ended.blackout.blackoutMs).toBeLessThan(pauseMs + 30)
  expect(lab.state.nowMs - began).toBeGreaterThan(copyS * 1000)
  expect(lab.state.nowMs - began).toBeLessThan(copyS * 1000 + 4500)
  expect(await hypervisor.locate(vmid(101))).toMatchObject({ is: 'at', node: pve1, status: 'running' })
})

test('two streams from one node share its link: both take twice as long', async () => {
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [guest(101, 'pve3'), guest(104, 'pve3')] }) })
  const { hypervisor } = labPorts(lab)
  const began = lab.state.nowMs
  const one = await hypervisor.migrate(move(101))
  await hypervisor.migrate(move(104, pve2))
  await untilEnded(lab, one)
  const aloneS = (6 * GIB) / LINK_BYTES_PER_SECOND
  expect(lab.state.nowMs - began).toBeGreaterThan(1.8 * aloneS * 1000)
})

test('a guest that never converges makes Proxmox double the pause it allows until the working set fits', async () => {
  const lab = smallLab()
  const { hypervisor } = labPorts(lab)
  applyFault(lab.state, { kind: 'migration-never-converges', guest: vmid(101) })
  const handle = await hypervisor.migrate(move(101))
  lab.advanceTo(lab.state.nowMs + 30_000)
  const running = await hypervisor.follow(handle)
  expect(running).toMatchObject({ is: 'running' })
  if (running.is !== 'running') throw new Error('ended')
  expect(running.allowedPauseMs).toBeGreaterThanOrEqual(400)
  const ended = await untilEnded(lab, handle)
  if (ended.outcome !== 'ok' || ended.blackout === 'unmeasured') throw new Error('not measured')
  expect(ended.blackout.blackoutMs).toBeGreaterThan(5_000)
  expect(lab.state.tasks[handle]?.log.some((line) => line.includes('auto-increased downtime'))).toBe(true)
})

test('a cancelled precopy leaves the guest running at its source, lock gone', async () => {
  const lab = smallLab()
  const { hypervisor } = labPorts(lab)
  const handle = await hypervisor.migrate(move(101))
  lab.advanceTo(lab.state.nowMs + 3000)
  await hypervisor.cancelMigration(handle)
  expect(await hypervisor.follow(handle)).toMatchObject({ is: 'ended', outcome: 'cancelled' })
  expect(await hypervisor.locate(vmid(101))).toEqual({ is: 'at', node: pve3, status: 'running' })
})

test('a managed guest: hamigrate is OK when queued, the real task begins 5 to 15 s later as root@pam', async () => {
  const lab = smallLab()
  const { hypervisor } = labPorts(lab)
  const sinceMs = lab.state.nowMs
  const handle = await hypervisor.migrate(move(102))
  lab.advanceTo(sinceMs + 3000)
  const queued = Object.values(lab.state.tasks)
  expect(queued.map(({ type, exitStatus }) => [type, exitStatus])).toEqual([['hamigrate', 'OK']])
  expect(await hypervisor.locate(vmid(102))).toMatchObject({ node: pve3 })
  lab.advanceTo(sinceMs + 15_000)
  const real = Object.values(lab.state.tasks).find(({ type }) => type === 'qmigrate')
  expect(real?.user).toBe('root@pam')
  expect((real?.startedAtMs ?? 0) - sinceMs).toBeGreaterThanOrEqual(5000)
  expect(await hypervisor.findMigration({ guest: vmid(102), from: pve3, sinceMs })).toBe(real?.upid)
  expect(await untilEnded(lab, handle)).toMatchObject({ outcome: 'ok' })
})

test('the cluster lists a moved guest at its old node for 10 to 20 s; locate asks the node', async () => {
  const lab = smallLab()
  const { hypervisor } = labPorts(lab)
  await untilEnded(lab, await hypervisor.migrate(move(101, pve4)))
  const listed = async () => (await hypervisor.observe()).guests.find((one) => one.vmid === 101)?.node
  expect(await hypervisor.locate(vmid(101))).toMatchObject({ node: pve4 })
  expect(await listed()).toBe(pve3)
  lab.advanceTo(lab.state.nowMs + 20_000)
  expect(await listed()).toBe(pve4)
})

test('a migration that fails by fault ends as Proxmox says it, and the next one works', async () => {
  const lab = smallLab()
  const { hypervisor } = labPorts(lab)
  applyFault(lab.state, { kind: 'migration-fails', guest: vmid(101), times: 1 })
  expect(await untilEnded(lab, await hypervisor.migrate(move(101)))).toMatchObject({
    outcome: 'failed',
    text: 'migration problems',
  })
  expect(await untilEnded(lab, await hypervisor.migrate(move(101)))).toMatchObject({ outcome: 'ok' })
})
