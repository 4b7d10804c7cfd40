import { expect, test } from 'vitest'
import type { Rule } from '#domain/guest'
import { nodeName, vmid } from '#domain/ids'
import type { Move } from '#domain/plan'
import { DEFAULT_PLAN_POLICY } from '#domain/policy'
import { CheckWorld } from './check-world.ts'
import { aCluster, aGuest, aNode, GIB, keepApart, keepTogether } from './testing.ts'

const move = (guest: number, from: string, to: string): Move => ({
  step: 1,
  guest: vmid(guest),
  from: nodeName(from),
  to: nodeName(to),
  mode: 'live',
  purpose: 'drain',
  startsAtS: 0,
  endsAtS: 1,
  forecastBlackoutMs: 1,
})

/** 101 leaves pve1, 102 leaves pve2; each node has room for two. */
function worldOf(rules: readonly Rule[], gib = 8) {
  const nodes = ['pve1', 'pve2', 'pve3'].map((name) => aNode(name, { memoryBytes: 16 * GIB, memoryUsedBytes: 0 }))
  const guests = [101, 102].map((id) => aGuest(id, `pve${id - 100}`, { memoryBytes: gib * GIB }))
  return new CheckWorld(aCluster(nodes, guests, rules), { ...DEFAULT_PLAN_POLICY, memoryHeadroomFraction: 0 })
}

const kinds = (world: CheckWorld, ...moves: readonly Move[]) => world.checkWhileMoving(moves, 1).map(({ kind }) => kind)

test('a rule that holds before and after a step, and not while it runs, is broken', () => {
  const apart = worldOf([keepApart(101, 102)])
  expect(kinds(apart, move(101, 'pve1', 'pve2'), move(102, 'pve2', 'pve3'))).toEqual(['keep-apart'])
  expect(kinds(apart, move(101, 'pve1', 'pve3'))).toEqual([])
})

test('who leaves a node in a step leaves no room on it in that step', () => {
  const swap = [move(101, 'pve1', 'pve2'), move(102, 'pve2', 'pve3')]
  expect(kinds(worldOf([], 9), ...swap)).toEqual(['memory-short'])
  expect(kinds(worldOf([], 8), ...swap)).toEqual([])
})

test('partners on one node move in one step, to one node', () => {
  const nodes = ['pve1', 'pve2', 'pve3'].map((name) => aNode(name))
  const pair = [101, 102].map((id) => aGuest(id, 'pve1'))
  const world = new CheckWorld(aCluster(nodes, pair, [keepTogether(101, 102)]), DEFAULT_PLAN_POLICY)
  expect(kinds(world, move(101, 'pve1', 'pve2'))).toEqual(['keep-together'])
  expect(kinds(world, move(101, 'pve1', 'pve2'), move(102, 'pve1', 'pve3'))).toEqual(['keep-together'])
  expect(kinds(world, move(101, 'pve1', 'pve2'), move(102, 'pve1', 'pve2'))).toEqual([])
})
