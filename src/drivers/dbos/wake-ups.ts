/** Wakes those in this process who wait for something about a saga, so that their polls can be slow. */

export type Bell = {
  /** Resolves when it was rung since the last time, or after `limitMs` of real time. Never after `WakeUps.close`. */
  rings(limitMs: number): Promise<void>
  ring(): void
  close(): void
}

export class WakeUps {
  readonly #bells = new Map<string, Set<Bell>>()
  #isClosed = false

  ring(id: string): void {
    for (const bell of [...(this.#bells.get(id) ?? [])]) bell.ring()
  }

  listen(id: string): Bell {
    const bells = this.#bells.get(id) ?? new Set()
    this.#bells.set(id, bells)
    const bell = this.#bell(() => {
      bells.delete(bell)
      if (bells.size === 0) this.#bells.delete(id)
    })
    bells.add(bell)
    return bell
  }

  close(): void {
    this.#isClosed = true
    this.#bells.clear()
  }

  #bell(close: () => void): Bell {
    let isRung = false
    let wake: (() => void) | undefined
    return {
      close,
      ring: () => {
        isRung = true
        wake?.()
      },
      rings: (limitMs) =>
        new Promise((resolve) => {
          const done = () => {
            clearTimeout(timer)
            wake = undefined
            isRung = false
            if (!this.#isClosed) resolve()
          }
          const timer = setTimeout(done, isRung ? 0 : limitMs)
          wake = done
        }),
    }
  }
}
