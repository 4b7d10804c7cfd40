import { expect, test } from 'vitest'
import type { Rule } from '#domain/guest'
import { nodeName, vmid } from '#domain/ids'
import { DEFAULT_PLAN_POLICY } from '#domain/policy'
import { Board, type Unit } from './board.ts'
import { aCluster, aGuest, aNode, GIB, keepApart } from './testing.ts'

const node = { memoryBytes: 100 * GIB, memoryUsedBytes: 0 }
const eight = { memoryBytes: 8 * GIB }

function boardOf(rules: readonly Rule[] = []) {
  const nodes = ['pve1', 'pve2', 'pve3'].map((name) => aNode(name, node))
  const guests = [aGuest(101, 'pve1', eight), aGuest(102, 'pve2', eight)]
  const policy = { ...DEFAULT_PLAN_POLICY, memoryHeadroomFraction: 0 }
  const board = new Board({ cluster: aCluster(nodes, guests, rules), drain: [nodeName('pve1')], policy })
  const unit = (id: number): Unit => board.unitOf.get(vmid(id)) as Unit
  return { board, one: unit(101), other: unit(102), pve2: board.indexOf(nodeName('pve2')), pve3: 2 }
}

test('guests that must be apart are apart on the way too: where one is, and where it is heading', () => {
  const { board, one, other, pve2, pve3 } = boardOf([keepApart(101, 102)])
  expect(board.fits(one, pve2)).toBe(false)
  expect(board.fits(one, pve3)).toBe(true)
  board.begin(other, pve3)
  expect(board.fits(one, pve3)).toBe(false)
  expect(board.fits(one, pve2)).toBe(false)
  board.end(other)
  expect(board.fits(one, pve3)).toBe(false)
  expect(board.fits(one, pve2)).toBe(true)
})

test('a guest on its way counts on both ends', () => {
  const { board, other, pve2, pve3 } = boardOf()
  board.begin(other, pve3)
  expect([board.memory[pve2], board.memory[pve3]]).toEqual([8 * GIB, 8 * GIB])
  board.end(other)
  expect([board.memory[pve2], board.memory[pve3]]).toEqual([0, 8 * GIB])
})
