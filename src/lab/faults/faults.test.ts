import fc from 'fast-check'
import { expect, test } from 'vitest'
import { vmid } from '#domain/ids'
import { labPorts } from '#lab/ports/lab-ports'
import { Night } from '#lab/testing/night'
import { pve1, pve2, pve3, smallLab } from '#lab/testing/small-world'
import { LabWorld } from '#lab/world/lab-world'
import type { World } from '#lab/world/state'
import { takeFault } from './apply.ts'
import { FAULT_FIELDS, isFaultKind, parseFault } from './kinds.ts'

const CONTRACT = [
  ...['fan-flap', 'fan-bus-flap', 'fan-stop', 'psu-lost', 'bmc-reset', 'bmc-silent', 'bmc-swapped'],
  ...['bmc-dark-when-unplugged', 'powers-on-by-itself', 'dimm-missing-after-repair', 'node-dead', 'node-hangs'],
  ...['osd-down', 'osd-nearfull', 'quorum-lost', 'corosync-token-loss', 'api-error', 'api-slow', 'answer-lost'],
  ...['migration-fails', 'migration-never-converges', 'task-vanishes', 'guest-locked', 'guest-appears', 'ha-moves'],
  ...['noout-cleared-by-other', 'noout-set-by-other', 'clock-jump', 'database-away'],
]

/** One example of each kind that this small world can suffer. */
const EXAMPLES: Record<string, unknown> = {
  'bmc-swapped': { nodes: ['pve3', 'pve2'] },
  chassis: { nodes: ['pve3', 'pve2'] },
  role: { role: 'dns', guest: 103 },
  'ceph-flag': { flag: 'norecover' },
  'after-repair': { effect: 'dimm-missing' },
  'clock-jump': { node: 'pve3', s: 42 },
  'mail-bounces': { address: 'hands@hoster.example' },
  'osd-down': { osd: 0 },
  'power-restore': { policy: 'always-on' },
  'qdevice-down': { votes: 1 },
  technician: { does: 'cannot' },
  'lease-by-other': { host: 'pve4' },
  mended: { what: 'maintenance-mode-unavailable' },
  'lrm-state': { state: 'active' },
}
const exampleOf = (kind: string) => ({ kind, node: 'pve3', guest: 101, ...(EXAMPLES[kind] as object | undefined) })
const KINDS = Object.keys(FAULT_FIELDS)
const NOTHING_TO_CHANGE_HERE = ['bmc-dark-when-unplugged', 'noout-cleared-by-other', 'lease-deleted', 'mended']

test('every fault of the contract is known', () => {
  expect(CONTRACT.filter((kind) => !isFaultKind(kind))).toEqual([])
})

test('every fault can be taken, and changes the world', () => {
  for (const kind of KINDS) {
    const lab = smallLab()
    const before = JSON.stringify({ ...lab.state, faults: 0, changeCount: 0 })
    expect([kind, takeFault(lab.state, exampleOf(kind))]).toEqual([kind, { is: 'taken' }])
    lab.advanceTo(lab.state.nowMs + 60_000)
    const after = JSON.stringify({ ...lab.state, faults: 0, changeCount: 0, nowMs: lab.state.startedAtMs })
    if (!NOTHING_TO_CHANGE_HERE.includes(kind)) expect([kind, after]).not.toEqual([kind, before])
  }
})

test('a bad fault says what is wrong and changes nothing', () => {
  const lab = smallLab()
  const before = JSON.stringify(lab.state)
  for (const bad of [
    null,
    {},
    { kind: 'fan-flip' },
    { kind: 'fan-stop' },
    { kind: 'fan-stop', node: 'pve9' },
    { kind: 'migration-fails', guest: 999 },
    { kind: 'osd-down', osd: 99 },
    { kind: 'api-error', rate: 7 },
    { kind: 'node-dead', node: 'pve3', atS: -1 },
  ]) {
    const answer = takeFault(lab.state, bad)
    expect(answer.is === 'bad' && answer.problems.every((line) => line.startsWith('$'))).toBe(true)
  }
  expect(JSON.stringify(lab.state)).toBe(before)
  expect(parseFault({ kind: 'guest-locked', guest: 1 }).is).toBe('fault')
})

test('a fault for later waits', async () => {
  const lab = smallLab()
  takeFault(lab.state, { kind: 'fan-stop', node: 'pve3', part: 'FAN2', atS: 600 })
  const fan = async () => (await labPorts(lab).bmc.fans(pve3)).find(({ part }) => part === 'FAN2')?.state
  lab.advanceTo(lab.state.nowMs + 599_000)
  expect(await fan()).toBe('ok')
  lab.advanceTo(lab.state.nowMs + 1_000)
  expect(await fan()).toBe('low')
})

test('one fan edge writes three records, and three more when it comes back', async () => {
  const lab = smallLab()
  const { bmc } = labPorts(lab)
  const { cursor } = await bmc.signals(pve3, '')
  takeFault(lab.state, { kind: 'fan-flap', node: 'pve3', dropoutsPerDay: 24, dropoutS: 30, historyH: 0 })
  lab.advanceTo(lab.state.nowMs + 12 * 3_600_000)
  const { signals } = await bmc.signals(pve3, cursor)
  const edges = signals.flatMap((one) => (one.is === 'part' && one.source === 'sel' ? [one] : []))
  expect(edges.length).toBeGreaterThan(6)
  expect(edges.slice(0, 6).map(({ edge, state }) => [edge, state])).toEqual([
    ['assert', 'warning'],
    ['assert', 'critical'],
    ['assert', 'non-recoverable'],
    ['deassert', 'ok'],
    ['deassert', 'ok'],
    ['deassert', 'ok'],
  ])
  expect(edges.map(({ recordId }) => recordId)).toEqual(edges.map((_, at) => at + 1))
})

