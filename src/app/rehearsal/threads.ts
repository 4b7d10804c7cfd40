/** Nights over worker threads: each thread is given the next seed when it has played its last. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Setting } from './play-twin.ts'
import type { Played, Wish } from './rehearse-worker.ts'

const THREADS_LIMIT = 8

/** Threads begin when they are first needed, and end with `close`. */
export class Threads {
  readonly #setting: Setting
  readonly #limit: number
  readonly #workers: Worker[] = []

  /** `limit`: as many as the machine has cores, and at most 8, where absent. */
  constructor(setting: Setting, limit = availableParallelism()) {
    this.#setting = setting
    this.#limit = Math.min(limit, THREADS_LIMIT)
  }

  /** In the order of the wishes. Rejects when a thread itself dies; a night that breaks is an answer. One call at a time. */
  async play(wishes: readonly Wish[], onPlayed: () => void): Promise<readonly Played[]> {
    const open = [...wishes.entries()].reverse()
    const played: Played[] = []
    const work = async (worker: Worker) => {
      for (let next = open.pop(); next !== undefined; next = open.pop()) {
        const [index, wish] = next
        played[index] = await ask(worker, wish)
        onPlayed()
      }
    }
    const count = Math.min(this.#limit, wishes.length)
    await Promise.all(Array.from({ length: count }, (_, index) => work(this.#worker(index))))
    return played
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => worker.terminate()))
  }

  #worker(index: number): Worker {
    this.#workers[index] ??= new Worker(new URL('./rehearse-worker.ts', import.meta.url), { workerData: this.#setting })
    return this.#workers[index]
  }
}

function ask(worker: Worker, wish: Wish): Promise<Played> {
  return new Promise((resolve, reject) => {
    const over = () => {
      worker.off('message', answered)
      worker.off('error', failed)
      worker.off('exit', ended)
    }
    const answered = (played: Played) => {
      over()
      resolve(played)
    }
    const failed = (cause: unknown) => {
      over()
      reject(new Error(`the thread that played seed ${wish.seed} failed`, { cause }))
    }
    const ended = (code: number) => failed(new Error(`it ended with ${code}`))
    worker.on('message', answered)
    worker.on('error', failed)
    worker.on('exit', ended)
    worker.postMessage(wish)
  })
}
