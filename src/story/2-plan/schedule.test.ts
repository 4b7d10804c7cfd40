import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Guest } from '#domain/guest'
import { DEFAULT_FORECAST_MODEL } from '#domain/plan'
import { DEFAULT_PLAN_POLICY } from '#domain/policy'
import { drawAt } from '#domain/random'
import { checkPlan } from './check-plan.ts'
import { type DraftMove, type Forecast, forecast, overruns } from './forecast.ts'
import { scheduleMoves } from './schedule.ts'
import { aCluster, aGuest, aNode, GIB, keepTogether, planOf } from './testing.ts'
import { randomCluster } from './testing-random.ts'

/** Writes a GiB again and again: on half a link its copy never ends, on a whole one it does. */
const HOT = {
  residentBytes: 4 * GIB,
  dirtyBytesPerSecond: 7e8,
  writableWorkingSetBytes: GIB,
  pauseBudgetMs: 300,
}
const quiet = (count: number): Guest[] =>
  Array.from({ length: count }, (_, index) => aGuest(201 + index, 'pve1', { pauseBudgetMs: 300 }))
const nodes = ['pve1', 'pve2', 'pve3', 'pve4'].map((name) => aNode(name))
const plan = (guests: readonly Guest[], over = {}, rules = [keepTogether()]) =>
  planOf(aCluster(nodes, guests, rules), ['pve1'], { reserveNodes: 0, ...over })
const byGuest = (moves: readonly { guest: number; step: number }[], id: number) =>
  moves.find(({ guest }) => guest === id)

describe('guests that write much', () => {
  test('move alone, in a step of their own, while the quiet ones stream together', () => {
    const { moves, parallelMigrations, blockers } = plan([
      ...quiet(8),
      aGuest(101, 'pve1', HOT),
      aGuest(102, 'pve1', HOT),
    ])
    expect(blockers).toEqual([])
    expect(parallelMigrations).toBeGreaterThan(1)
    const steps = [byGuest(moves, 101)?.step, byGuest(moves, 102)?.step]
    expect(new Set(steps).size).toBe(2)
    for (const step of steps) expect(moves.filter((move) => move.step === step)).toHaveLength(1)
    expect(moves.filter(({ step }) => step === 1)).toHaveLength(8)
  })

  test('cost less time so than one guest at a time would', () => {
    const guests = [...quiet(8), aGuest(101, 'pve1', HOT)]
    const one = plan(guests, { parallelMigrations: 1 })
    expect(one.blockers).toEqual([])
    expect(plan(guests).makespanS).toBeLessThan(0.9 * one.makespanS)
  })

  test('go at the same time where they share no link', () => {
    const cluster = aCluster(nodes, [aGuest(101, 'pve1', HOT), aGuest(102, 'pve2', HOT), ...quiet(4)])
    const { moves, blockers } = planOf(cluster, ['pve1', 'pve2'], { reserveNodes: 0 })
    expect(blockers).toEqual([])
    expect(byGuest(moves, 101)?.step).toBe(byGuest(moves, 102)?.step)
  })

  test('take their partners along in the same step', () => {
    const guests = [...quiet(6), aGuest(101, 'pve1', HOT), aGuest(102, 'pve1', { residentBytes: GIB })]
    const cluster = aCluster(nodes, guests, [keepTogether(101, 102)])
    const made = planOf(cluster, ['pve1'], { reserveNodes: 0 })
    expect(made.blockers).toEqual([])
    expect(byGuest(made.moves, 101)?.step).toBe(byGuest(made.moves, 102)?.step)
    expect(checkPlan({ cluster, plan: made, policy: { ...DEFAULT_PLAN_POLICY, reserveNodes: 0 } })).toEqual([])
  })

  test('whom no schedule helps are a blocker, and do not hold the others up', () => {
    const hopeless = { ...HOT, dirtyBytesPerSecond: 4e9, writableWorkingSetBytes: 4 * GIB }
    const { blockers } = plan([...quiet(4), aGuest(101, 'pve1', hopeless)])
    expect(blockers.map(({ kind, guest }) => [kind, guest])).toEqual([['pause-budget', 101]])
  })
})

