/** The plan step asks the solver that is among the ports, and does without where there is none. */
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Plan } from '#domain/plan'
import { HighsSolver } from '#drivers/highs/solver'
import type { Solver } from '#ports/solver'
import { playCalm } from './night-kit.ts'

/** The first plan that a night proposes. */
async function planOfNight(solver?: Solver): Promise<Plan> {
  let plan: Plan | undefined
  const underWay = new Set<Promise<unknown>>()
  const counted: Solver | undefined = solver && {
    solve: (problem, limitMs) => {
      const answer = solver.solve(problem, limitMs)
      underWay.add(answer)
      return answer.finally(() => underWay.delete(answer))
    },
  }
  // The solver is another thread: what follows an answer may ask again.
  const quiet = async () => {
    do {
      await Promise.all(underWay)
      await setImmediate()
    } while (underWay.size > 0)
  }
  await playCalm({
    onRow: ({ event }) => {
      if (event.kind === 'plan-proposed') plan ??= event.plan
    },
    endsWith: ({ event }) => event.kind === 'plan-proposed',
    ...(counted === undefined
      ? {}
      : {
          outside: async () => ({
            ports: { solver: counted },
            quiet,
            close: async () => {},
          }),
        }),
  })
  if (plan === undefined) throw new Error('no plan was proposed')
  return plan
}

test('a plan of the story is proven where a solver is at hand, with the same moves', async () => {
  const solver = new HighsSolver()
  const proven = await planOfNight(solver)
  await solver.close()
  const own = await planOfNight()
  expect(own.proof).toEqual({ placement: 'complete', residents: 'none', reasons: 'none', solver: 'not-asked' })
  expect(proven.proof).toMatchObject({ placement: 'complete', fullestAtLeastFraction: expect.any(Number) })
  expect(proven.moves).toEqual(own.moves)
})
