import { expect, test } from 'vitest'
import { vmid, workOrderId } from '#domain/ids'
import { applyFault } from '#lab/faults/apply'
import type { Fault } from '#lab/faults/kinds'
import { labPorts } from '#lab/ports/lab-ports'
import { Night, waitFor } from '#lab/testing/night'
import { pve1, pve2, pve3, smallLab, smallSnapshot } from '#lab/testing/small-world'
import type { LabWorld } from './lab-world.ts'
import { answerWorkOrder, refuseAnswer, takeAnswers } from './technician.ts'

const MINUTE_MS = 60_000
const after = (lab: LabWorld, ms: number) => lab.advanceTo(lab.state.nowMs + ms)

async function inRepair(...faults: readonly Fault[]) {
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [] }) })
  for (const fault of faults) applyFault(lab.state, fault)
  const night = new Night(lab, pve3)
  await night.isolate()
  return { lab, night }
}

test('cords pulled: the BMC goes dark while he works, and answers again a minute after', async () => {
  const { lab, night } = await inRepair()
  let dark = 0
  const repaired = night.repair()
  await repaired
  for (const { answer } of lab.state.workOrders[0]?.answers ?? []) expect(answer.outcome).toBe('repaired')
  const power = async () => (await night.ports.bmc.power(pve3)).is
  while ((await power()) === 'unknown' && dark < 120) {
    dark++
    after(lab, 1000)
  }
  expect(dark).toBeGreaterThan(30)
  expect(await power()).toBe('off')
})

test('a DIMM is missing after the repair, and back after the next round', async () => {
  const { lab, night } = await inRepair({ kind: 'dimm-missing-after-repair' })
  await night.repair()
  await night.comeBack()
  const dimms = (await night.ports.hypervisor.hardware(pve3)).dimms
  expect(dimms).toHaveLength(7)
  expect(lab.state.nodes.pve3?.baseline.dimms).toHaveLength(8)
})

test('he reads the wrong serial first; refused, he answers with the right one', async () => {
  const { lab, night } = await inRepair({ kind: 'technician', does: 'wrong-serial-first' })
  const place = await night.ports.inventory.place(pve3)
  const order = night.repair()
  await order
  expect(lab.state.workOrders[0]?.answers[0]?.answer.serial).not.toBe(place.serial)
  refuseAnswer(lab.state, 'wo-pve3')
  after(lab, 5 * MINUTE_MS)
  expect(takeAnswers(lab.state).map(({ serial }) => serial)).toEqual([place.serial])
})

test('he pulls the wrong server: a neighbour loses its power for some minutes', async () => {
  const { lab, night } = await inRepair({ kind: 'technician', does: 'pulls-wrong-server' })
  await night.repair()
  const died = Object.values(lab.state.nodes).filter(({ bootedAtMs }) => bootedAtMs > lab.state.startedAtMs)
  expect(died).toHaveLength(1)
  expect(died[0]?.name).not.toBe('pve3')
})

test('he never comes, and a person answers in his place', async () => {
  const { lab, night } = await inRepair({ kind: 'technician', does: 'never-answers' })
  const place = await night.ports.inventory.place(pve3)
  await expect(night.repair()).rejects.toThrow('waited for ever')
  const answer = { order: workOrderId('wo-pve3'), by: 'olga', serial: place.serial, found: '', did: [], photos: [] }
  answerWorkOrder(lab.state, { ...answer, outcome: 'repaired' })
  expect(takeAnswers(lab.state)).toHaveLength(1)
  expect(takeAnswers(lab.state)).toHaveLength(0)
})

test('the prober sees a pause to within its interval, and says unmeasured where it was down', async () => {
  const lab = smallLab()
  const { hypervisor, probe } = labPorts(lab)
  const fromMs = lab.state.nowMs
  const handle = await hypervisor.migrate({
    guest: vmid(101),
    from: pve3,
    to: pve1,
    mode: 'live',
    withLocalDisks: false,
  })
  await waitFor(lab, 'moved', async () => (await hypervisor.follow(handle)).is === 'ended')
  const one = lab.state.guests[101]?.interruptions[0]
  const lasted = (one?.toMs ?? 0) - (one?.fromMs ?? 0)
  const query = { guests: [vmid(101), vmid(103)], fromMs, toMs: lab.state.nowMs }
  const [moved, stayed] = await probe.read(query)
  if (moved?.is !== 'measured' || stayed?.is !== 'measured') throw new Error('not measured')
  expect(Math.abs(moved.longestGapMs - lasted)).toBeLessThanOrEqual(moved.intervalMs)
  expect(stayed.lostCount).toBe(0)
  applyFault(lab.state, { kind: 'prober-down', forS: 10 })
  after(lab, MINUTE_MS)
  expect(await probe.read({ guests: [vmid(101)], fromMs, toMs: lab.state.nowMs })).toMatchObject([{ is: 'unmeasured' }])
})

test('swapped BMC addresses: each node’s BMC says it is the other', async () => {
  const lab = smallLab()
  const { bmc, inventory } = labPorts(lab)
  applyFault(lab.state, { kind: 'bmc-swapped', nodes: [pve3, pve2] })
  expect((await bmc.identity(pve3)).serial).toBe((await inventory.dmi(pve2)).serial)
  expect((await bmc.identity(pve2)).systemUuid).toBe((await inventory.dmi(pve3)).systemUuid)
})

test('a silent BMC is a signal and an unknown power state, never a guess', async () => {
  const lab = smallLab()
  const { bmc } = labPorts(lab)
  applyFault(lab.state, { kind: 'bmc-silent', node: pve3, forS: 60 })
  expect(await bmc.power(pve3)).toMatchObject({ is: 'unknown' })
  expect((await bmc.signals(pve3, '')).signals).toMatchObject([{ is: 'bmc', event: 'unreachable' }])
  await expect(bmc.identity(pve3)).rejects.toMatchObject({ retry: 'later' })
  after(lab, MINUTE_MS)
  expect(await bmc.power(pve3)).toEqual({ is: 'on' })
})

test('a fan that still stands after the repair shows in the readings and, three records, in the log', async () => {
  const { lab, night } = await inRepair({ kind: 'after-repair', effect: 'fan-out-of-band' })
  const { bmc } = night.ports
  const { cursor } = await bmc.signals(pve3, '')
  await night.repair()
  await night.comeBack()
  expect((await bmc.fans(pve3))[0]).toEqual({ part: 'FAN1', state: 'low', rpm: 0 })
  const { signals } = await bmc.signals(pve3, cursor)
  const asserts = signals.filter((one) => one.is === 'part' && one.source === 'sel' && one.edge === 'assert')
  expect(asserts).toHaveLength(3)
  expect(lab.state.brokenPromises).toEqual([])
})
