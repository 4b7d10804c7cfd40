/** What changes in the second between a look and the act: the look inside the act's own step sees it. */
import { expect, test } from 'vitest'
import { brokenIn } from '#app/chaos/end-state'
import type { NightOptions } from '#app/night/play'
import { promisesAreQuiet } from '#lab/engine/simulate'
import { takeFault } from '#lab/faults/apply'
import { labPorts } from '#lab/ports/lab-ports'
import type { LabWorld } from '#lab/world/lab-world'
import type { Ports } from '#ports/all'
import { leaseOf, playCalm } from './night-kit.ts'

type Before = { readonly step: string; readonly change: (lab: LabWorld) => void }

/** A calm night in which the world changes right before some steps, once each; and in which some ports are others. */
function playWith(all: readonly Before[], ports: (lab: LabWorld) => Partial<Ports> = () => ({})) {
  let world: LabWorld | undefined
  const waiting = new Set(all)
  const outside: NightOptions['outside'] = async (lab) => {
    world = lab
    return { ports: ports(lab), quiet: promisesAreQuiet, close: async () => {} }
  }
  const aroundAct = async <T>({ step }: { readonly step: string }, act: () => Promise<T>): Promise<T> => {
    for (const before of waiting) {
      if (before.step !== step || world === undefined) continue
      waiting.delete(before)
      before.change(world)
    }
    return act()
  }
  return playCalm({ outside, engine: { aroundAct } }).then((night) => ({ ...night, isDone: waiting.size === 0 }))
}

const appears = ({ state }: LabWorld) => void takeFault(state, { kind: 'guest-appears', node: 'pve3', vmid: 188 })

test('a guest that the list does not show is on the node by the node’s own word: it is not empty', async () => {
  let runsOn: readonly string[] | undefined
  const night = await playWith(
    [
      { step: 'look at whether pve3 is empty', change: appears },
      {
        step: 'note node-empty',
        change: ({ state }) => {
          runsOn = state.guests['188']?.runsOn
        },
      },
    ],
    (lab) => {
      const { hypervisor } = labPorts(lab)
      return { hypervisor: { ...hypervisor, listedOn: async () => [] } }
    },
  )
  expect(night.isDone).toBe(true)
  expect(runsOn).toHaveLength(1)
  expect(runsOn).not.toContain('pve3')
  expect(brokenIn(night)).toEqual([])
})

test('a guest that starts on the node a moment before its shutdown is moved, and not stopped', async () => {
  const night = await playWith([{ step: 'shut-down pve3', change: appears }])
  expect(night.isDone).toBe(true)
  expect(night.ending).toBe('done')
  expect(brokenIn(night)).toEqual([])
})

test('Ceph is asked for all OSDs of the node together: each alone may stop long before both may', async () => {
  let refusals = 0
  const isolates = {
    step: 'note node-empty',
    change: () => {
      refusals = 3
    },
  }
  const night = await playWith([isolates], (lab) => {
    const { storage } = labPorts(lab)
    const okToStop: typeof storage.okToStop = async (osds) =>
      osds.length > 1 && refusals-- > 0 ? { ok: false, text: '12 PGs would become inactive' } : storage.okToStop(osds)
    return { storage: { ...storage, okToStop } }
  })
  const gates = night.rows.flatMap(({ event }) => (event.kind === 'gate-closed' ? event.blockers : []))
  expect(gates.map(({ kind }) => kind)).toContain('osds-not-ok-to-stop')
  expect(night.ending).toBe('done')
  expect(brokenIn(night)).toEqual([])
})

test('an OSD that goes out right before the lease is given back keeps it', async () => {
  const goesOut = ({ state }: LabWorld) => {
    const osd = state.ceph === 'none' ? undefined : state.ceph.osds.find(({ host }) => host === 'pve3')
    if (osd !== undefined) osd.in = false
  }
  const night = await playWith([{ step: 'look at whether the lease of pve3 may go', change: goesOut }])
  expect(night.isDone).toBe(true)
  expect(night.ending).toBe('stuck')
  expect(leaseOf(night)).toBeDefined()
  expect(brokenIn(night)).toEqual([])
})

test('a BMC that falls silent during the shutdown proves nothing: off is said when it says so', async () => {
  let state = 'never noted'
  let asked = 0
  const night = await playWith(
    [
      {
        step: 'note node-off',
        change: (lab) => {
          state = lab.state.nodes.pve3?.state ?? 'gone'
        },
      },
    ],
    (lab) => {
      const { bmc } = labPorts(lab)
      const isGoing = () => lab.state.nodes.pve3?.state === 'shutting-down'
      const power: typeof bmc.power = async (node) =>
        isGoing() && asked++ < 9 ? { is: 'unknown', reason: 'no answer' } : bmc.power(node)
      return { bmc: { ...bmc, power } }
    },
  )
  expect(asked).toBeGreaterThan(0)
  expect(state).toBe('off')
  expect(night.ending).toBe('done')
  expect(brokenIn(night)).toEqual([])
})

test('power comes on through a BMC that proves itself in that very step, and through no other', async () => {
  let wrong = 0
  let isProven = false
  const trusted: boolean[] = []
  const exchanged = {
    step: 'power-on pve3',
    change: () => {
      wrong = 3
    },
  }
  const night = await playWith([exchanged], (lab) => {
    const { bmc } = labPorts(lab)
    const identity: typeof bmc.identity = async (node) => {
      isProven = wrong-- <= 0
      return isProven ? bmc.identity(node) : { systemUuid: 'another-s', serial: 'unknown' }
    }
    const powerOn: typeof bmc.powerOn = async (node) => {
      trusted.push(isProven)
      return bmc.powerOn(node)
    }
    return { bmc: { ...bmc, identity, powerOn } }
  })
  expect(night.isDone).toBe(true)
  expect(trusted).toEqual([true])
  expect(night.ending).toBe('done')
})
