/** A clock that stands still until somebody moves it: a night of hours passes in milliseconds, and twice the same. */
import type { Clock, Quit } from '#ports/clock'

type Sleeper = { atMs: number; readonly wake: () => void }

/** It may be wrong: `jump` sets it forward or back, and what it shows is not the time that has passed any more. */
export class VirtualClock implements Clock {
  #trueMs: number
  #offsetMs = 0
  /** In order of waking, by the time that the clock shows; those of one moment in the order in which they went to sleep. */
  readonly #sleepers: Sleeper[] = []

  constructor(startMs = 0) {
    this.#trueMs = startMs
  }

  /** What it shows; for the lab itself, which needs no promise to know the time. */
  get atMs(): number {
    return this.#trueMs + this.#offsetMs
  }

  /** The world's time, which goes on whatever the clock shows. */
  get trueMs(): number {
    return this.#trueMs
  }

  async nowMs(): Promise<number> {
    return this.atMs
  }

  /** Shows the true time and `offsetMs` from now on. Whoever sleeps until a time that it shows now wakes with the next step. */
  jump(offsetMs: number): void {
    const backMs = Math.max(0, this.#offsetMs - offsetMs)
    this.#offsetMs = offsetMs
    // Set back, it makes nobody sleep longer than he had asked for.
    if (backMs > 0) for (const sleeper of this.#sleepers) sleeper.atMs -= backMs
  }

  sleepUntil(atMs: number, quit?: Quit): Promise<void> {
    if (quit?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const forget = this.wakeAt(atMs, resolve)
      quit?.addEventListener('abort', () => {
        forget()
        resolve()
      })
    })
  }

  /** Calls `wake` once when the clock shows `atMs`; the answer takes it back. */
  wakeAt(atMs: number, wake: () => void): () => void {
    if (Number.isNaN(atMs)) throw new RangeError('nobody can sleep until NaN')
    if (atMs <= this.atMs) {
      wake()
      return () => {}
    }
    const sleeper = { atMs, wake }
    this.#sleepers.splice(this.#placeFor(atMs), 0, sleeper)
    return () => {
      const place = this.#sleepers.indexOf(sleeper)
      if (place >= 0) this.#sleepers.splice(place, 1)
    }
  }

  /** In true time; not later than now where the clock was set forward over it. */
  nextWakeAtMs(): number | undefined {
    const next = this.#sleepers[0]
    return next === undefined ? undefined : Math.max(this.#trueMs, next.atMs - this.#offsetMs)
  }

  /** To a moment of true time. Wakes all whose time has come, in order. Time never goes back: an earlier moment changes nothing. */
  advanceTo(trueMs: number): void {
    this.#trueMs = Math.max(this.#trueMs, trueMs)
    for (let next = this.#sleepers[0]; next && next.atMs <= this.atMs; next = this.#sleepers[0]) {
      this.#sleepers.shift()
      next.wake()
    }
  }

  #placeFor(atMs: number): number {
    let low = 0
    let high = this.#sleepers.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#sleepers[middle] as Sleeper).atMs <= atMs) low = middle + 1
      else high = middle
    }
    return low
  }
}
