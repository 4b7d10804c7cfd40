import { afterAll, describe, expect, test } from 'vitest'
import type { ClusterObservation } from '#domain/cluster'
import type { Rule } from '#domain/guest'
import { nodeName, planId, vmid } from '#domain/ids'
import type { Plan } from '#domain/plan'
import { DEFAULT_PLAN_POLICY, type PlanPolicy } from '#domain/policy'
import { drawAt } from '#domain/random'
import { HighsSolver } from '#drivers/highs/solver'
import type { Solver } from '#ports/solver'
import { checkPlan } from './check-plan.ts'
import { placeExactly } from './exact.ts'
import { provePlan } from './prove-plan.ts'
import { aCluster, aGuest, aNode, GIB, keepApart, keepTogether, pin } from './testing.ts'
import { randomCluster } from './testing-random.ts'

const solver = new HighsSolver()
afterAll(() => solver.close())

const POLICY: PlanPolicy = { ...DEFAULT_PLAN_POLICY, allowRestart: 'all', reserveNodes: 0, memoryHeadroomFraction: 0 }
const small = { memoryBytes: 20 * GIB, memoryUsedBytes: 0 }
const three = ['pve1', 'pve2', 'pve3'].map((name) => aNode(name, small))
const guest = (id: number, node: string, gib: number, over: Parameters<typeof aGuest>[2] = {}) =>
  aGuest(id, node, { memoryBytes: gib * GIB, residentBytes: gib * GIB, ...over })

async function proven(cluster: ClusterObservation, by: Solver | 'none' = solver): Promise<Plan> {
  const plan = await provePlan(
    { cluster, drain: [nodeName('pve1')], policy: POLICY, revision: 1, id: planId('plan-1') },
    by === 'none' ? undefined : by,
  )
  expect(checkPlan({ cluster, plan, policy: POLICY })).toEqual([])
  return plan
}

const kinds = ({ blockers }: Plan) => blockers.map(({ kind }) => kind)

describe('what a plan proves', () => {
  test('nothing is asked where nothing is left to wish for', async () => {
    const never: Solver = { solve: () => Promise.reject(new Error('asked')) }
    const cluster = aCluster([...three, aNode('pve4', small)], [guest(201, 'pve2', 5)])
    expect((await proven(cluster, never)).proof).toEqual({
      placement: 'complete',
      residents: 'none',
      reasons: 'none',
      solver: 'not-asked',
    })
  })

  test('a resident moves only where it is proven that it does not go without', async () => {
    const cluster = aCluster(three, [
      guest(101, 'pve1', 12),
      guest(201, 'pve2', 10),
      guest(301, 'pve3', 3),
      guest(302, 'pve3', 6),
    ])
    const plan = await proven(cluster)
    expect(plan.moves.map(({ purpose }) => purpose)).toEqual(['make-room', 'drain'])
    expect(plan.proof).toMatchObject({ placement: 'complete', residents: 'needed' })
    expect((await proven(cluster, 'none')).proof).toMatchObject({ residents: 'not-proved', solver: 'not-asked' })
  })

  test('without an answer the plan is the planner’s own, and says what is not proved', async () => {
    const late: Solver = { solve: async () => ({ is: 'unanswered', why: 'late' }) }
    const cluster = aCluster(three, [
      guest(101, 'pve1', 8),
      guest(102, 'pve1', 3),
      guest(201, 'pve2', 13),
      guest(301, 'pve3', 13),
    ])
    const plan = await proven(cluster, late)
    expect(plan.proof).toMatchObject({ placement: 'not-proved', solver: 'unanswered' })
    expect(plan.notes.join(' ')).toContain('Not proved: that not all guests can leave (the exact solver did not answer')
    expect(kinds(plan)).toEqual(['memory-short'])
    expect((await proven(cluster)).proof).toEqual({
      placement: 'impossible',
      residents: 'none',
      reasons: 'fewest',
      solver: 'answered',
    })
  })

  test('an end state without a way there is said as such, and that there is none is proven', async () => {
    // Only an exchange of 12 and 11 would do, and nobody can step aside.
    const full = [guest(201, 'pve2', 11), guest(202, 'pve2', 8), guest(301, 'pve3', 12), guest(302, 'pve3', 6)]
    const cluster = aCluster(three, [guest(101, 'pve1', 3), ...full])
    const plan = await proven(cluster)
    expect(plan.proof).toMatchObject({ placement: 'no-way' })
    expect(kinds(plan)).toEqual(['no-order'])
    expect(plan.blockers[0]?.text).toMatch(/^the end state exists, the way there does not: .* guest 101$/)
  })

  test('small drains are evened out as far as nothing that weighs more gets worse', async () => {
    for (let seed = 0; seed < 12; seed++) {
      const { cluster } = randomCluster(seed, { nodeCount: 8, fill: 0.7, oddity: 0, largestGib: 54 })
      const plan = await proven(cluster)
      const { fullestAtLeastFraction = 0 } = plan.proof ?? {}
      const fullest = Math.max(...plan.after.map(({ memoryAllocatedFraction }) => memoryAllocatedFraction))
      expect(fullest - fullestAtLeastFraction, `seed ${seed}`).toBeLessThanOrEqual(0.005)
    }
  })
})

