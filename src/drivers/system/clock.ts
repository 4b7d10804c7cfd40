/** The machine's own clock. */
import { setTimeout as sleep } from 'node:timers/promises'
import { deadlineAt } from '#domain/deadline'
import type { Clock } from '#ports/clock'

/** setTimeout counts in 32 bits: a longer sleep is made of several. */
const LONGEST_SLEEP_MS = 2 ** 30

export function systemClock(): Clock {
  return {
    nowMs: async () => Date.now(),
    async sleepUntil(atMs, quit) {
      const awake = new AbortController()
      quit?.addEventListener('abort', () => awake.abort(), { once: true })
      const deadline = deadlineAt(atMs, Date.now())
      for (
        let leftMs = deadline.leftMs(Date.now());
        leftMs > 0 && quit?.aborted !== true;
        leftMs = deadline.leftMs(Date.now())
      ) {
        // An abort ends the sleep, and is no error.
        await sleep(Math.min(leftMs, LONGEST_SLEEP_MS), undefined, { signal: awake.signal }).catch(() => {})
      }
    },
  }
}
