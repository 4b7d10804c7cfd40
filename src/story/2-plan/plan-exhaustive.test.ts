import { expect, test } from 'vitest'
import type { ClusterObservation } from '#domain/cluster'
import type { Guest } from '#domain/guest'
import { DEFAULT_PLAN_POLICY } from '#domain/policy'
import { drawAt } from '#domain/random'
import { checkPlan } from './check-plan.ts'
import { aCluster, aGuest, aNode, GIB, keepApart, planOf } from './testing.ts'

const SEEDS = 120
const NODE_GIB = 20
const GUESTS_LIMIT = 9
const policy = { ...DEFAULT_PLAN_POLICY, reserveNodes: 0, memoryHeadroomFraction: 0 }

/** Small and full; pve1 is drained. */
function smallCluster(seed: number): ClusterObservation | undefined {
  let draws = 0
  const draw = () => drawAt(seed, 'small', draws++)
  const nodeCount = 3 + Math.floor(draw() * 2)
  const over = { memoryBytes: NODE_GIB * GIB, memoryUsedBytes: 0, cpuCores: 1000 }
  const nodes = Array.from({ length: nodeCount }, (_, index) => aNode(`pve${index + 1}`, over))
  const guests: Guest[] = []
  const full = 0.8 + draw() * 0.2
  for (const [index, { name }] of nodes.entries()) {
    const limit = index === 0 ? 12 : NODE_GIB * full
    for (let load = 0, gib = 2 + Math.floor(draw() * 8); load + gib <= limit; gib = 2 + Math.floor(draw() * 8)) {
      load += gib
      guests.push(aGuest(100 + guests.length, name, { memoryBytes: gib * GIB }))
    }
  }
  if (guests.length > GUESTS_LIMIT) return undefined
  const [one, other] = [draw(), draw()].map((figure) => 100 + Math.floor(figure * guests.length))
  return aCluster(nodes, guests, one === other ? [] : [keepApart(one ?? 100, other ?? 100)])
}

/** Every state that single moves reach: the most guests that can leave pve1. */
function mostThatCanLeave({ nodes, guests, rules }: ClusterObservation): number {
  const home = guests.map(({ node }) => nodes.findIndex(({ name }) => name === node))
  const gib = guests.map(({ memoryBytes }) => memoryBytes / GIB)
  const apart = rules
    .map((rule) => rule.guests.map((id) => id - 100))
    .filter(([one = 0, other = 0]) => home[one] !== home[other])
  const seen = new Set([home.join()])
  let most = 0
  for (let frontier = [home]; frontier.length > 0; ) {
    const next: number[][] = []
    for (const state of frontier) {
      most = Math.max(most, state.filter((place, index) => home[index] === 0 && place !== 0).length)
      for (const [index, place] of state.entries()) {
        for (let to = 1; to < nodes.length; to++) {
          const load = state.reduce((sum, at, other) => sum + (at === to ? (gib[other] ?? 0) : 0), 0)
          if (to === place || load + (gib[index] ?? 0) > NODE_GIB) continue
          if (
            apart.some((pair) => pair.includes(index) && pair.some((other) => other !== index && state[other] === to))
          )
            continue
          const child = state.with(index, to)
          if (seen.has(child.join())) continue
          seen.add(child.join())
          next.push(child)
        }
      }
    }
    frontier = next
  }
  return most
}

test('in small full clusters as many guests leave as any order of moves could bring away', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const cluster = smallCluster(seed)
    if (cluster === undefined) continue
    const plan = planOf(cluster, ['pve1'], policy)
    const left = plan.moves.filter(({ purpose }) => purpose === 'drain').length
    expect({ seed, left }).toEqual({ seed, left: mostThatCanLeave(cluster) })
    expect(checkPlan({ cluster, plan, policy })).toEqual([])
  }
})
