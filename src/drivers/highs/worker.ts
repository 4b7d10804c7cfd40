/** The thread that HiGHS blocks: one question in, one answer out. */
import { parentPort } from 'node:worker_threads'
import imported, { type Highs } from 'highs'
import type { SolverAnswer } from '#ports/solver'

export type Question = {
  readonly id: number
  readonly text: string
  readonly columnCount: number
  readonly isWhole: boolean
  readonly limitS: number
}
export type Reply = { readonly id: number; readonly answer: SolverAnswer }

/** The package's types tell of its CommonJS build; as an ES module the loader itself is the default export. */
const loadHighs = imported as unknown as () => Promise<Highs>
const loaded = loadHighs()

parentPort?.on('message', async (question: Question) => {
  const answer = await loaded
    .then((highs) => answerTo(highs, question))
    .catch((error: unknown): SolverAnswer => ({ is: 'unanswered', why: String(error) }))
  parentPort?.postMessage({ id: question.id, answer } satisfies Reply)
})

function answerTo(highs: Highs, { text, columnCount, isWhole, limitS }: Question): SolverAnswer {
  return highs.withModel({ format: 'lp', data: text }, (model): SolverAnswer => {
    model.options.set({ output_flag: false, time_limit: limitS })
    model.run()
    const status = model.getModelStatus()
    const { optimal, infeasible, unboundedOrInfeasible, empty } = highs.constants.modelStatus
    // Every column of ours is bounded, so nothing is unbounded.
    if (status === infeasible || status === unboundedOrInfeasible) return { is: 'infeasible' }
    const isProven = status === optimal || status === empty
    if (!isProven && Number(model.info.get('primal_solution_status')) !== FEASIBLE_POINT)
      return { is: 'unanswered', why: `HiGHS ended with status ${status} and no values` }
    const cost = model.getObjectiveValue()
    return {
      is: isProven ? 'optimal' : 'feasible',
      cost,
      // Within HiGHS's own gap (0.01 %) of the best counts as optimal; what is proven is the bound.
      bound: isWhole ? Number(model.info.get('mip_dual_bound')) : cost,
      values: [...model.getSolution().colValue.slice(0, columnCount)],
    }
  })
}

/** HiGHS's kSolutionStatusFeasible. */
const FEASIBLE_POINT = 2
