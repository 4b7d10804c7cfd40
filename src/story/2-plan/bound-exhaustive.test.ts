import { expect, test } from 'vitest'
import type { ClusterObservation } from '#domain/cluster'
import { nodeName } from '#domain/ids'
import { DEFAULT_FORECAST_MODEL, type Plan } from '#domain/plan'
import { DEFAULT_PLAN_POLICY, type PlanPolicy } from '#domain/policy'
import { drawAt } from '#domain/random'
import { Board } from './board.ts'
import { lowerBoundS } from './bound.ts'
import { checkPlan } from './check-plan.ts'
import { modeOf } from './eligibility.ts'
import { type DraftMove, forecast } from './forecast.ts'
import { aCluster, aGuest, aNode, GIB, keepApart, permutations, planOf } from './testing.ts'

const SEEDS = 40
const MOVERS_LIMIT = 3
const policy: PlanPolicy = { ...DEFAULT_PLAN_POLICY, reserveNodes: 0, memoryHeadroomFraction: 0, allowRestart: 'all' }

/** Four nodes of unlike links, so small that who leaves and who stays are in each other's way. */
function tinyCluster(seed: number): ClusterObservation {
  let draws = 0
  const draw = () => drawAt(seed, 'tiny', draws++)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(draw() * items.length)] as T
  const nodes = [1, 2, 3, 4].map((index) =>
    aNode(`pve${index}`, {
      memoryBytes: 20 * GIB,
      memoryUsedBytes: 0,
      linkBitsPerSecond: index === 1 ? pick([10e9, 25e9]) : pick([1e9, 10e9, 10e9, 25e9]),
      cpuModel: pick(['EPYC', 'EPYC', 'Xeon']),
    }),
  )
  const guest = (id: number, node: string) => {
    const gib = 2 + Math.floor(draw() * 12)
    return aGuest(id, node, {
      kind: draw() < 0.2 ? 'ct' : 'vm',
      cpuType: draw() < 0.2 ? 'host' : 'x86-64-v3',
      memoryBytes: gib * GIB,
      residentBytes: Math.ceil(gib * (0.3 + 0.7 * draw()) * GIB),
      dirtyBytesPerSecond: draw() < 0.2 ? 'unknown' : 6e8 * draw() ** 3,
      writableWorkingSetBytes: draw() < 0.5 ? 'unknown' : Math.ceil(draw() * GIB),
      disks: [{ storage: draw() < 0.2 ? 'local-zfs' : 'ceph-vm', bytes: 4 * GIB }],
    })
  }
  const guests = [
    guest(101, 'pve1'),
    guest(102, 'pve1'),
    ...(draw() < 0.5 ? [guest(103, 'pve1')] : []),
    guest(201, 'pve2'),
    guest(301, 'pve3'),
  ]
  return aCluster(nodes, guests, draw() < 0.4 ? [keepApart(101, 301)] : [])
}

/** Every target of every guest, in every order, in every row of steps, with any number at once: the least of the forecast makespans. */
function leastMakespanS(cluster: ClusterObservation): number {
  const like = planOf(cluster, ['pve1'], policy)
  let least = Number.POSITIVE_INFINITY
  for (const moves of assignments(cluster)) {
    for (const order of permutations(moves)) {
      for (let breaks = 0; breaks < 2 ** (order.length - 1); breaks++) {
        let step = 1
        const steps = order.map((move, index) => {
          if (index > 0 && (breaks >> (index - 1)) & 1) step++
          return { ...move, step }
        })
        if (!isOneOrderEach(steps) || !keepsRules(cluster, like, steps)) continue
        for (let parallel = 1; parallel <= order.length; parallel++) {
          least = Math.min(least, forecast(steps, DEFAULT_FORECAST_MODEL, parallel).makespanS)
        }
      }
    }
  }
  return least
}

/** Of several steps each in one order alone: the orders within a step are looked at where there is but one. */
const isOneOrderEach = (moves: readonly DraftMove[]): boolean =>
  new Set(moves.map(({ step }) => step)).size === 1 ||
  moves.every((move, index) => {
    const before = moves[index - 1]
    return before === undefined || before.step !== move.step || before.guest.vmid < move.guest.vmid
  })

function* assignments({ nodes, guests }: ClusterObservation): Generator<readonly DraftMove[]> {
  const [drained] = nodes
  for (let choice = 0; choice < nodes.length ** guests.length; choice++) {
    const moves: DraftMove[] = []
    for (const [index, guest] of guests.entries()) {
      const target = nodes[Math.floor(choice / nodes.length ** index) % nodes.length]
      const source = nodes.find(({ name }) => name === guest.node)
      if (target === undefined || source === undefined || target === drained) break
      if (target === source) continue
      const diskBytes = guest.disks.reduce((sum, { storage, bytes }) => sum + (storage === 'local-zfs' ? bytes : 0), 0)
      const mode = modeOf({ guest, source, target })
      const purpose = source === drained ? 'drain' : 'make-room'
      moves.push({ step: 1, guest, source, target, mode, purpose, diskBytes })
    }
    const isWhole = guests.every(({ vmid, node }) => node !== drained?.name || moves.some((m) => m.guest.vmid === vmid))
    if (isWhole && moves.length <= MOVERS_LIMIT) yield moves
  }
}

function keepsRules(cluster: ClusterObservation, like: Plan, moves: readonly DraftMove[]): boolean {
  const judged = moves.map(({ step, guest, source, target, mode, purpose }) => ({
    ...{ step, mode, purpose, guest: guest.vmid, from: source.name, to: target.name },
    ...{ startsAtS: 0, endsAtS: 0, forecastBlackoutMs: 0 },
  }))
  const plan = { ...like, moves: judged, feasible: true, wayHome: [] }
  return checkPlan({ cluster, plan, policy }).every(({ kind }) => TIMES.includes(kind))
}

/** What a plan says of its own times is not asked here. */
const TIMES = ['makespan', 'lower-bound', 'step-order', 'time-order', 'parallel-limit', 'reserve', 'spare']

test('no plan of a tiny cluster is faster than the lower bound, whoever goes where in whatever order', () => {
  let compared = 0
  for (let seed = 0; seed < SEEDS; seed++) {
    const cluster = tinyCluster(seed)
    const least = leastMakespanS(cluster)
    if (!Number.isFinite(least)) continue
    compared++
    const bound = lowerBoundS(new Board({ cluster, drain: [nodeName('pve1')], policy }), DEFAULT_FORECAST_MODEL)
    expect({ seed, gap: least - bound }).toMatchObject({ gap: expect.toSatisfy((gap: number) => gap > -1e-6) })
  }
  expect(compared).toBeGreaterThan(SEEDS / 3)
})
