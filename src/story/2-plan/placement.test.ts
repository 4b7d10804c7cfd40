/** Every word of the contract that a placement weighs, one by one: held to the last byte, and broken by nobody on the way. */
import { describe, expect, test } from 'vitest'
import type { ClusterObservation } from '#domain/cluster'
import type { Rule } from '#domain/guest'
import type { Plan } from '#domain/plan'
import { DEFAULT_PLAN_POLICY, type PlanPolicy } from '#domain/policy'
import { checkPlan } from './check-plan.ts'
import { aCluster, aGuest, aNode, GIB, keepApart, keepTogether, pin, planOf } from './testing.ts'

const BARE: Partial<PlanPolicy> = { reserveNodes: 0, memoryHeadroomFraction: 0 }
const empty = { memoryBytes: 100 * GIB, memoryUsedBytes: 0 }
const node = (name: string, over: Parameters<typeof aNode>[1] = {}) => aNode(name, { ...empty, ...over })
const three = ['pve1', 'pve2', 'pve3'].map((name) => node(name))
const guest = (id: number, on: string, gib: number, over: Parameters<typeof aGuest>[2] = {}) =>
  aGuest(id, on, { memoryBytes: gib * GIB, residentBytes: gib * GIB, ...over })

/** Drains pve1; the checker has the last word. */
function drained(cluster: ClusterObservation, policy: Partial<PlanPolicy> = {}, drain = ['pve1']): Plan {
  const rules = { ...DEFAULT_PLAN_POLICY, ...BARE, ...policy }
  const plan = planOf(cluster, drain, rules)
  expect(checkPlan({ cluster, plan, policy: rules })).toEqual([])
  return plan
}

const targets = ({ moves }: Plan) => Object.fromEntries(moves.map(({ guest: id, to }) => [id, to]))
const kinds = ({ blockers }: Plan) => blockers.map(({ kind }) => kind)

describe('what is full to the last byte', () => {
  test('memory, with what hosts use themselves and the headroom', () => {
    const nodes = [node('pve1'), node('pve2', { memoryUsedBytes: 15 * GIB })]
    const asks = (gib: number, policy: Partial<PlanPolicy>) =>
      drained(aCluster(nodes, [guest(101, 'pve1', gib)]), policy)
    expect(asks(85, {}).feasible).toBe(true)
    expect(kinds(asks(86, {}))).toEqual(['memory-short'])
    expect(asks(75, { memoryHeadroomFraction: 0.1 }).feasible).toBe(true)
    expect(asks(76, { memoryHeadroomFraction: 0.1 }).blockers[0]?.text).toBe(
      'memory short by 1.0 GiB for guest 101, 10 % headroom kept',
    )
  })

  test('cores, times the overcommit; who is stopped counts for nothing', () => {
    const nodes = [node('pve1'), node('pve2', { cpuCores: 4 })]
    const guests = [
      guest(101, 'pve1', 1, { cpuCores: 6 }),
      guest(201, 'pve2', 1, { cpuCores: 10 }),
      guest(202, 'pve2', 1, { cpuCores: 10, status: 'stopped' }),
    ]
    expect(drained(aCluster(nodes, guests)).feasible).toBe(true)
    const tight = drained(aCluster(nodes, guests), { cpuOvercommit: 3 })
    expect(kinds(tight)).toEqual(['cpu-short'])
    expect(tight.blockers[0]?.text).toContain('cores short by 4 for guest 101 within a CPU overcommit of 3')
  })

  test('room for local disks, of all guests together', () => {
    const storages = (gib: number) => [{ id: 'local-zfs', shared: false, freeBytes: gib * GIB }]
    const nodes = [
      node('pve1', { storages: storages(0) }),
      ...['pve2', 'pve3'].map((name) => node(name, { storages: storages(50) })),
    ]
    const disks = [{ storage: 'local-zfs', bytes: 30 * GIB }]
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => guest(101 + index, 'pve1', 1, { disks }))
    expect(new Set(Object.values(targets(drained(aCluster(nodes, many(2))))))).toEqual(new Set(['pve2', 'pve3']))
    const short = drained(aCluster(nodes, many(3)))
    expect(kinds(short)).toEqual(['storage-short'])
    expect(short.moves).toHaveLength(2)
  })
})

