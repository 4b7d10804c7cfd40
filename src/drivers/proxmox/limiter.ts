/** At most so many at once; the rest wait in order. Each of them has a deadline of its own, so the queue moves. */
export function limiter(atOnceLimit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let running = 0
  return async (work) => {
    if (running >= atOnceLimit) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      // The place is handed over, not given up: nobody can slip in between.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
