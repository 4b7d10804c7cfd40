/** HiGHS behind the solver port: a worker thread, one question at a time, each with a limit. */
import { Worker } from 'node:worker_threads'
import type { Milp, Solver, SolverAnswer } from '#ports/solver'
import { modelText } from './model-text.ts'
import type { Question, Reply } from './worker.ts'

/** HiGHS looks at its clock between steps only; after this much more its thread is ended. */
const GRACE_MS = 5_000

type Waiting = { readonly id: number; readonly finish: (answer: SolverAnswer) => void }

export class HighsSolver implements Solver {
  #worker: Worker | undefined
  #waiting: Waiting | undefined
  #last: Promise<unknown> = Promise.resolve()
  #asked = 0

  solve(problem: Milp, limitMs: number): Promise<SolverAnswer> {
    const answer = this.#last.then(() => this.#ask(problem, limitMs))
    this.#last = answer
    return answer
  }

  /** Ends the thread, which would keep the process alive; a later question starts another. */
  async close(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }

  async #ask(problem: Milp, limitMs: number): Promise<SolverAnswer> {
    this.#worker ??= this.#start()
    const id = ++this.#asked
    const question: Question = {
      id,
      text: modelText(problem),
      columnCount: problem.columns.length,
      isWhole: problem.columns.some((column) => column.isWhole),
      limitS: limitMs / 1000,
    }
    this.#worker.postMessage(question)
    let timer: NodeJS.Timeout | undefined
    const answer = await new Promise<SolverAnswer | 'late'>((resolve) => {
      this.#waiting = { id, finish: resolve }
      timer = setTimeout(() => resolve('late'), limitMs + GRACE_MS)
    })
    clearTimeout(timer)
    this.#waiting = undefined
    if (answer !== 'late') return answer
    // Held until it is gone: two threads at once would slow each other.
    await this.close()
    return { is: 'unanswered', why: `no answer in ${limitMs + GRACE_MS} ms` }
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url))
    const fail = (why: string) => {
      if (this.#worker !== worker) return
      this.#worker = undefined
      this.#waiting?.finish({ is: 'unanswered', why })
    }
    worker.on('message', ({ id, answer }: Reply) => {
      if (id === this.#waiting?.id) this.#waiting.finish(answer)
    })
    worker.on('error', (error) => fail(`the solver failed: ${String(error)}`))
    worker.on('exit', (code) => fail(`the solver's thread ended with ${code}`))
    return worker
  }
}