describe('a strict rule is kept, a lax one where nothing else stands against it', () => {
  const lax = (rule: Rule): Rule => ({ ...rule, strict: false })
  const one = [guest(101, 'pve1', 10), guest(201, 'pve2', 5), guest(301, 'pve3', 30)]

  test.each([
    ['keep-apart', keepApart(101, 201), 'pve3'],
    ['keep-together', keepTogether(101, 301), 'pve3'],
    ['pin', pin([101], ['pve3']), 'pve3'],
  ])('%s, lax: the fuller node that it wants', (_, rule, to) => {
    expect(targets(drained(aCluster(three, one)))).toEqual({ 101: 'pve2' })
    expect(targets(drained(aCluster(three, one, [lax(rule)])))).toEqual({ 101: to })
  })

  test.each([
    ['keep-apart', keepApart(101, 201)],
    ['pin', pin([101], ['pve3'])],
  ])('%s, lax: broken rather than a guest left behind; strict: the blocker', (_, rule) => {
    const full = [guest(101, 'pve1', 10), guest(201, 'pve2', 5), guest(301, 'pve3', 95, { movable: false })]
    const stays = full.map((each) => (each.vmid === 201 ? { ...each, movable: false } : each))
    expect(targets(drained(aCluster(three, stays, [lax(rule)])))).toEqual({ 101: 'pve2' })
    expect(drained(aCluster(three, stays, [rule])).feasible).toBe(false)
  })

  test('keep-together, lax: the partners part where no node has room for both', () => {
    const guests = [guest(101, 'pve1', 30), guest(102, 'pve1', 30), guest(201, 'pve2', 60), guest(301, 'pve3', 60)]
    const stay = guests.map((each) => (each.vmid > 200 ? { ...each, movable: false } : each))
    expect(drained(aCluster(three, stay, [lax(keepTogether(101, 102))])).feasible).toBe(true)
    expect(kinds(drained(aCluster(three, stay, [keepTogether(101, 102)])))).toEqual(['memory-short'])
  })

  test('several strict pins hold together', () => {
    const nodes = [...three, node('pve4')]
    const rules = [pin([101], ['pve2', 'pve3']), pin([101], ['pve3', 'pve4'])]
    expect(targets(drained(aCluster(nodes, [guest(101, 'pve1', 1), guest(301, 'pve3', 50)], rules)))).toEqual({
      101: 'pve3',
    })
  })

  test('partners of partners move as one, in one step', () => {
    const guests = [101, 102, 103].map((id) => guest(id, 'pve1', 20))
    const others = [guest(201, 'pve2', 45, { movable: false }), guest(301, 'pve3', 30)]
    const { moves } = drained(aCluster(three, [...guests, ...others], [keepTogether(101, 102), keepTogether(102, 103)]))
    expect(new Set(moves.map(({ to, step }) => `${to} ${step}`))).toEqual(new Set(['pve3 1']))
  })
})