test('the way between: errors, lost answers whose effect happens, a dead node’s 595, a vanished task', async () => {
  const lab = smallLab()
  const { hypervisor } = labPorts(lab)
  const move = { guest: vmid(101), from: pve3, to: pve1, mode: 'live', withLocalDisks: false } as const
  takeFault(lab.state, { kind: 'api-error', rate: 1, status: 500, path: '/migrate', times: 1 })
  await expect(hypervisor.migrate(move)).rejects.toMatchObject({ name: 'DriverError', retry: 'later' })
  expect(Object.keys(lab.state.migrations)).toEqual([])

  takeFault(lab.state, { kind: 'answer-lost', path: '/migrate', times: 1 })
  await expect(hypervisor.migrate(move)).rejects.toMatchObject({ name: 'DriverError', retry: 'later' })
  expect(await hypervisor.findMigration({ guest: vmid(101), from: pve3, sinceMs: lab.state.nowMs })).toBeDefined()

  takeFault(lab.state, { kind: 'task-vanishes', guest: 101 })
  expect(await hypervisor.findMigration({ guest: vmid(101), from: pve3, sinceMs: lab.state.nowMs })).toBeUndefined()

  takeFault(lab.state, { kind: 'node-dead', node: 'pve2' })
  await expect(hypervisor.runningOn(pve2)).rejects.toThrow('595')
})

test('PG figures lag some seconds behind the OSDs', async () => {
  const lab = smallLab()
  const { storage } = labPorts(lab)
  const look = async () => {
    const ceph = await storage.observe()
    if (ceph === 'none') throw new Error('no Ceph')
    return { up: ceph.osds.filter(({ up }) => up).length, clean: ceph.placementGroups.clean }
  }
  await storage.stopOsds(pve3, [4, 5])
  expect(await look()).toEqual({ up: 6, clean: 128 })
  lab.advanceTo(lab.state.nowMs + 8_000)
  expect((await look()).clean).toBeLessThan(128)
})

test('without noout data moves 600 s after the OSDs went down; with it nothing does', async () => {
  for (const held of [false, true]) {
    const lab = smallLab()
    const { storage } = labPorts(lab)
    if (held) await storage.setNoout(pve3)
    lab.state.nodes.pve3 = { ...lab.state.nodes.pve3, downBy: 'us' } as NonNullable<World['nodes'][string]>
    await storage.stopOsds(pve3, [4, 5])
    lab.advanceTo(lab.state.nowMs + 700_000)
    expect(lab.state.ceph !== 'none' && lab.state.ceph.objectsMovedByUs > 0).toBe(!held)
  }
})

/** Faults anywhere in a night; what fails, fails the same way in both. */
const someFaults = fc.array(fc.record({ kind: fc.constantFrom(...KINDS), atS: fc.integer({ min: 0, max: 7200 }) }), {
  maxLength: 6,
})

async function drainAs(lab: LabWorld): Promise<void> {
  const night = new Night(lab, pve3)
  try {
    await night.drain(() => pve1)
    await night.isolate()
    await night.repair()
  } catch {
    // A night may fail under its faults: the history is what is compared.
  }
}

test('a world that is written and taken up again at any event goes on as if it had not been', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(1000), someFaults, fc.integer({ min: 1, max: 200 }), async (seed, faults, everyEvents) => {
      const whole = smallLab({ seed })
      const torn = new TornLab(smallLab({ seed }).state, everyEvents)
      for (const { kind, atS } of faults) {
        for (const lab of [whole, torn]) takeFault(lab.state, { ...exampleOf(kind), atS })
      }
      await drainAs(whole)
      await drainAs(torn)
      expect(JSON.stringify(torn.state)).toBe(JSON.stringify(whole.state))
    }),
    { numRuns: 25, seed: 1 },
  )
})

test('whatever happens, a guest runs at most once, where its configuration lies, and no lock of a move stays behind', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(100_000), someFaults, async (seed, faults) => {
      const lab = smallLab({ seed })
      for (const { kind, atS } of faults) takeFault(lab.state, { ...exampleOf(kind), node: `pve${1 + (atS % 4)}`, atS })
      await drainAs(lab)
      lab.advanceTo(lab.state.nowMs + 3_600_000)
      const { guests, migrations, startedTwice, nodes } = lab.state
      expect(startedTwice).toEqual([])
      for (const { spec, node, runsOn, lock } of Object.values(guests)) {
        expect(runsOn.length === 0 || (runsOn.length === 1 && runsOn[0] === node)).toBe(true)
        for (const on of runsOn) expect(['running', 'hung']).toContain(nodes[on]?.state)
        const moves = Object.values(migrations).some((move) => move.guest === spec.vmid)
        if (lock === 'migrate') expect(moves).toBe(true)
      }
    }),
    { numRuns: 60, seed: 2 },
  )
})

/** Writes its world and reads it back after every so many steps, in place, so that the ports keep their hold on it. */
class TornLab extends LabWorld {
  readonly #everySteps: number
  #steps = 0

  constructor(state: World, everySteps: number) {
    super(state)
    this.#everySteps = everySteps
  }

  override advanceTo(atMs: number): void {
    super.advanceTo(atMs)
    if (++this.#steps % this.#everySteps !== 0) return
    const copy = JSON.parse(JSON.stringify(this.state)) as World
    for (const key of Object.keys(this.state)) delete (this.state as Record<string, unknown>)[key]
    Object.assign(this.state, copy)
  }
}
