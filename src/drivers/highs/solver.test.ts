import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { drawAt } from '#domain/random'
import type { Milp } from '#ports/solver'
import { HighsSolver } from './solver.ts'

const LIMIT_MS = 10_000
const solver = new HighsSolver()
afterAll(() => solver.close())

const whole = (cost: number, upper = 1) => ({ cost, lower: 0, upper, isWhole: true })
const sum = (factors: readonly number[]) => factors.map((factor, column) => ({ column, factor }))

/** The most value in a sack, as the least of its negative. */
const sack = (values: readonly number[], weights: readonly number[], holds: number): Milp => ({
  columns: values.map((value) => whole(-value)),
  rows: [{ terms: sum(weights), lower: Number.NEGATIVE_INFINITY, upper: holds }],
})

function bestByHand(values: readonly number[], weights: readonly number[], holds: number): number {
  let best = 0
  for (let set = 0; set < 2 ** values.length; set++) {
    const total = (of: readonly number[]) => of.reduce((all, one, index) => all + ((set >> index) & 1) * one, 0)
    if (total(weights) <= holds) best = Math.max(best, total(values))
  }
  return best
}

describe('HiGHS in its thread', () => {
  test('finds what trying everything finds, and keeps the order of the columns', async () => {
    const item = fc.record({ value: fc.integer({ min: 1, max: 50 }), weight: fc.integer({ min: 1, max: 50 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 9 }), fc.nat(150), async (items, holds) => {
        const values = items.map(({ value }) => value)
        const weights = items.map(({ weight }) => weight)
        const answer = await solver.solve(sack(values, weights, holds), LIMIT_MS)
        if (answer.is !== 'optimal') throw new Error(answer.is)
        const chosen = answer.values.map(Math.round)
        const total = (of: readonly number[]) => of.reduce((all, one, index) => all + (chosen[index] ?? 0) * one, 0)
        expect(total(weights)).toBeLessThanOrEqual(holds)
        expect(total(values)).toBe(bestByHand(values, weights, holds))
        expect(answer.cost).toBeCloseTo(-total(values))
      }),
      { numRuns: 60, seed: 20261122 },
    )
  })

  test('proves that two things of three do not go into one place', async () => {
    const problem: Milp = {
      columns: [whole(0), whole(0), whole(0)],
      rows: [
        { terms: sum([1, 1, 1]), lower: 2, upper: 2 },
        { terms: sum([3, 4, 5]), lower: Number.NEGATIVE_INFINITY, upper: 6 },
      ],
    }
    expect(await solver.solve(problem, LIMIT_MS)).toEqual({ is: 'infeasible' })
  })

  test('a row without terms that asks for something is infeasible', async () => {
    const problem: Milp = { columns: [whole(1)], rows: [{ terms: [], lower: 1, upper: 1 }] }
    expect(await solver.solve(problem, LIMIT_MS)).toEqual({ is: 'infeasible' })
  })

  test('a time that is over says so, and the next question is answered', async () => {
    // A market split: far too hard for the time, and not infeasible.
    const columns = Array.from({ length: 60 }, () => whole(0))
    const rows = Array.from({ length: 6 }, (_, row) => {
      const factors = columns.map((_column, index) => Math.floor(100 * drawAt(row, 'split', index)))
      const half = Math.floor(factors.reduce((all, one) => all + one, 0) / 2)
      return { terms: sum(factors), lower: half, upper: half }
    })
    expect((await solver.solve({ columns, rows }, 50)).is).toBe('unanswered')
    expect((await solver.solve(sack([3, 4], [1, 1], 1), LIMIT_MS)).is).toBe('optimal')
  })

  test('questions asked together are answered in turn', async () => {
    const answers = await Promise.all(
      [1, 2, 3].map((holds) => solver.solve(sack([5, 5, 5], [1, 1, 1], holds), LIMIT_MS)),
    )
    expect(answers.map((answer) => (answer.is === 'optimal' ? answer.cost : answer.is))).toEqual([-5, -10, -15])
  })
})