describe('a set of reasons', () => {
  const blocked = async (guests: Parameters<typeof aCluster>[1], rules: readonly Rule[] = [], nodes = three) => {
    const plan = await proven(aCluster(nodes, guests, rules))
    expect(plan.feasible).toBe(false)
    expect(plan.proof).toMatchObject({ placement: 'impossible', reasons: 'fewest' })
    return plan
  }

  test('names how much memory is missing at least, where, and what would lift it', async () => {
    const plan = await blocked([
      guest(101, 'pve1', 8),
      guest(102, 'pve1', 3),
      guest(201, 'pve2', 13),
      guest(301, 'pve3', 13),
    ])
    expect(plan.blockers).toMatchObject([
      { text: expect.stringMatching(/^memory short by 1\.0 GiB for guest 101, 0 % headroom kept$/) },
    ])
    expect(plan.blockers[0]?.lifts).toBe(
      '1.0 GiB more memory (1.0 GiB on pve2), or guest 101 shut down or moved out of the cluster',
    )
    expect(plan.moves.map(({ guest: id }) => id)).toEqual([102])
  })

  test('is one rule by its place where one rule is the reason', async () => {
    const others = [guest(201, 'pve2', 1), guest(301, 'pve3', 1), guest(302, 'pve3', 1)]
    const rules = [keepApart(301, 201), keepApart(101, 201, 301), keepApart(302, 201)]
    const plan = await blocked([guest(101, 'pve1', 1), ...others], rules)
    expect(plan.blockers).toMatchObject([{ kind: 'keep-apart', guest: 101 }])
    expect(plan.blockers[0]?.text).toContain('rules[1]')
  })

  test('is the keep-together rule where the partners fit only one by one', async () => {
    const wide = { cpuCores: 65 }
    const full = [guest(201, 'pve2', 12), guest(301, 'pve3', 12)]
    const guests = [guest(101, 'pve1', 6, wide), guest(102, 'pve1', 6, wide), ...full]
    expect(kinds(await blocked(guests, [keepTogether(101, 102)]))).toEqual(['keep-together'])
  })

  test('is one for a bridge, a storage or a pin rule that several guests lack', async () => {
    const many = (over: Parameters<typeof aGuest>[2]) => [1, 2, 3].map((index) => guest(100 + index, 'pve1', 1, over))
    expect(kinds(await blocked(many({ bridges: ['vmbr9'] })))).toEqual(['bridge-missing'])
    expect(kinds(await blocked(many({ disks: [{ storage: 'nfs', bytes: 1 }] })))).toEqual(['storage-missing'])
    expect(kinds(await blocked(many({}), [pin([101, 102, 103], ['pve1'])]))).toEqual(['pinned'])
  })

  test('is two where no one thing would do', async () => {
    const guests = [guest(101, 'pve1', 8), guest(102, 'pve1', 1, { bridges: ['vmbr9'] })]
    const full = [guest(201, 'pve2', 13), guest(301, 'pve3', 13)]
    expect(kinds(await blocked([...guests, ...full])).toSorted()).toEqual(['bridge-missing', 'memory-short'])
  })

  test('is as small as trying every set of kinds says, and lifting it lets everybody leave', async () => {
    let seen = 0
    for (let seed = 0; seed < 40; seed++) {
      const cluster = tightCluster(seed)
      const plan = await proven(cluster)
      if (plan.proof?.placement !== 'impossible') continue
      seen++
      const told = plan.blockers.map(({ kind }) => kind)
      expect({ seed, size: told.length }).toEqual({ seed, size: await fewestByHand(cluster) })
      expect(plan.proof.reasons).toBe('fewest')
    }
    expect(seen).toBeGreaterThan(10)
  })
})

/** Memory, cores and one keep-apart rule, each near what is there. */
function tightCluster(seed: number): ClusterObservation {
  const draw = (question: string, index = 0) => drawAt(seed, question, index)
  const nodes = three.map((node) => ({ ...node, cpuCores: 3 + Math.floor(2 * draw('cores')) }))
  const guests = Array.from({ length: 9 }, (_, index) => {
    const gib = 2 + Math.floor(6 * draw('gib', index))
    return guest(101 + index, `pve${1 + (index % 3)}`, gib, { cpuCores: 1 + Math.floor(6 * draw('cpu', index)) })
  })
  const rules = draw('rules') < 0.7 ? [keepApart(101, 102, 103)] : []
  return aCluster(nodes, guests, rules)
}

/** Every set of kinds, smaller first: the size of the first without which the solver places everybody. */
async function fewestByHand(cluster: ClusterObservation): Promise<number> {
  const all = ['memory-short', 'cpu-short', 'keep-apart'] as const
  const sets = Array.from({ length: 8 }, (_, bits) => all.filter((_kind, index) => (bits >> index) & 1))
  for (const set of sets.toSorted((a, b) => a.length - b.length)) {
    const verdict = await placeExactly(
      solver,
      { cluster, drain: [nodeName('pve1')], policy: POLICY, relaxed: new Set(set) },
      { freedom: 'residents-may-move', goal: 'any', limitMs: 5_000 },
    )
    if (verdict.is === 'placed') return set.length
  }
  return Number.POSITIVE_INFINITY
}

test('a node that was over its limit takes guests again once others have left it, up to what it carried', async () => {
  const over = [guest(201, 'pve2', 14), guest(202, 'pve2', 8)]
  const cluster = aCluster(
    three,
    [guest(101, 'pve1', 7), ...over, guest(301, 'pve3', 12)],
    [pin([101], ['pve1', 'pve2'])],
  )
  const plan = await proven(cluster, 'none')
  expect(plan.feasible).toBe(true)
  expect(plan.moves).toMatchObject([
    { guest: vmid(202), purpose: 'make-room' },
    { guest: vmid(101), to: 'pve2' },
  ])
  expect(plan.brokenBefore).toMatchObject([{ kind: 'memory-short', node: 'pve2' }])
})
