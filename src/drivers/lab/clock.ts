/** The clock that follows the lab: the lab owns time, and lets it pass only while somebody waits for it. */
import { randomUUID } from 'node:crypto'
import { type Deadline, deadlineAt } from '#domain/deadline'
import type { Clock } from '#ports/clock'
import { type LabLink, untilItAnswers } from './link.ts'

type Time = { readonly nowMs: number }

/** `isPatient`: asked before every wait; who is patient is answered in time, and no time passes for his sake. */
export function labClock(link: LabLink, isPatient: () => boolean | Promise<boolean> = () => false): Clock {
  return {
    nowMs: async () => (await untilItAnswers(() => link.get<Time>('/time'))).nowMs,
    async sleepUntil(atMs, quit) {
      const id = randomUUID()
      // The lab forgets who quits: a waiter of the past would make time run ahead of those who act.
      quit?.addEventListener('abort', () => void link.post('/time/quit', { id }).catch(() => {}), { once: true })
      // The lab answers after at most a second of real time, reached or not.
      let deadline: Deadline | undefined
      for (let untilMs = atMs, leftMs = 1; leftMs > 0 && quit?.aborted !== true; ) {
        const wait = { untilMs, patient: await isPatient(), id }
        const { nowMs } = await untilItAnswers(() => link.post<Time>('/time/wait', wait))
        deadline ??= deadlineAt(atMs, nowMs)
        leftMs = deadline.leftMs(nowMs)
        untilMs = nowMs + leftMs
      }
    },
  }
}
