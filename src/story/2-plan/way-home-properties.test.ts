import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ClusterObservation } from '#domain/cluster'
import { type NodeName, nodeName, type Vmid } from '#domain/ids'
import type { BrokenBefore, HomePlan } from '#domain/plan'
import { DEFAULT_PLAN_POLICY, type PlanPolicy } from '#domain/policy'
import { allowedAgain } from './allowed-again.ts'
import { checkHome } from './check-home.ts'
import { planOf } from './testing.ts'
import { afterMoves, HAPPENINGS, type HappeningName, happen } from './testing-happenings.ts'
import { randomCluster } from './testing-random.ts'
import { proposeWayHome } from './way-home.ts'

const RUNS = 60

const aCase = fc.record({
  seed: fc.nat(1_000_000),
  shape: fc.record({
    nodeCount: fc.integer({ min: 2, max: 7 }),
    fill: fc.double({ min: 0.4, max: 1, noNaN: true }),
    oddity: fc.constantFrom(0, 0.2, 1),
    largestGib: fc.constantFrom(8, 24, 64),
  }),
  names: fc.array(fc.constantFrom(...(Object.keys(HAPPENINGS) as HappeningName[])), { maxLength: 6 }),
  isSecondDrain: fc.boolean(),
})

type Case = {
  readonly cluster: ClusterObservation
  readonly origins: ReadonlyMap<Vmid, NodeName>
  readonly policy: PlanPolicy
  readonly before: BrokenBefore
  readonly home: HomePlan
}

/** A drain of pve1, perhaps one of pve2 while guests of pve1 are still there, whatever happens then, and the way home. */
function build({ seed, shape, names, isSecondDrain }: typeof aCase extends fc.Arbitrary<infer T> ? T : never): Case {
  const { cluster: first, policy: own } = randomCluster(seed, shape)
  const policy = { ...DEFAULT_PLAN_POLICY, ...own }
  const before = allowedAgain(first, policy)
  const origins = new Map(first.guests.map(({ vmid, node }) => [vmid, node]))
  let cluster = afterMoves(first, planOf(first, ['pve1'], policy).moves)
  if (isSecondDrain) cluster = afterMoves(cluster, planOf(cluster, ['pve2'], policy).moves)
  cluster = happen(cluster, names, seed)
  return { cluster, origins, policy, before, home: proposeWayHome({ cluster, origins, policy, before }) }
}

const judge = (one: Case, home: HomePlan) => checkHome({ ...one, home })

const forAll = (holds: (one: Case) => void, runs = RUNS) =>
  fc.assert(
    fc.property(aCase, (input) => {
      holds(build(input))
    }),
    // One seed: a build is green or red, not both in turn. Smaller seeds are no simpler clusters, so nothing is shrunk.
    { numRuns: runs, seed: 20261122, endOnFailure: true },
  )

describe('whatever happened between drain and way home', () => {
  test('the independent checker finds nothing, and whoever does not come home is said', () => {
    forAll((one) => expect(judge(one, one.home)).toEqual([]))
  })

  test('nobody stays who could go: when all others are home, his own move would break a rule', () => {
    forAll((one) => {
      const cluster = afterMoves(one.cluster, one.home.moves)
      for (const { guest } of one.home.stays) {
        const alone = wayOf(cluster, guest, one)
        if (alone !== undefined) expect(judge({ ...one, cluster }, alone).map(({ kind }) => kind)).not.toEqual([])
      }
    }, 30)
  })

  test('walked step by step, looking anew before each, everybody ends where the whole way would have brought him', () => {
    forAll((one) => {
      let cluster = one.cluster
      for (let round = 0; round < 200; round++) {
        const home = proposeWayHome({ ...one, cluster })
        const first = Math.min(...home.moves.map(({ step }) => step))
        const now = home.moves.filter(({ step }) => step === first)
        if (now.length === 0) break
        cluster = afterMoves(cluster, now)
      }
      const awayOf = ({ guests }: ClusterObservation) =>
        guests.filter(({ vmid, node }) => one.origins.has(vmid) && one.origins.get(vmid) !== node).length
      expect(awayOf(cluster)).toBeLessThanOrEqual(awayOf(afterMoves(one.cluster, one.home.moves)))
    }, 25)
  })
})

/** The guest alone on its way, with the partners who must go with it. */
function wayOf(cluster: ClusterObservation, guest: Vmid, { origins }: Case): HomePlan | undefined {
  const one = cluster.guests.find(({ vmid }) => vmid === guest)
  const to = origins.get(guest)
  if (one === undefined || to === undefined) return undefined
  const unit = new Set([guest])
  for (const member of unit)
    for (const rule of cluster.rules) {
      if (rule.kind !== 'keep-together' || !rule.strict || !rule.guests.includes(member)) continue
      for (const other of rule.guests) {
        const known = cluster.guests.find(({ vmid }) => vmid === other)
        if (known?.status === 'running' && known.node === one.node && origins.get(other) === to) unit.add(other)
      }
    }
  const moves = cluster.guests
    .filter(({ vmid }) => unit.has(vmid))
    .map(({ vmid, node, kind, status }) => ({
      step: 1,
      guest: vmid,
      from: node,
      to,
      mode: status === 'stopped' ? ('offline' as const) : kind === 'ct' ? ('restart' as const) : ('live' as const),
      startsAtS: 0,
      endsAtS: 0,
      forecastBlackoutMs: 0,
    }))
  const stays = [...origins.keys()].map((vmid) => ({ guest: vmid, reason: '-', text: 'not asked here' }))
  return { moves, stays, parallelMigrations: 99, makespanS: 0 }
}