describe('what a node lacks', () => {
  const lacking = (
    over: Parameters<typeof aNode>[1],
    asks: Parameters<typeof aGuest>[2],
    policy: Partial<PlanPolicy> = {},
  ) => {
    const nodes = [
      node('pve1', { cpuModel: 'EPYC' }),
      node('pve2', { cpuModel: 'EPYC', ...over }),
      node('pve3', { cpuModel: 'EPYC' }),
    ]
    // pve3 is far fuller: only what pve2 lacks sends a guest there.
    return drained(aCluster(nodes, [guest(101, 'pve1', 5, asks), guest(301, 'pve3', 80)]), policy)
  }
  const nfs = { id: 'nfs', shared: true, freeBytes: 0 }

  test.each([
    ['a bridge', { bridges: [] }, {}],
    ['a storage', { storages: [nfs] }, {}],
    ['the CPU model', { cpuModel: 'Xeon' }, { cpuType: 'host' }],
    ['being online', { online: false }, {}],
    ['being out of maintenance', { maintenance: true }, {}],
    ['a QEMU as new', { versions: { qemu: '9.0' } }, {}],
  ])('%s keeps guests away', (_, over, asks) => {
    const isQemu = 'versions' in over
    const nodes = isQemu ? { versions: { qemu: '10.1' } } : {}
    const plan = isQemu
      ? drained(
          aCluster(
            [node('pve1', nodes), node('pve2', over), node('pve3', nodes)],
            [guest(101, 'pve1', 5), guest(301, 'pve3', 80)],
          ),
        )
      : lacking(over, asks)
    expect(targets(plan)).toEqual({ 101: 'pve3' })
  })

  test('the CPU model makes a restart only where its owner allows one, and only where nothing else goes', () => {
    const host = { cpuType: 'host' }
    expect(lacking({ cpuModel: 'Xeon' }, host, { allowRestart: 'all' }).moves).toMatchObject([
      { to: 'pve3', mode: 'live' },
    ])
    const models = [node('pve1', { cpuModel: 'EPYC' }), node('pve2', { cpuModel: 'Xeon' })]
    const cluster = aCluster(models, [guest(101, 'pve1', 5, host)])
    expect(kinds(drained(cluster))).toEqual(['cpu-model'])
    expect(drained(cluster, { allowRestart: [cluster.guests[0]?.vmid ?? (0 as never)] }).moves).toMatchObject([
      { mode: 'restart' },
    ])
  })
})

describe('who may not move', () => {
  test('a resident whose owner forbids it is not asked to make room, and neither is a container', () => {
    const cluster = (over: Parameters<typeof aGuest>[2]) =>
      aCluster(three, [
        guest(101, 'pve1', 50),
        guest(201, 'pve2', 50, { movable: false }),
        guest(202, 'pve2', 20, over),
        guest(301, 'pve3', 80, { movable: false }),
      ])
    expect(drained(cluster({})).feasible).toBe(true)
    expect(kinds(drained(cluster({ movable: false })))).toEqual(['memory-short'])
    expect(kinds(drained(cluster({ kind: 'ct' })))).toEqual(['memory-short'])
    expect(drained(cluster({ kind: 'ct' }), { allowRestart: 'all' }).moves[0]).toMatchObject({
      guest: 202,
      mode: 'restart',
    })
  })

  test('stays with what holds it by name, and everybody else leaves', () => {
    const guests = [
      guest(101, 'pve1', 5, { movable: false }),
      guest(102, 'pve1', 5, { lock: 'backup' }),
      guest(103, 'pve1', 5, { passthrough: ['hostpci0'] }),
      guest(104, 'pve1', 5, { kind: 'ct' }),
      guest(105, 'pve1', 5),
    ]
    const plan = drained(aCluster(three, guests))
    expect(plan.stays.map(({ guest: id, reason }) => [id, reason])).toEqual([
      [101, 'guest-not-movable'],
      [102, 'guest-locked'],
      [103, 'passthrough'],
      [104, 'restart-not-allowed'],
    ])
    expect(plan.moves.map(({ guest: id }) => id)).toEqual([105])
    expect(plan.proof).toMatchObject({ placement: 'impossible', reasons: 'fewest' })
  })
})

