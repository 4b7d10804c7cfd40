/** A clock that stands still until somebody moves it: a night of hours passes in milliseconds, and twice the same. */
import type { Clock, Quit } from '#ports/clock'

type Sleeper = { readonly atMs: number; readonly wake: () => void }

export class VirtualClock implements Clock {
  #nowMs: number
  /** In order of waking; those of one moment in the order in which they went to sleep. */
  readonly #sleepers: Sleeper[] = []

  constructor(startMs = 0) {
    this.#nowMs = startMs
  }

  /** For the lab itself, which needs no promise to know the time. */
  get atMs(): number {
    return this.#nowMs
  }

  async nowMs(): Promise<number> {
    return this.#nowMs
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

  /** Calls `wake` once when the clock has reached `atMs`; the answer takes it back. */
  wakeAt(atMs: number, wake: () => void): () => void {
    if (Number.isNaN(atMs)) throw new RangeError('nobody can sleep until NaN')
    if (atMs <= this.#nowMs) {
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

  nextWakeAtMs(): number | undefined {
    return this.#sleepers[0]?.atMs
  }

  /** Wakes all whose time has come, in order. Time never goes back: an earlier moment changes nothing. */
  advanceTo(atMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, atMs)
    for (let next = this.#sleepers[0]; next && next.atMs <= this.#nowMs; next = this.#sleepers[0]) {
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
