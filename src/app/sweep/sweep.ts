/** Nights by the thousand, over all cores: night number i of a sweep is the night of seed + i, whoever plays it. */
import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Breach } from './liveness.ts'
import type { NightOutcome } from './play-drawn.ts'

export type BrokenNight = Breach & { readonly seed: number; readonly replay: string }

export type SweepResult = {
  /** Played: fewer than asked for where it was interrupted. */
  readonly nights: number
  readonly broken: readonly BrokenNight[]
  readonly eventCount: number
  /** Over all event logs, in order of their seeds. */
  readonly hash: string
  readonly wallMs: number
  readonly endings: Readonly<Record<string, number>>
  readonly worldHours: number
  readonly slowestMs: number
}

export type SweepOptions = {
  readonly nights: number
  readonly seed: number
  readonly workers?: number
  readonly onNight?: (outcome: NightOutcome, playedCount: number) => void
  readonly signal?: AbortSignal
}

/** A thread is given so many nights at once. */
const BATCH = 8
/** A night that takes longer hangs: its thread is ended. */
const HANGS_AFTER_MS = 60_000
const LOOK_EVERY_MS = 1_000

const replayLine = (seed: number) => `./coulisse sweep --nights 1 --seed ${seed}`

/** Resolves when every night was played, or with what there is when the signal comes. */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const { nights, seed: first, workers = availableParallelism(), onNight, signal } = options
  const beganMs = performance.now()
  const outcomes: (NightOutcome | undefined)[] = new Array(nights).fill(undefined)
  const waiting = Array.from({ length: Math.ceil(nights / BATCH) }, (_, batch) =>
    Array.from({ length: Math.min(BATCH, nights - batch * BATCH) }, (_, index) => first + batch * BATCH + index),
  )
  let playedCount = 0
  const take = (outcome: NightOutcome) => {
    outcomes[outcome.seed - first] = outcome
    onNight?.(outcome, ++playedCount)
  }
  const lanes = Array.from({ length: Math.min(workers, waiting.length) }, () => playLane(waiting, take, signal))
  await Promise.all(lanes)
  return { ...summaryOf(outcomes.filter((one) => one !== undefined)), wallMs: Math.round(performance.now() - beganMs) }
}

/** One thread after the other plays batches until none is left: a thread that hangs is ended, and the next goes on. */
async function playLane(
  waiting: number[][],
  take: (outcome: NightOutcome) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const isAborted = () => signal?.aborted === true
  let own: number[] = []
  while (!isAborted() && (own.length > 0 || waiting.length > 0)) {
    const rest = await playInThread({ own, waiting, take, signal })
    const [hung, ...others] = rest
    if (hung !== undefined && !isAborted()) take(hangs(hung))
    own = others
  }
}

/** Resolves with what was left of the batch when the thread hung or died; empty when all is played. */
function playInThread({
  own,
  waiting,
  take,
  signal,
}: {
  readonly own: number[]
  readonly waiting: number[][]
  readonly take: (outcome: NightOutcome) => void
  readonly signal: AbortSignal | undefined
}): Promise<number[]> {
  const worker = new Worker(new URL('./sweep-worker.ts', import.meta.url))
  return new Promise((resolve) => {
    let batch: number[] = []
    let heardAtMs = performance.now()
    const end = (rest: number[]) => {
      clearInterval(looking)
      signal?.removeEventListener('abort', stop)
      void worker.terminate().then(() => resolve(rest))
    }
    const stop = () => end(batch)
    const looking = setInterval(() => {
      if (performance.now() - heardAtMs > HANGS_AFTER_MS) end(batch)
    }, LOOK_EVERY_MS)
    const next = () => {
      batch = own.length > 0 ? own.splice(0) : [...(waiting.shift() ?? [])]
      if (batch.length === 0) return end([])
      worker.postMessage(batch)
    }
    worker.on('message', (outcome: NightOutcome) => {
      heardAtMs = performance.now()
      batch = batch.filter((seed) => seed !== outcome.seed)
      take(outcome)
      if (batch.length === 0) next()
    })
    worker.once('error', () => end(batch))
    signal?.addEventListener('abort', stop)
    next()
  })
}

const hangs = (seed: number): NightOutcome => ({
  seed,
  endings: [],
  broken: [{ promise: 'hangs', event: 0, atMs: 0, text: `the night gave no answer for ${HANGS_AFTER_MS / 1000} s` }],
  eventCount: 0,
  hash: '',
  wallMs: HANGS_AFTER_MS,
  worldMs: 0,
})

function summaryOf(outcomes: readonly NightOutcome[]): Omit<SweepResult, 'wallMs'> {
  const hash = createHash('sha256')
  const endings: Record<string, number> = {}
  for (const outcome of outcomes) {
    hash.update(`${outcome.seed} ${outcome.hash}\n`)
    for (const ending of outcome.endings) endings[ending] = (endings[ending] ?? 0) + 1
  }
  return {
    nights: outcomes.length,
    broken: outcomes.flatMap(({ seed, broken }) => broken.map((one) => ({ seed, ...one, replay: replayLine(seed) }))),
    eventCount: outcomes.reduce((sum, { eventCount }) => sum + eventCount, 0),
    hash: hash.digest('hex'),
    endings,
    worldHours: Math.round(outcomes.reduce((sum, { worldMs }) => sum + worldMs, 0) / 3_600_000),
    slowestMs: Math.round(Math.max(0, ...outcomes.map(({ wallMs }) => wallMs))),
  }
}
