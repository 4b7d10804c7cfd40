/** Keeps the beat for TCP and HTTP(S) targets: each probe at its time by the monotonic clock, spread evenly over a period. */
import { FAST_PERIOD_MS, type ProbeTarget } from '#domain/probing'
import { HttpProbes } from './http.ts'
import { Lane, type Stretch } from './lanes.ts'
import { TcpProbes } from './tcp.ts'

export type Prober = {
  /** The same period again changes nothing. */
  beat(periodMs: number): void
  /** Everything that was begun, finished or not. */
  stop(): Promise<void>
}

export type ProberOptions = {
  readonly targets: readonly ProbeTarget[]
  readonly periodMs: number
  readonly onStretch: (stretch: Stretch) => void
  /** How late each probe was sent, in ms: for benchmarks. */
  readonly onLateness?: (ms: number) => void
}

const TICK_MS = 1
const SWEEP_EVERY_MS = 100

export function startProber(options: ProberOptions): Prober {
  const beat = new Beat(options)
  beat.tick()
  return { beat: (periodMs) => beat.change(periodMs), stop: () => beat.stop() }
}

class Beat {
  readonly #options: ProberOptions
  /** In the order of their turns; all have one period, so it never changes. */
  readonly #lanes: readonly Lane[]
  readonly #tcp = new TcpProbes()
  readonly #http = new HttpProbes()
  #periodMs: number
  #turn = 0
  #sweepAtMs = 0
  #isStopped = false

  constructor(options: ProberOptions) {
    this.#options = options
    this.#periodMs = options.periodMs
    const startMs = performance.now() + FAST_PERIOD_MS
    this.#lanes = options.targets.map(
      (target, index) => new Lane(target, startMs + this.#phaseOf(index), this.#periodMs),
    )
  }

  #phaseOf(index: number): number {
    return (index * this.#periodMs) / Math.max(1, this.#options.targets.length)
  }

  change(periodMs: number): void {
    if (periodMs === this.#periodMs) return
    this.#periodMs = periodMs
    const nowMs = performance.now()
    for (const [index, lane] of this.#lanes.entries()) lane.change(nowMs + this.#phaseOf(index), periodMs, nowMs)
    this.#turn = 0
  }

  readonly tick = (): void => {
    if (this.#isStopped) return
    this.#sendDue()
    const nowMs = performance.now()
    if (nowMs >= this.#sweepAtMs) {
      this.#sweepAtMs = nowMs + SWEEP_EVERY_MS
      this.#tcp.sweep(nowMs)
      this.#hand(nowMs)
    }
    setTimeout(this.tick, TICK_MS)
  }

  #sendDue(): void {
    for (let sent = 0; sent < this.#lanes.length; sent++) {
      const lane = this.#lanes[this.#turn]
      const nowMs = performance.now()
      if (lane === undefined || lane.dueMs > nowMs) return
      this.#turn = (this.#turn + 1) % this.#lanes.length
      this.#options.onLateness?.(nowMs - lane.dueMs)
      const answered = lane.take(nowMs)
      if (answered !== 'late') this.#send(lane.target, answered)
    }
  }

  #send({ how }: ProbeTarget, answered: (atMs: number) => void): void {
    if (how.is === 'tcp') this.#tcp.send(how, answered)
    if (how.is === 'http') this.#http.send(how, answered)
  }

  #hand(nowMs: number, all = false): void {
    for (const lane of this.#lanes) for (const stretch of lane.finished(nowMs, all)) this.#options.onStretch(stretch)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#hand(Number.POSITIVE_INFINITY, true)
    this.#tcp.close()
    await this.#http.close()
  }
}
