/** Answers that change seldom and cost much: kept for a while, and only as long as nothing tells that they changed. */

type Kept<T, M> = { readonly untilMs: number; readonly mark: M; readonly value: T }

export type Memory<T, M = undefined> = {
  /** What is kept, or what `fetch` brings; undefined is never kept. */
  get(
    asked: { readonly key: string; readonly nowMs: number; readonly mark: M },
    fetch: () => Promise<T | undefined>,
  ): Promise<T | undefined>
}

/**
 * @param isSame whether a mark taken now still allows what was kept under an earlier one
 * @param entriesLimit the oldest go first when it is full
 */
export function memory<T, M>(options: {
  readonly keepMs: number
  readonly entriesLimit: number
  readonly isSame: (before: M, now: M) => boolean
}): Memory<T, M> {
  const { keepMs, entriesLimit, isSame } = options
  const kept = new Map<string, Kept<T, M>>()
  return {
    async get({ key, nowMs, mark }, fetch) {
      const found = kept.get(key)
      // A clock that jumped back makes an entry look young for ever: then it is not believed.
      const isYoung = found !== undefined && found.untilMs > nowMs && found.untilMs <= nowMs + keepMs
      if (isYoung && isSame(found.mark, mark)) return found.value
      kept.delete(key)
      const value = await fetch()
      if (value === undefined) return undefined
      if (kept.size >= entriesLimit) kept.delete(kept.keys().next().value ?? key)
      kept.set(key, { untilMs: nowMs + keepMs, mark, value })
      return value
    },
  }
}

/** Nothing but time tells that it may have changed. */
export const shortMemory = <T>(keepMs: number, entriesLimit: number): Memory<T> =>
  memory<T, undefined>({ keepMs, entriesLimit, isSame: () => true })
