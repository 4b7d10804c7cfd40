/** The thread that plays nights: a seed in, what the night came to out. */
import { parentPort, workerData } from 'node:worker_threads'
import { playTwin, type Rehearsed, type Setting } from './play-twin.ts'

export type Wish = { readonly seed: number; readonly withEvents: boolean }
export type Played =
  | { readonly is: 'played'; readonly seed: number; readonly night: Rehearsed }
  | { readonly is: 'broke'; readonly seed: number; readonly text: string }

parentPort?.on('message', async ({ seed, withEvents }: Wish) => {
  parentPort?.postMessage(await play(workerData as Setting, seed, withEvents))
})

async function play(setting: Setting, seed: number, withEvents: boolean): Promise<Played> {
  try {
    const night = await playTwin(setting, seed)
    return { is: 'played', seed, night: withEvents ? night : { ...night, events: [], log: [] } }
  } catch (error) {
    return { is: 'broke', seed, text: error instanceof Error ? error.message : String(error) }
  }
}
