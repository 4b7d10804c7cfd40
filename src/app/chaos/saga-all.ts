/** Every trial of the whole saga in memory, or a sample of them, spread over worker threads. */
import { Worker } from 'node:worker_threads'
import { sagaNights } from './saga-nights.ts'
import { playUndisturbed, type SagaTrial, type SagaVerdict, sampleOf, trialsOf } from './saga-trials.ts'
import type { SagaTask, SagaTaskDone } from './saga-worker.ts'

/** So many trials go to a thread at once. */
const TASK_SIZE = 25

export type SagaChaos = {
  readonly seed: number
  readonly threads: number
  /** Of each night at most so many; Infinity: all. */
  readonly perNight: number
  readonly onVerdict: (verdict: SagaVerdict) => void
}

/** Rejects when a thread dies. */
export async function playSagaChaos(options: SagaChaos): Promise<void> {
  const trials: SagaTrial[] = []
  for (const night of sagaNights()) {
    const all = trialsOf(await playUndisturbed(night))
    trials.push(...sampleOf(all, { count: options.perNight, seed: options.seed }))
  }
  const tasks = Array.from({ length: Math.ceil(trials.length / TASK_SIZE) }, (_, index) =>
    trials.slice(index * TASK_SIZE, (index + 1) * TASK_SIZE),
  ).values()
  await Promise.all(Array.from({ length: options.threads }, () => workThrough(tasks, options.onVerdict)))
}

async function workThrough(tasks: Iterable<SagaTask>, onVerdict: SagaChaos['onVerdict']): Promise<void> {
  const worker = new Worker(new URL('./saga-worker.ts', import.meta.url))
  try {
    for (const task of tasks) for (const verdict of await done(worker, task)) onVerdict(verdict)
  } finally {
    await worker.terminate()
  }
}

function done(worker: Worker, task: SagaTask): Promise<SagaTaskDone> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('message', (verdicts: SagaTaskDone) => {
      worker.off('error', reject)
      resolve(verdicts)
    })
    worker.postMessage(task)
  })
}
