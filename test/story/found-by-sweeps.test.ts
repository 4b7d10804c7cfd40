/** What thousands of drawn nights found, and a scenario would show at too great length or not at all. */
import { expect, test } from 'vitest'
import { brokenIn } from '#app/chaos/end-state'
import { parseScript } from '#app/night/script'
import { promisesAreQuiet } from '#lab/engine/simulate'
import type { LabWorld } from '#lab/world/lab-world'
import type { Solver } from '#ports/solver'
import { calmNight, playCalm } from './night-kit.ts'

const SETTLES_MS = 30 * 60_000

test('whatever people say meanwhile, two looks at the emptied node lie as far apart as they are meant to', async () => {
  const calm = calmNight()
  let world: LabWorld | undefined
  const looks: number[] = []
  const script = parseScript(`
+0s: start pve3 FAN3 it rattles
after plan-proposed +2m: approve
${Array.from({ length: 120 }, (_, second) => `after stage-began drain +${second}s: lift pause-budget`).join('\n')}
`)
  const night = await playCalm({
    script,
    outside: async (lab) => {
      world = lab
      return { ports: {}, quiet: promisesAreQuiet, close: async () => {} }
    },
    engine: {
      aroundAct: async ({ step }, act) => {
        if (step === 'look at whether pve3 is empty' && world !== undefined) looks.push(world.state.nowMs)
        return act()
      },
    },
  })
  const [first = 0, last = 0] = looks.slice(-2)
  expect(night.ending).toBe('done')
  expect(night.rows.filter(({ event }) => event.kind === 'blockers-lifted').length).toBeGreaterThan(60)
  expect(last - first).toBeGreaterThanOrEqual((calm.policy.emptyLooksApartS ?? 25) * 1000)
  expect(brokenIn(night)).toEqual([])
})

test('HA moves several guests at once: a pause of the short one is told while the long one is still copied', async () => {
  const { snapshot, ...calm } = calmNight(`
+0s: start pve3 FAN3 it rattles
after plan-proposed +2m: approve lift pause-budget
`)
  const { cluster } = snapshot
  const nodes = cluster.nodes.map((node) => (node.name === 'pve3' ? { ...node, linkBitsPerSecond: 1e9 } : node))
  const guests = cluster.guests.map((guest) => {
    if (guest.vmid === 101) return { ...guest, pauseBudgetMs: 5 }
    return guest.vmid === 106 ? { ...guest, memoryBytes: 128 * 2 ** 30, residentBytes: 112 * 2 ** 30 } : guest
  })
  const night = await playCalm({
    ...calm,
    snapshot: {
      ...snapshot,
      cluster: { ...cluster, nodes, guests },
      policy: { ...snapshot.policy, parallelMigrations: 1 },
    },
    endsWith: ({ event }) => event.kind === 'node-off',
  })
  expect(night.rows.filter(({ event }) => event.kind === 'pause-over-budget')).toHaveLength(1)
  expect(brokenIn(night)).toEqual([])
})

test('a lease that cannot be given back is kept while guests fail to come home', async () => {
  const calm = calmNight(`
+0s: fault {"kind":"node-hangs","node":"pve3","when":"shutdown"}
+0s: start pve3 FAN3 it rattles
after plan-proposed +2m: approve
`)
  const policy = { ...calm.policy, gateLimitS: 3_600, recoveryLimitS: 1_800, leaseS: 600 }
  const night = await playCalm({ ...calm, policy, settleMs: SETTLES_MS })
  expect(night.ending).toBe('stuck')
  expect(night.rows.map(({ event }) => event.kind)).toContain('guest-stays')
  expect(brokenIn(night)).toEqual([])
})

/** A node whose guests have no room elsewhere; how often a plan was searched for until the operator gave up. */
async function searchesUntilRejected(lines: string): Promise<number> {
  let asked = 0
  const solver: Solver = {
    solve: async () => {
      asked++
      return { is: 'infeasible' }
    },
  }
  const { snapshot, ...calm } = calmNight(`+0s: start pve3 FAN3 it rattles\n${lines}`)
  const nodes = snapshot.cluster.nodes.map((node) => ({ ...node, memoryBytes: 64 * 2 ** 30 }))
  const night = await playCalm({
    ...calm,
    snapshot: { ...snapshot, cluster: { ...snapshot.cluster, nodes } },
    outside: async () => ({ ports: { solver }, quiet: promisesAreQuiet, close: async () => {} }),
  })
  expect(night.ending).toBe('failed')
  return asked
}

test('a plan that cannot be made is searched for anew only when the world has changed', async () => {
  const soon = await searchesUntilRejected('+1h: reject no room')
  expect(soon).toBeGreaterThan(0)
  expect(await searchesUntilRejected('+48h: reject no room')).toBe(soon)
  const appears = '+2h: fault {"kind":"guest-appears","node":"pve4","vmid":190}'
  expect(await searchesUntilRejected(`${appears}\n+48h: reject no room`)).toBeGreaterThan(soon)
})
