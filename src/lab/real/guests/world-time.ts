/** When the world's clock showed what, by the machine's: the prober lives in real time, and is asked about the world's. Pure. */
export class WorldTime {
  readonly #worldMs: number[] = []
  readonly #realMs: number[] = []

  /** Both clocks never go back; between two notes nobody knows. */
  note(worldMs: number, realMs: number): void {
    if (this.#worldMs.at(-1) === worldMs) return
    this.#worldMs.push(worldMs)
    this.#realMs.push(realMs)
  }

  /** The last real moment of which the world's time is known not to be later. */
  realBefore(worldMs: number): number | undefined {
    return this.#realMs[countUpTo(this.#worldMs, worldMs) - 1]
  }

  /** The first real moment of which the world's time is known not to be earlier. */
  realAfter(worldMs: number): number | undefined {
    const before = countUpTo(this.#worldMs, worldMs)
    return this.#worldMs[before - 1] === worldMs ? this.#realMs[before - 1] : this.#realMs[before]
  }

  worldBefore(realMs: number): number | undefined {
    return this.#worldMs[countUpTo(this.#realMs, realMs) - 1]
  }
}

/** How many values are not above the limit; the list is in order. */
function countUpTo(values: readonly number[], limit: number): number {
  let [low, high] = [0, values.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((values[middle] as number) <= limit) low = middle + 1
    else high = middle
  }
  return low
}
