/** Fast seeded chance for millions of draws: one stream, in order. */

/** mulberry32's step over a 32-bit state; the streams of the seeds are far enough apart for a benchmark. */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1) >>> 0
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  exponential(mean: number): number {
    return -Math.log(1 - this.next()) * mean
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low)
  }
}
