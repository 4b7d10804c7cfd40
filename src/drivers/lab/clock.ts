/** The clock that follows the lab: the lab owns time, and lets it pass only while somebody waits for it. */
import type { Clock } from '#ports/clock'
import { type LabLink, untilItAnswers } from './link.ts'

type Time = { readonly nowMs: number }

/** `isPatient`: asked before every wait; who is patient is answered in time, and no time passes for his sake. */
export function labClock(link: LabLink, isPatient: () => boolean = () => false): Clock {
  return {
    nowMs: async () => (await untilItAnswers(() => link.get<Time>('/time'))).nowMs,
    async sleepUntil(atMs, signal) {
      // The lab answers after at most a second of real time, reached or not.
      for (let nowMs = Number.NEGATIVE_INFINITY; nowMs < atMs && signal?.aborted !== true; ) {
        nowMs = (await untilItAnswers(() => link.post<Time>('/time/wait', { untilMs: atMs, patient: isPatient() })))
          .nowMs
      }
    },
  }
}
