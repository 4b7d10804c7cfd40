import { describe, expect, test } from 'vitest'
import type { ClusterObservation } from '#domain/cluster'
import { nodeName, vmid } from '#domain/ids'
import type { HomeMove, Plan } from '#domain/plan'
import { DEFAULT_PLAN_POLICY } from '#domain/policy'
import { allowedAgain } from './allowed-again.ts'
import { checkPlan } from './check-plan.ts'
import { aCluster, aGuest, aNode, GIB, keepApart, keepTogether, planOf } from './testing.ts'
import { afterMoves } from './testing-happenings.ts'
import { proposeWayHome } from './way-home.ts'

const nodes = ['pve1', 'pve2', 'pve3'].map((name) => aNode(name, { memoryBytes: 64 * GIB }))
const home = (guest: number, from: string, to: string): HomeMove => ({
  guest: vmid(guest),
  from: nodeName(from),
  to: nodeName(to),
  mode: 'live',
})

/** What the checker says of a way home that a person wrote under the planner's own moves. */
function judge(cluster: ClusterObservation, wayHome: readonly HomeMove[]): readonly string[] {
  const plan: Plan = { ...planOf(cluster), wayHome }
  return checkPlan({ cluster, plan, policy: DEFAULT_PLAN_POLICY }).map(({ kind }) => kind)
}

const targetOf = (cluster: ClusterObservation, guest: number) =>
  planOf(cluster).moves.find((move) => move.guest === guest)?.to ?? ''

describe("a plan's way home, replayed", () => {
  const pair = aCluster(
    nodes,
    [aGuest(101, 'pve3'), aGuest(102, 'pve3'), aGuest(103, 'pve3')],
    [keepTogether(101, 102)],
  )
  const way = (...guests: readonly number[]) => guests.map((guest) => home(guest, targetOf(pair, guest), 'pve3'))

  test('partners who follow each other are one step', () => {
    expect(judge(pair, way(101, 102, 103))).toEqual([])
    expect(judge(pair, way(103, 102, 101))).toEqual([])
  })

  test('partners with somebody between them are apart for a while', () => {
    expect(judge(pair, way(101, 103, 102))).toContain('keep-together')
  })

  test('one partner alone is torn from the other', () => {
    expect(judge(pair, way(101, 103))).toContain('keep-together')
  })

  test('a foe that comes while the other still leaves meets it on the way', () => {
    const cluster = aCluster(nodes, [aGuest(101, 'pve3'), aGuest(111, 'pve1')], [keepApart(101, 111)])
    const to = targetOf(cluster, 101)
    expect(to).toBe('pve2')
    expect(judge(cluster, [home(101, 'pve2', 'pve1'), home(101, 'pve1', 'pve3')])).toContain('keep-apart')
  })

  test('an end that is not where the guest came from is said', () => {
    expect(judge(pair, [home(103, targetOf(pair, 103), targetOf(pair, 103) === 'pve1' ? 'pve2' : 'pve1')])).toContain(
      'way-home',
    )
  })
})

describe('what was over a limit before', () => {
  // 58 of 60 GiB: over the headroom of 5 % before anybody touched it.
  const guests = [1, 2, 3].map((one) => aGuest(100 + one, 'pve3', { memoryBytes: 18 * GIB }))
  const cluster = aCluster([...nodes.slice(0, 2), aNode('pve3', { memoryBytes: 60 * GIB })], guests)
  const origins = new Map(guests.map(({ vmid: id, node }) => [id, node]))
  const before = allowedAgain(cluster, DEFAULT_PLAN_POLICY)
  const drained = afterMoves(cluster, planOf(cluster).moves)

  test('may be so again when everybody is home, as the plan promised', () => {
    expect(planOf(cluster).wayHome).toHaveLength(3)
    const way = proposeWayHome({ cluster: drained, origins, policy: DEFAULT_PLAN_POLICY, before })
    expect({ moves: way.moves.length, stays: way.stays }).toEqual({ moves: 3, stays: [] })
  })

  test('not on a home that came back smaller: then its limit holds', () => {
    const smaller = drained.nodes.map((node) => (node.name === 'pve3' ? { ...node, memoryBytes: 56 * GIB } : node))
    const way = proposeWayHome({
      cluster: { ...drained, nodes: smaller },
      origins,
      policy: DEFAULT_PLAN_POLICY,
      before,
    })
    expect(way.moves).toHaveLength(2)
    expect(way.stays.map(({ reason }) => reason)).toEqual(['memory-short'])
  })
})

test('a rule that is newer than the moves keeps together who belong on different nodes, and says so', () => {
  const guests = [aGuest(101, 'pve1'), aGuest(111, 'pve1')]
  const origins = new Map([[vmid(101), nodeName('pve3')]])
  const way = proposeWayHome({
    cluster: aCluster(nodes, guests, [keepTogether(101, 111)]),
    origins,
    policy: DEFAULT_PLAN_POLICY,
  })
  expect(way.moves).toEqual([])
  expect(way.stays).toEqual([
    {
      guest: 101,
      reason: 'keep-together',
      text: 'guest 101 cannot go home now: a rule keeps them together, and guest 101 belongs on pve3, guest 111 belongs on pve1',
    },
  ])
})

test('nobody is asked to leave a node that is offline', () => {
  const [one, two, three] = nodes
  if (!one || !two || !three) throw new Error('three nodes')
  const cluster = aCluster([{ ...one, online: false }, two, three], [aGuest(101, 'pve1')])
  const origins = new Map([[vmid(101), nodeName('pve3')]])
  const way = proposeWayHome({ cluster, origins, policy: DEFAULT_PLAN_POLICY })
  expect(way.moves).toEqual([])
  expect(way.stays[0]?.text).toContain('pve1 is offline: from there it can only be recovered')
})
