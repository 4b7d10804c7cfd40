import { expect, test } from 'vitest'
import type { NodeName, Vmid } from '#domain/ids'
import { applyFault } from '#lab/faults/apply'
import { Night } from '#lab/testing/night'
import { pve1, pve2, pve3, smallLab } from '#lab/testing/small-world'

const HOUR_MS = 3_600_000

async function wholeNight(seed = 1) {
  const lab = smallLab({ seed })
  applyFault(lab.state, { kind: 'fan-flap', node: pve3, part: 'FAN3', dropoutsPerDay: 4, dropoutS: 30, historyH: 31 })
  const night = new Night(lab, pve3)
  const moved = await night.drain((guest: Vmid): NodeName => (guest === 101 ? pve1 : pve2))
  await night.isolate()
  await night.repair()
  await night.comeBack()
  for (const guest of moved) {
    const at = await night.ports.hypervisor.locate(guest)
    if (at.is === 'at') await night.move(guest, at.node, pve3, 'home')
  }
  lab.advanceTo(lab.state.startedAtMs + 4 * HOUR_MS)
  return lab
}

test('a whole night by the book breaks no promise, brings all guests home and moves no data', async () => {
  const { state } = await wholeNight()
  expect(state.brokenPromises).toEqual([])
  expect(Object.values(state.guests).map(({ spec, node }) => node === spec.node)).toEqual([true, true, true])
  expect(state.nodes.pve3).toMatchObject({ state: 'running', online: true })
  expect(state.nodes.pve3?.fans.every(({ rpm }) => rpm > 0)).toBe(true)
  expect(state.ceph).toMatchObject({ objectsMovedByUs: 0, hostFlags: {}, configKeys: {} })
})

test('equal seed, equal history; another seed, another one', async () => {
  const once = JSON.stringify((await wholeNight(7)).state)
  expect(JSON.stringify((await wholeNight(7)).state)).toBe(once)
  expect(JSON.stringify((await wholeNight(8)).state)).not.toBe(once)
})

test('four hours of the world with their promises looked after cost less than 50 ms', async () => {
  await wholeNight()
  const began = performance.now()
  await wholeNight()
  const tookMs = performance.now() - began
  console.log(`a night of four hours took ${tookMs.toFixed(1)} ms`)
  expect(tookMs).toBeLessThan(50)
})
