/** A worker thread that plays trials of one night, as it is told; every verdict is a message. */
import { parentPort } from 'node:worker_threads'
import { sagaNights } from './saga-nights.ts'
import { playTrial, playUndisturbed, type SagaTrial, type SagaVerdict, type Undisturbed } from './saga-trials.ts'

export type SagaTask = readonly SagaTrial[]
export type SagaTaskDone = readonly SagaVerdict[]

const known = new Map<string, Promise<Undisturbed>>()

/** Played once a thread. */
function calmOf(name: string): Promise<Undisturbed> {
  const night = sagaNights().find((one) => one.name === name)
  if (night === undefined) throw new Error(`there is no night "${name}"`)
  const calm = known.get(name) ?? playUndisturbed(night)
  known.set(name, calm)
  return calm
}

parentPort?.on('message', async (task: SagaTask) => {
  const verdicts: SagaVerdict[] = []
  for (const trial of task) verdicts.push(await playTrial(await calmOf(trial.night), trial))
  parentPort?.postMessage(verdicts satisfies SagaTaskDone)
})
