import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ClusterObservation } from '#domain/cluster'
import { nodeName, vmid } from '#domain/ids'
import type { Move, Plan } from '#domain/plan'
import { DEFAULT_PLAN_POLICY, type PlanPolicy } from '#domain/policy'
import { checkPlan } from './check-plan.ts'
import { GIB, planOf } from './testing.ts'
import { randomCluster } from './testing-random.ts'

const RUNS = 30

const aCase = fc.record({
  seed: fc.nat(1_000_000),
  shape: fc.record({
    nodeCount: fc.integer({ min: 2, max: 7 }),
    fill: fc.double({ min: 0.4, max: 1, noNaN: true }),
    oddity: fc.constantFrom(0, 0.2, 1),
    largestGib: fc.constantFrom(8, 24, 64),
  }),
  isTwo: fc.boolean(),
})

type Case = {
  cluster: ClusterObservation
  drain: readonly string[]
  policy: PlanPolicy
  plan: Plan
}

function build({ seed, shape, isTwo }: typeof aCase extends fc.Arbitrary<infer T> ? T : never): Case {
  const { cluster, policy } = randomCluster(seed, shape)
  const drain = isTwo && shape.nodeCount > 3 ? ['pve1', 'pve2'] : ['pve1']
  return { cluster, drain, policy: { ...DEFAULT_PLAN_POLICY, ...policy }, plan: planOf(cluster, drain, policy) }
}

/** Every property draws the same cases. */
const built = new Map<string, Case>()
function builtOnce(input: Parameters<typeof build>[0]): Case {
  const key = JSON.stringify(input)
  const one = built.get(key) ?? build(input)
  built.set(key, one)
  return one
}

const judge = ({ cluster, policy }: Case, plan: Plan) => checkPlan({ cluster, plan, policy })

const forAll = (holds: (one: Case) => void, runs = RUNS) =>
  fc.assert(
    fc.property(aCase, (input) => {
      holds(builtOnce(input))
    }),
    // One seed: a build is green or red, not both in turn. Smaller seeds are no simpler clusters, so nothing is shrunk.
    { numRuns: runs, seed: 20261122, endOnFailure: true },
  )

describe('whatever the cluster', () => {
  test('the independent checker finds nothing in a plan', () => {
    forAll((one) => expect(judge(one, one.plan)).toEqual([]))
  })

  test('a guest that stays behind has a reason, and no plan is silent about what it leaves', () => {
    forAll(({ plan, cluster, drain }) => {
      const left = cluster.guests.filter(
        ({ vmid: id, node }) => drain.includes(node) && !plan.moves.some(({ guest }) => guest === id),
      )
      expect(plan.stays.map(({ guest }) => guest as number).toSorted()).toEqual(
        left.map(({ vmid: id }) => id as number).toSorted(),
      )
      if (!plan.feasible) expect(plan.blockers.length).toBeGreaterThan(0)
    })
  })

  test('the lower bound holds for every parallelism', () => {
    forAll(({ cluster, drain, policy, plan }) => {
      for (const parallelMigrations of [1, 3, 8]) {
        const other = planOf(cluster, drain, { ...policy, parallelMigrations })
        expect(other.lowerBoundS).toBe(plan.lowerBoundS)
        if (other.feasible) expect(other.makespanS).toBeGreaterThanOrEqual(plan.lowerBoundS)
      }
    }, 12)
  })

  test('everybody who moved goes home when nothing on the way is odd', () => {
    forAll(({ plan, cluster }) => {
      if (cluster.nodes.some(({ online, maintenance }) => !online || maintenance)) return
      if (plan.moves.some(({ purpose }) => purpose === 'park')) return
      const lacksHome = plan.moves.some(({ guest, from }) => {
        const { disks = [], bridges = [] } = cluster.guests.find(({ vmid: id }) => id === guest) ?? {}
        const home = cluster.nodes.find(({ name }) => name === from)
        const isPinnedAway = cluster.rules.some(
          (r) => r.kind === 'pin' && r.guests.includes(guest) && !r.nodes.includes(from),
        )
        return (
          isPinnedAway ||
          disks.some(({ storage }) => !home?.storages.some(({ id }) => id === storage)) ||
          bridges.some((bridge) => !home?.bridges.includes(bridge))
        )
      })
      if (!lacksHome) expect(plan.wayHome).toHaveLength(plan.moves.length)
    })
  })

  test('one more node with room never makes a plan infeasible', () => {
    forAll(({ cluster, drain, policy, plan }) => {
      if (!plan.feasible) return
      const first = cluster.nodes[0]
      if (first === undefined) return
      const { chassis: _, ...like } = first
      const more = { ...cluster, nodes: [...cluster.nodes, { ...like, name: nodeName('pve99'), maintenance: false }] }
      expect(planOf(more, drain, policy).feasible).toBe(true)
    })
  })

  test('more memory never makes a plan infeasible, on all nodes or on one', () => {
    forAll(({ cluster, drain, policy, plan }) => {
      if (!plan.feasible) return
      const grown = (grow: (bytes: number, index: number) => number) => {
        const nodes = cluster.nodes.map((node, index) => ({ ...node, memoryBytes: grow(node.memoryBytes, index) }))
        return planOf({ ...cluster, nodes }, drain, policy)
      }
      expect(grown((bytes) => 2 * bytes).feasible).toBe(true)
      for (const at of cluster.nodes.keys()) {
        for (const gib of [1, 64]) {
          expect(grown((bytes, index) => bytes + (index === at ? gib * GIB : 0)).feasible, `${gib} GiB on ${at}`).toBe(
            true,
          )
        }
      }
    })
  })

  test('what was over a limit before carries no more afterwards, and what was broken is said', () => {
    forAll(({ cluster, plan }) => {
      const bytesOn = (name: string, at: ReadonlyMap<number, string>) =>
        cluster.guests
          .filter(({ vmid: id, node, status }) => status === 'running' && (at.get(id) ?? node) === name)
          .reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
      const last = new Map(plan.moves.map(({ guest, to }) => [guest as number, to as string]))
      for (const { kind, node = '' } of plan.brokenBefore ?? []) {
        if (kind === 'memory-short') expect(bytesOn(node, last)).toBeLessThanOrEqual(bytesOn(node, new Map()))
      }
      const said = plan.notes.filter((note) => note.startsWith('Broken before, and not made worse:'))
      expect(said).toHaveLength(Math.min(9, plan.brokenBefore?.length ?? 0))
    })
  })
})