test('with nothing odd and nothing happening, everybody comes home', () => {
  for (let seed = 0; seed < 40; seed++) {
    const { cluster: first } = randomCluster(seed, { nodeCount: 5, fill: 0.7, oddity: 0, largestGib: 24 })
    const plan = planOf(first, ['pve1'])
    const cluster = afterMoves(first, plan.moves)
    const origins = new Map(first.guests.map(({ vmid, node }) => [vmid, node]))
    const home = proposeWayHome({ cluster, origins, policy: DEFAULT_PLAN_POLICY })
    expect(home.stays).toEqual([])
    expect(afterMoves(cluster, home.moves).guests).toEqual(first.guests)
  }
})

describe('a way home with one thing made wrong is caught', () => {
  const expectCaught = (change: (home: HomePlan, one: Case) => HomePlan | undefined, kind: RegExp) => {
    let caught = 0
    forAll((one) => {
      const wrong = one.home.moves.length === 0 ? undefined : change(one.home, one)
      if (wrong === undefined) return
      caught++
      expect(
        judge(one, wrong)
          .map(({ kind: found }) => found)
          .join(' '),
      ).toMatch(kind)
    }, 30)
    expect(caught).toBeGreaterThan(5)
  }
  const changeFirst = (home: HomePlan, over: Partial<HomePlan['moves'][number]>): HomePlan => ({
    ...home,
    moves: home.moves.map((move, index) => (index === 0 ? { ...move, ...over } : move)),
  })

  test('another target', () =>
    expectCaught((home, { cluster }) => {
      const [first] = home.moves
      const other = cluster.nodes.find(({ name }) => name !== first?.from && name !== first?.to)
      return other && changeFirst(home, { to: other.name })
    }, /way-home|wrong-source/))
  test('another source', () =>
    expectCaught((home, { cluster }) => {
      const [first] = home.moves
      const other = cluster.nodes.find(({ name }) => name !== first?.from && name !== first?.to)
      return other && changeFirst(home, { from: other.name })
    }, /wrong-source/))
  test('a move left out in silence', () =>
    expectCaught((home) => ({ ...home, moves: home.moves.slice(1) }), /way-home|makespan/))
  test('a stay that nobody explains', () =>
    expectCaught((home) => (home.stays.length === 0 ? undefined : { ...home, stays: [] }), /way-home/))
  test('an unknown node', () => expectCaught((home) => changeFirst(home, { to: nodeName('pve77') }), /node-unknown/))
  test('the wrong mode', () =>
    expectCaught(
      (home) => changeFirst(home, { mode: home.moves[0]?.mode === 'offline' ? 'live' : 'offline' }),
      /wrong-mode/,
    ))
  test('a guest who was at home', () =>
    expectCaught((home, { cluster, origins }) => {
      const one = cluster.guests.find(({ vmid, node, status }) => status === 'running' && origins.get(vmid) === node)
      const to = cluster.nodes.find(({ name }) => name !== one?.node)?.name
      if (one === undefined || to === undefined) return undefined
      const mode = one.kind === 'ct' ? ('restart' as const) : ('live' as const)
      const more = {
        step: 1,
        guest: one.vmid,
        from: one.node,
        to,
        mode,
        startsAtS: 0,
        endsAtS: 0,
        forecastBlackoutMs: 0,
      }
      return { ...home, moves: [...home.moves, more] }
    }, /way-home/))
  test('all in one step where it took several, on a home that is too full for that', () => {
    let caught = 0
    forAll((one) => {
      if (new Set(one.home.moves.map(({ step }) => step)).size < 2) return
      const moves = one.home.moves.map((move) => ({ ...move, step: 1 }))
      if (judge(one, { ...one.home, moves }).length > 0) caught++
    })
    expect(caught).toBeGreaterThan(0)
  })
  test('a home that has shrunk under it', () => {
    forAll((one) => {
      const [first] = one.home.moves.filter(({ mode }) => mode !== 'offline')
      if (first === undefined) return
      const nodes = one.cluster.nodes.map((node) => (node.name === first.to ? { ...node, memoryBytes: 1 } : node))
      const shrunk = { ...one, cluster: { ...one.cluster, nodes }, before: { nodes: [], together: [], apart: [] } }
      expect(judge(shrunk, one.home).map(({ kind }) => kind)).toContain('memory-short')
    }, 25)
  })
  test('partners torn apart', () => {
    let caught = 0
    forAll((one) => {
      const pairs = one.cluster.rules.filter((rule) => rule.kind === 'keep-together' && rule.strict)
      const [first] = one.home.moves.filter(({ guest }) => pairs.some(({ guests }) => guests.includes(guest)))
      if (first === undefined) return
      const late = { ...first, step: 999, startsAtS: one.home.makespanS, endsAtS: one.home.makespanS }
      const moves = [...one.home.moves.filter((move) => move !== first), late]
      if (judge(one, { ...one.home, moves }).some(({ kind }) => kind === 'keep-together')) caught++
    })
    expect(caught).toBeGreaterThan(0)
  })
})
