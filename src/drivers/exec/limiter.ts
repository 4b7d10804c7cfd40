/** Lets at most so many of something run at once; who comes later waits his turn, in order. */

export type Limiter = <T>(work: () => Promise<T>) => Promise<T>

export function limiter(atOnce: number): Limiter {
  let running = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    // Whoever ends hands his place on, so that nobody slips in between.
    if (running < atOnce) running++
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