describe('a plan with one move changed is caught', () => {
  /** Every move in turn with the given field changed to every other value that the cluster has. */
  const expectAllCaught = (changes: (move: Move, one: Case) => readonly Partial<Move>[]) =>
    forAll((one) => {
      for (const [at, move] of one.plan.moves.slice(0, 8).entries()) {
        if (move.mode === 'offline') continue
        for (const change of changes(move, one)) {
          const moves = one.plan.moves.with(at, { ...move, ...change })
          const found = judge(one, { ...one.plan, moves })
          expect(found.length, `${move.guest}: ${JSON.stringify(change)}`).toBeGreaterThan(0)
        }
      }
    }, 12)

  test('whatever other target', () =>
    expectAllCaught(({ to }, { cluster }) =>
      cluster.nodes.filter(({ name }) => name !== to).map(({ name }) => ({ to: name })),
    ))
  test('whatever other source', () =>
    expectAllCaught(({ from }, { cluster }) =>
      cluster.nodes.filter(({ name }) => name !== from).map(({ name }) => ({ from: name })),
    ))
  test('whatever other guest', () =>
    expectAllCaught(({ guest }, { cluster }) =>
      cluster.guests
        .filter(({ vmid: id }) => id !== guest)
        .slice(0, 20)
        .map(({ vmid: id }) => ({ guest: id })),
    ))
  test('whatever other mode, but a restart that its owner allows', () =>
    expectAllCaught(({ mode }, { policy }) =>
      (['live', 'restart', 'offline'] as const)
        .filter((other) => other !== mode && (other !== 'restart' || policy.allowRestart !== 'all'))
        .map((other) => ({ mode: other })),
    ))
})

describe('a plan with one thing made wrong is caught by its name', () => {
  /** Changes one move; undefined where this plan has none to change so. */
  const expectCaught = (change: (move: Move, one: Case) => Partial<Move> | undefined, kind: RegExp) =>
    forAll((one) => {
      const at = one.plan.moves.findIndex((move) => change(move, one) !== undefined)
      const move = one.plan.moves[at]
      if (move === undefined) return
      const moves = one.plan.moves.with(at, { ...move, ...change(move, one) })
      expect(
        judge(one, { ...one.plan, moves })
          .map(({ kind: found }) => found)
          .join(' '),
      ).toMatch(kind)
    }, 12)

  test('another source', () =>
    expectCaught(({ from, to }, { cluster }) => {
      const other = cluster.nodes.find(({ name }) => name !== from && name !== to)
      return other && { from: other.name }
    }, /wrong-source/))
  test('a drained target', () =>
    expectCaught(({ from }, { drain }) => (drain.includes(from) ? { to: from } : undefined), /wrong-target/))
  test('an unknown guest', () => expectCaught(() => ({ guest: vmid(9) }), /guest-unknown/))
  test('an unknown node', () => expectCaught(() => ({ to: nodeName('pve77') }), /node-unknown/))
  test('the wrong mode', () =>
    expectCaught(({ mode }) => ({ mode: mode === 'offline' ? 'live' : 'offline' }), /wrong-mode/))
  test('an end before its start', () => expectCaught(({ startsAtS }) => ({ endsAtS: startsAtS - 1 }), /time-order/))
  test('a target too small', () => {
    forAll((one) => {
      const [move] = one.plan.moves.filter(({ mode }) => mode !== 'offline')
      if (move === undefined) return
      const nodes = one.cluster.nodes.map((node) => (node.name === move.to ? { ...node, memoryBytes: 1 } : node))
      expect(judge({ ...one, cluster: { ...one.cluster, nodes } }, one.plan).map(({ kind }) => kind)).toContain(
        'memory-short',
      )
    }, 12)
  })
  test('a move left out', () => {
    forAll((one) => {
      const at = one.plan.moves.findIndex(({ mode, purpose }) => mode !== 'offline' && purpose === 'drain')
      if (at < 0 || !one.plan.feasible) return
      expect(judge(one, { ...one.plan, moves: one.plan.moves.toSpliced(at, 1) }).map(({ kind }) => kind)).toContain(
        'node-not-empty',
      )
    }, 12)
  })
  test('more at once than the plan allows', () => {
    forAll((one) => {
      if (one.plan.parallelMigrations < 2 || one.plan.moves.filter(({ step }) => step === 1).length < 3) return
      expect(judge(one, { ...one.plan, parallelMigrations: 1 }).map(({ kind }) => kind)).toContain('parallel-limit')
    }, 12)
  })
})

test('the checker imports nothing of the planner', () => {
  for (const file of [
    'check-plan',
    'check-after',
    'check-home',
    'check-replay',
    'check-world',
    'check-move',
    'check-times',
    'check-spare',
  ]) {
    const text = readFileSync(new URL(`./${file}.ts`, import.meta.url), 'utf8')
    const imports = [...text.matchAll(/from '([^']+)'/g)].map(([, from]) => from)
    expect(imports.filter((from) => !from?.startsWith('#domain/') && !from?.startsWith('./check-'))).toEqual([])
  }
})
