/** What ends a process of ours that runs until it is told. */
import { once } from 'node:events'
import { followParent } from './demo/processes.ts'

export const ENDING = ['SIGINT', 'SIGTERM']
export const ENDING_IN_TERMINAL = [...ENDING, 'SIGHUP']

/** One of the signals, or the end of the launcher that started us. */
export async function untilSignal(names = ENDING_IN_TERMINAL): Promise<'signal' | 'parent-gone'> {
  const signals = names.map((name) => once(process, name))
  const parentGone = new Promise<'parent-gone'>((resolve) => followParent(() => resolve('parent-gone')))
  return Promise.race([parentGone, ...signals.map((signal) => signal.then(() => 'signal' as const))])
}
