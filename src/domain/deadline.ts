/** A deadline of a clock that may be set back while somebody waits: he waits on for what was left, and not for hours. Pure but for its memory. */

export type Deadline = {
  /** Asked with the time as the clock shows it now. */
  leftMs(nowMs: number): number
}

/** @param atMs by the clock that shows `nowMs` now */
export function deadlineAt(atMs: number, nowMs: number): Deadline {
  let endsAtMs = atMs
  let lastMs = nowMs
  return {
    leftMs(now) {
      if (now < lastMs) endsAtMs -= lastMs - now
      lastMs = now
      return endsAtMs - now
    },
  }
}
