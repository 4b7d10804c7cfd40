import { describe, expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import type { Plan } from '#domain/plan'
import { DEFAULT_PLAN_POLICY, type PlanPolicy } from '#domain/policy'
import { checkPlan } from './check-plan.ts'
import { aCluster, aGuest, aNode, GIB, keepApart, keepTogether, pin, planOf } from './testing.ts'

const kinds = (plan: Plan) => plan.blockers.map(({ kind }) => kind)
const three = [aNode('pve1'), aNode('pve2'), aNode('pve3')]
const RELAXED: Partial<PlanPolicy> = { reserveNodes: 0 }

function sound(cluster: Parameters<typeof planOf>[0], drain = ['pve3'], policy: Partial<PlanPolicy> = RELAXED): Plan {
  const plan = planOf(cluster, drain, policy)
  expect(checkPlan({ cluster, plan, policy: { ...DEFAULT_PLAN_POLICY, ...policy } })).toEqual([])
  return plan
}

describe('a drain', () => {
  test('moves every running guest once, evenly, and home again', () => {
    const cluster = aCluster(
      three,
      Array.from({ length: 8 }, (_, index) => aGuest(101 + index, 'pve3')),
    )
    const plan = sound(cluster)
    expect(plan.feasible).toBe(true)
    expect(plan.moves).toHaveLength(8)
    expect(plan.moves.filter(({ to }) => to === 'pve1')).toHaveLength(4)
    expect(plan.wayHome.map(({ to }) => to)).toEqual(Array(8).fill('pve3'))
    expect(plan.makespanS).toBeGreaterThanOrEqual(plan.lowerBoundS)
  })

  test('leaves stopped guests with the reason, and takes those that start with the node along', () => {
    const stopped = { status: 'stopped' as const }
    const cluster = aCluster(three, [aGuest(101, 'pve3', stopped), aGuest(102, 'pve3', { ...stopped, onboot: true })])
    const plan = sound(cluster)
    expect(plan.feasible).toBe(true)
    expect(plan.stays).toMatchObject([{ guest: 101, reason: 'stopped' }])
    expect(plan.moves).toMatchObject([{ guest: 102, mode: 'offline', forecastBlackoutMs: 0 }])
  })

  test('says what a stopped guest with onboot on a local disk means, and an approver may lift it', () => {
    const disks = [{ storage: 'local-zfs', bytes: GIB }]
    const cluster = aCluster(three, [aGuest(101, 'pve3', { status: 'stopped', onboot: true, disks })])
    expect(kinds(sound(cluster))).toEqual(['stopped-guest-stays'])
    expect(kinds(sound(cluster, ['pve3'], { ...RELAXED, lifted: ['stopped-guest-stays'] }))).toEqual([])
  })

  test('moves keep-together partners in one step to one node', () => {
    const cluster = aCluster(
      three,
      [aGuest(101, 'pve3'), aGuest(102, 'pve3'), aGuest(103, 'pve3')],
      [keepTogether(101, 103)],
    )
    const plan = sound(cluster)
    const [one, other] = [101, 103].map((id) => plan.moves.find(({ guest }) => guest === id))
    expect(one?.to).toBe(other?.to)
    expect(one?.step).toBe(other?.step)
  })

  test('keeps guests apart on the way too', () => {
    const cluster = aCluster(three, [aGuest(101, 'pve3'), aGuest(102, 'pve1')], [keepApart(101, 102)])
    expect(sound(cluster).moves).toMatchObject([{ guest: 101, to: 'pve2' }])
  })

  test('gives pinned guests the one node that they may have, whoever else would like it', () => {
    const guests = Array.from({ length: 14 }, (_, index) => aGuest(101 + index, 'pve3'))
    const cluster = aCluster(three, guests, [pin([113, 114], ['pve1', 'pve3'])])
    const plan = sound(cluster)
    expect(plan.moves.filter(({ guest }) => guest >= 113).map(({ to }) => to)).toEqual(['pve1', 'pve1'])
  })

  test('moves a resident first where nothing else makes room', () => {
    const guests = [
      aGuest(101, 'pve1', { memoryBytes: 60 * GIB }),
      aGuest(102, 'pve1', { memoryBytes: 20 * GIB }),
      aGuest(103, 'pve2', { memoryBytes: 80 * GIB }),
      aGuest(104, 'pve3', { memoryBytes: 50 * GIB }),
    ]
    const plan = sound(aCluster(three, guests))
    expect(plan.feasible).toBe(true)
    expect(plan.moves).toMatchObject([
      { step: 1, guest: 102, to: 'pve2', purpose: 'make-room' },
      { step: 2, guest: 104, to: 'pve1', purpose: 'drain' },
    ])
  })

  test('empties two nodes at once', () => {
    const nodes = [...three, aNode('pve4'), aNode('pve5')]
    const guests = nodes.flatMap(({ name }, at) => [1, 2, 3].map((index) => aGuest(at * 10 + index, name)))
    const plan = sound(aCluster(nodes, guests), ['pve3', 'pve4'])
    expect(plan.feasible).toBe(true)
    expect(plan.moves.every(({ to }) => !['pve3', 'pve4'].includes(to))).toBe(true)
  })

  test('restarts a container only where its owner allows it', () => {
    const cluster = aCluster(three, [aGuest(101, 'pve3', { kind: 'ct' })])
    expect(kinds(sound(cluster))).toEqual(['restart-not-allowed'])
    expect(sound(cluster, ['pve3'], { ...RELAXED, allowRestart: 'all' }).moves).toMatchObject([{ mode: 'restart' }])
  })
})

describe('a blocker', () => {
  const only = (over: Parameters<typeof aGuest>[2], rules: Parameters<typeof aCluster>[2] = [], nodes = three) => {
    const plan = sound(aCluster(nodes, [aGuest(101, 'pve3', over)], rules))
    expect(plan.feasible).toBe(false)
    expect(plan.blockers.every(({ lifts }) => lifts !== '')).toBe(true)
    return kinds(plan)
  }

  test('names what holds the guest itself', () => {
    expect(only({ movable: false })).toEqual(['guest-not-movable'])
    expect(only({ lock: 'backup' })).toEqual(['guest-locked'])
    expect(only({ passthrough: ['hostpci0'] })).toEqual(['passthrough'])
    expect(only({ kind: 'ct', lock: 'backup' })).toEqual(['guest-locked', 'restart-not-allowed'])
  })

  test('names what every target lacks', () => {
    expect(only({}, [pin([101], ['pve3'])])).toEqual(['pinned'])
    expect(only({ disks: [{ storage: 'nfs', bytes: 1 }] })).toEqual(['storage-missing'])
    expect(only({ bridges: ['vmbr9'] })).toEqual(['bridge-missing'])
    expect(only({ disks: [{ storage: 'local-zfs', bytes: 600 * GIB }] })).toEqual(['storage-short'])
    expect(only({ memoryBytes: 125 * GIB })).toEqual(['memory-short'])
    expect(only({ cpuCores: 200 })).toEqual(['cpu-short'])
    const models = [aNode('pve1'), aNode('pve2', { cpuModel: 'Xeon' }), aNode('pve3', { cpuModel: 'EPYC' })]
    expect(only({ cpuType: 'host' }, [], models)).toEqual(['cpu-model'])
  })

  test('is one for a shared cause, not one a guest', () => {
    const full = [aGuest(201, 'pve1', { memoryBytes: 110 * GIB }), aGuest(202, 'pve2', { memoryBytes: 110 * GIB })]
    const leaving = [1, 2, 3, 4].map((index) => aGuest(100 + index, 'pve3'))
    const plan = sound(aCluster(three, [...full, ...leaving]))
    expect(kinds(plan)).toEqual(['memory-short'])
    expect(plan.blockers[0]?.text).toMatch(/^memory short by \d+\.\d GiB/)
  })

  test('is keep-apart when rules alone leave no node, and the rest still goes', () => {
    const guests = [aGuest(101, 'pve1'), aGuest(102, 'pve2'), aGuest(103, 'pve3'), aGuest(104, 'pve3')]
    const plan = sound(aCluster(three, guests, [keepApart(101, 102, 103)]))
    expect(plan.blockers).toMatchObject([{ kind: 'keep-apart', guest: 103 }])
    expect(plan.moves.map(({ guest }) => guest)).toEqual([104])
  })

  test('is keep-together when the partners fit only one by one', () => {
    const guests = [
      aGuest(101, 'pve1', { memoryBytes: 80 * GIB }),
      aGuest(102, 'pve2', { memoryBytes: 80 * GIB }),
      aGuest(103, 'pve3', { memoryBytes: 30 * GIB, cpuCores: 65 }),
      aGuest(104, 'pve3', { memoryBytes: 30 * GIB, cpuCores: 65 }),
    ]
    const plan = sound(aCluster(three, guests, [keepTogether(103, 104)]))
    expect(kinds(plan)).toEqual(['keep-together'])
  })

  test('is no-target when no node is left, and a chassis mate is none', () => {
    const nodes = [
      aNode('pve1', { chassis: 'c1' }),
      aNode('pve2', { maintenance: true }),
      aNode('pve3', { chassis: 'c1' }),
    ]
    expect(only({}, [], nodes)).toEqual(['no-target'])
  })

  test('is the node itself, offline or unknown', () => {
    const nodes = [aNode('pve1'), aNode('pve2'), aNode('pve3', { online: false })]
    expect(kinds(planOf(aCluster(nodes, [aGuest(101, 'pve3')])))).toEqual(['node-offline'])
    expect(kinds(planOf(aCluster(three, []), ['pve9']))).toEqual(['node-unknown'])
  })

  test('is a pause beyond the budget, and an approver may lift it', () => {
    const busy = { dirtyBytesPerSecond: 2e9, pauseBudgetMs: 300 }
    const cluster = aCluster(three, [aGuest(101, 'pve3', busy)])
    const plan = sound(cluster)
    expect(plan.feasible).toBe(true)
    expect(kinds(plan)).toEqual(['pause-budget'])
    expect(kinds(sound(cluster, ['pve3'], { ...RELAXED, lifted: ['pause-budget'] }))).toEqual([])
  })
})

describe('the reserve', () => {
  const nodes = [...three, aNode('pve4'), aNode('pve5')]
  const filled = (memoryBytes: number) =>
    aCluster(
      nodes,
      nodes.flatMap(({ name }, at) => [1, 2, 3, 4].map((index) => aGuest(at * 10 + index, name, { memoryBytes }))),
    )

  test('is one node where four remain, and met where one more may fail', () => {
    const plan = sound(filled(12 * GIB), ['pve3'], {})
    expect(plan.blockers).toEqual([])
    expect(plan.spare).toEqual({ nodesThatMayFail: 1 })
  })

  test('is a blocker by name where it is unmet, with what is missing', () => {
    const plan = sound(filled(20 * GIB), ['pve3'], {})
    expect(plan.feasible).toBe(true)
    expect(plan.blockers).toMatchObject([{ kind: 'reserve-unmet' }])
    expect(plan.blockers[0]?.text).toMatch(
      /memory short by [\d.]+ GiB with one node in reserve, if pve\d fails afterwards/,
    )
    expect(sound(filled(20 * GIB), ['pve3'], { lifted: ['reserve-unmet'] }).blockers).toEqual([])
  })

  test('is nought where fewer remain, and that is said', () => {
    const plan = sound(aCluster(three, [aGuest(101, 'pve3')]), ['pve3'], {})
    expect(plan.notes.join(' ')).toContain('No reserve is kept (fewer than 4 nodes remain)')
  })
})

test('one input gives one plan', () => {
  const cluster = aCluster(
    three,
    Array.from({ length: 20 }, (_, index) => aGuest(101 + index, 'pve3')),
  )
  expect(planOf(cluster)).toEqual(planOf(cluster))
})

test('a node over its limit may stay so and takes nothing more', () => {
  const guests = [aGuest(101, 'pve1', { memoryBytes: 126 * GIB }), aGuest(102, 'pve3')]
  expect(sound(aCluster(three, guests)).moves).toMatchObject([{ guest: 102, to: nodeName('pve2') }])
})
