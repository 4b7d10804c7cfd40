/** Chance for drawing nights: one stream a subject, so that one more draw for a fault does not shift a guest's. */
import { drawAt } from '#domain/random'

export class Chance {
  readonly #seed: number
  readonly #subject: string
  #drawn = 0

  constructor(seed: number, subject: string) {
    this.#seed = seed
    this.#subject = subject
  }

  /** In [0, 1). */
  next(): number {
    return drawAt(this.#seed, this.#subject, this.#drawn++)
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  /** Whole, both ends included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  isLikely(share: number): boolean {
    return this.next() < share
  }

  /** Of a list that is not empty. */
  pick<T>(all: readonly T[]): T {
    return all[this.below(all.length)] as T
  }

  /** So many different ones, or all. */
  sample<T>(all: readonly T[], count: number): readonly T[] {
    const rest = [...all]
    const taken: T[] = []
    while (taken.length < count && rest.length > 0) taken.push(...rest.splice(this.below(rest.length), 1))
    return taken
  }
}

/** One night's streams by name. */
export type Streams = (subject: string) => Chance

export const streamsOf =
  (seed: number): Streams =>
  (subject) =>
    new Chance(seed, `night/${subject}`)