describe('what comes first', () => {
  test('no resident moves for the sake of balance', () => {
    const guests = [guest(101, 'pve1', 10), guest(201, 'pve2', 80), guest(202, 'pve2', 10), guest(301, 'pve3', 5)]
    expect(targets(drained(aCluster(three, guests)))).toEqual({ 101: 'pve3' })
  })

  test('a reserve that another target keeps is kept, at the cost of balance', () => {
    const nodes = ['pve1', 'pve2', 'pve3', 'pve4', 'pve5'].map((name) => node(name))
    const guests = [
      guest(101, 'pve1', 10),
      guest(201, 'pve2', 5),
      guest(301, 'pve3', 20),
      guest(401, 'pve4', 20),
      guest(501, 'pve5', 20),
    ]
    // On pve2, the emptiest, 101 would take the only place that 401 has where pve4 fails.
    const rules = [keepApart(101, 401), pin([401], ['pve2', 'pve4'])]
    const plan = drained(aCluster(nodes, guests, rules), { reserveNodes: 'auto' })
    expect(kinds(plan)).toEqual([])
    expect(plan.spare).toEqual({ nodesThatMayFail: 1 })
    expect(targets(plan)).toEqual({ 101: 'pve3' })
  })

  test('guests leave although the reserve is unmet then, which is a blocker with what would lift it', () => {
    const nodes = ['pve1', 'pve2', 'pve3', 'pve4', 'pve5'].map((name) => node(name))
    const guests = [
      guest(101, 'pve1', 30),
      ...[201, 301, 401, 501].map((id) => guest(id, `pve${Math.floor(id / 100)}`, 55)),
    ]
    const plan = drained(aCluster(nodes, guests), { reserveNodes: 'auto' })
    expect(plan.feasible).toBe(true)
    expect(kinds(plan)).toEqual(['reserve-unmet'])
    expect(plan.blockers[0]?.lifts).toMatch(/policy\.reserveNodes: 0/)
  })

  test('a slow link is not taken while a faster one has room, whatever the balance', () => {
    const nodes = [node('pve1'), node('pve2', { linkBitsPerSecond: 1e9 }), node('pve3')]
    const guests = [guest(101, 'pve1', 10), guest(301, 'pve3', 60)]
    expect(targets(drained(aCluster(nodes, guests)))).toEqual({ 101: 'pve3' })
  })

  test('the highest memory fraction falls as far as it can, then the rest is even', () => {
    const guests = [8, 7, 6, 5, 4].map((gib, index) => guest(101 + index, 'pve1', gib))
    const { after } = drained(aCluster(three, guests))
    expect(after.map(({ memoryAllocatedFraction }) => memoryAllocatedFraction)).toEqual([0, 0.15, 0.15])
  })
})

describe('what was broken before', () => {
  test('is said, with the place of the rule, and parted where that is possible', () => {
    const guests = [
      guest(101, 'pve1', 5),
      guest(102, 'pve1', 5),
      guest(201, 'pve2', 99, { movable: false }),
      guest(202, 'pve2', 5, { movable: false }),
      guest(301, 'pve3', 5, { cpuCores: 200, movable: false }),
    ]
    const rules = [keepApart(101, 102), pin([202], ['pve3']), keepTogether(201, 301)]
    const nodes = [...three, node('pve4')]
    const plan = drained(aCluster(nodes, guests, rules))
    expect(plan.brokenBefore?.map(({ kind }) => kind)).toEqual([
      'memory-short',
      'cpu-short',
      'keep-apart',
      'pinned',
      'keep-together',
    ])
    expect(plan.notes).toContain(
      'Broken before, and not made worse: guests 101, 102 share pve1 already, and rules[0] keeps them apart.',
    )
    expect(plan.notes).toContain(
      'Broken before, and not made worse: pve2 carries 104.0 GiB already, its limit is 100.0 GiB.',
    )
    expect(Object.values(targets(plan))).not.toContain('pve2')
  })

  test('nothing is said where nothing is', () => {
    expect(drained(aCluster(three, [guest(101, 'pve1', 5)])).brokenBefore).toEqual([])
  })
})
