/** A guest with a real process behind it: the world's move lasts as long as that one's, and ends as it ends. */
import { expect, test } from 'vitest'
import { vmid } from '#domain/ids'
import { labPorts } from '#lab/ports/lab-ports'
import { pve1, pve3, smallLab } from '#lab/testing/small-world'
import { schedule } from './events.ts'
import type { LabWorld } from './lab-world.ts'
import type { RealCopy } from './state.ts'

const HOUR_MS = 3_600_000
const move = { guest: vmid(101), from: pve3, to: pve1, mode: 'live', withLocalDisks: false } as const

async function realMove(lab: LabWorld) {
  const guest = lab.state.guests['101']
  if (guest === undefined) throw new Error('guest 101 is gone')
  guest.real = true
  const { hypervisor } = labPorts(lab)
  const handle = await hypervisor.migrate(move)
  lab.advanceTo(lab.state.nowMs + HOUR_MS)
  return { hypervisor, handle, guest }
}

function conclude(lab: LabWorld, handle: string, real: RealCopy): void {
  const migration = lab.state.migrations[handle]
  if (migration === undefined) throw new Error('the migration is gone')
  migration.real = real
  schedule(lab.state, lab.state.nowMs, { kind: 'migration', id: handle })
  lab.advanceTo(lab.state.nowMs + 2_000)
}

test('the world waits for the process, in real time, and then tells its figures as Proxmox does', async () => {
  const lab = smallLab()
  const { hypervisor, handle, guest } = await realMove(lab)
  expect(await hypervisor.follow(handle)).toMatchObject({ is: 'running' })
  expect(lab.inRealTime).toBe(true)
  conclude(lab, handle, { is: 'moved', blackoutMs: 7, transferredBytes: 70 * 2 ** 20, tookMs: 2000 })
  expect(await hypervisor.follow(handle)).toMatchObject({
    is: 'ended',
    outcome: 'ok',
    blackout: { blackoutMs: 7 },
    bytesPerSecond: 35 * 2 ** 20,
  })
  expect(lab.inRealTime).toBe(false)
  expect(guest).toMatchObject({ node: pve1, runsOn: [pve1], interruptions: [{ why: 'blackout' }] })
  expect(lab.state.brokenPromises).toEqual([])
})

test('a pause that QEMU did not tell is unmeasured', async () => {
  const lab = smallLab()
  const { hypervisor, handle } = await realMove(lab)
  conclude(lab, handle, { is: 'moved', blackoutMs: 'unknown', transferredBytes: 'unknown', tookMs: 2000 })
  expect(await hypervisor.follow(handle)).toMatchObject({ outcome: 'ok', blackout: 'unmeasured' })
})

test('a process that did not move leaves its guest where it is, and the task says why', async () => {
  const lab = smallLab()
  const { hypervisor, handle, guest } = await realMove(lab)
  conclude(lab, handle, { is: 'failed', text: 'its target died' })
  expect(await hypervisor.follow(handle)).toMatchObject({ outcome: 'failed' })
  expect(guest).toMatchObject({ node: pve3, runsOn: [pve3], interruptions: [] })
  expect(guest.lock).toBeUndefined()
  expect(lab.state.tasks[handle]?.log.join('\n')).toContain('its target died')
})

test('before the switch a move can be called off, after it no more', async () => {
  const calledOff = smallLab()
  const early = await realMove(calledOff)
  await early.hypervisor.cancelMigration(early.handle)
  expect(calledOff.state.migrations).toEqual({})

  const switched = smallLab()
  const late = await realMove(switched)
  const migration = switched.state.migrations[late.handle]
  if (migration !== undefined) migration.real = { is: 'switched' }
  await late.hypervisor.cancelMigration(late.handle)
  expect(await late.hypervisor.follow(late.handle)).toMatchObject({ is: 'running' })
})