test('streams too many to converge are never chosen: past the knee the pauses explode', () => {
  const [source, target] = [nodes[0], nodes[1]]
  if (source === undefined || target === undefined) throw new Error('four nodes')
  const moves = Array.from({ length: 20 }, (_, index): DraftMove => {
    const guest = aGuest(101 + index, 'pve1', { residentBytes: 4 * GIB, dirtyBytesPerSecond: 1.5e8 })
    return { step: 1, guest, source, target, mode: 'live', purpose: 'drain', diskBytes: 0 }
  })
  const longestMs = ({ moves: timed }: Forecast) =>
    Math.max(...timed.map(({ forecastBlackoutMs }) => forecastBlackoutMs))
  expect(longestMs(forecast(moves, DEFAULT_FORECAST_MODEL, 8))).toBeGreaterThan(1000)
  expect(longestMs(scheduleMoves(moves, DEFAULT_FORECAST_MODEL, 'auto'))).toBeLessThan(500)
})

test('nobody has more pauses over his budget than with one guest at a time', () => {
  const aMove = fc.record({
    gib: fc.integer({ min: 1, max: 12 }),
    dirtyBytesPerSecond: fc.integer({ min: 0, max: 1_200_000_000 }),
    setGib: fc.double({ min: 0.05, max: 2, noNaN: true }),
    pauseBudgetMs: fc.constantFrom(200, 300, 1000),
    target: fc.integer({ min: 1, max: 3 }),
    step: fc.integer({ min: 1, max: 2 }),
  })
  fc.assert(
    fc.property(fc.array(aMove, { minLength: 1, maxLength: 9 }), (drawn) => {
      const moves = drawn.map(({ gib, setGib, target, step, ...over }, index): DraftMove => {
        const set = { residentBytes: gib * GIB, writableWorkingSetBytes: Math.round(setGib * GIB), ...over }
        const guest = aGuest(101 + index, 'pve1', set)
        const [source, to] = [nodes[0], nodes[target]]
        if (source === undefined || to === undefined) throw new Error('four nodes')
        return { step, guest, source, target: to, mode: 'live', purpose: 'drain', diskBytes: 0 }
      })
      const made = scheduleMoves(moves, DEFAULT_FORECAST_MODEL, 'auto')
      const one = forecast(moves, DEFAULT_FORECAST_MODEL, 1)
      expect(overruns(made.moves).length).toBeLessThanOrEqual(overruns(one.moves).length)
      // Steps of the order stay in their order.
      const ends = (step: number) => {
        const guests = moves.filter((move) => move.step === step).map(({ guest }) => guest.vmid)
        return made.moves.filter(({ guest }) => guests.includes(guest.vmid)).map((move) => move.step)
      }
      expect(Math.max(0, ...ends(1))).toBeLessThan(Math.min(99, ...ends(2)))
      expect(made.moves).toHaveLength(moves.length)
    }),
    { numRuns: 150, seed: 20261122 },
  )
})

test('whatever the cluster, a plan with hot guests keeps every rule at every moment', () => {
  let alone = 0
  for (let seed = 0; seed < 40; seed++) {
    const { cluster: plain, policy } = randomCluster(seed, { nodeCount: 5, fill: 0.7, oddity: 0.6, largestGib: 24 })
    const guests = plain.guests.map((guest, index) =>
      drawAt(seed, 'hot', index) < 0.25 ? { ...guest, ...HOT } : guest,
    )
    const cluster = { ...plain, guests }
    const made = planOf(cluster, ['pve1'], policy)
    expect(checkPlan({ cluster, plan: made, policy: { ...DEFAULT_PLAN_POLICY, ...policy } })).toEqual([])
    const steps = Map.groupBy(made.moves, ({ step }) => step)
    if (steps.size > 1 && [...steps.values()].some((group) => group.length === 1)) alone++
  }
  expect(alone).toBeGreaterThan(10)
})
