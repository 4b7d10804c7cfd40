/** One target's probes as they are sent and answered, cut into stretches that are finished when no answer can come any more. */
import { ANSWER_LIMIT_MS, LOST, type ProbeTarget, UNSENT } from '#domain/probing'

/** Times by the monotonic clock; what of the wall clock is needed comes with `clockOffset`. */
export type Stretch = {
  readonly target: ProbeTarget
  readonly periodMs: number
  readonly firstDueMs: number
  /** Wall clock less monotonic clock, when it began and when it was finished. */
  readonly offsetsMs: readonly [began: number, ended: number]
  readonly answersUs: readonly number[]
}

export const STRETCH_MS = 10_000
/** Later than this part of a period a probe is not sent at all: the beat would be another one. */
const LATE_PART = 4

export const clockOffset = () => Date.now() - performance.now()

type Open = {
  readonly periodMs: number
  readonly firstDueMs: number
  readonly offsetMs: number
  readonly answersUs: number[]
}

export class Lane {
  readonly target: ProbeTarget
  dueMs: number
  #periodMs: number
  #open: Open | undefined
  #closing: { readonly open: Open; readonly readyAtMs: number }[] = []

  constructor(target: ProbeTarget, firstDueMs: number, periodMs: number) {
    this.target = target
    this.dueMs = firstDueMs
    this.#periodMs = periodMs
  }

  /** Begins another beat; what was begun in the old one is finished. */
  change(firstDueMs: number, periodMs: number, nowMs: number): void {
    this.#close(nowMs)
    this.dueMs = firstDueMs
    this.#periodMs = periodMs
  }

  /**
   * Takes the probe that is due: 'late' when it is not to be sent, else where its answer goes. Answers after the limit change
   * nothing.
   */
  take(nowMs: number): 'late' | ((answeredAtMs: number) => void) {
    const dueMs = this.dueMs
    this.dueMs += this.#periodMs
    if (nowMs - dueMs > STRETCH_MS) {
      // The whole process stood still: what lies behind is a gap of ours, and is not filled slot by slot.
      this.#close(nowMs)
      this.dueMs = nowMs + this.#periodMs
      return 'late'
    }
    if (this.#open !== undefined && dueMs - this.#open.firstDueMs >= STRETCH_MS) this.#close(nowMs)
    this.#open ??= { periodMs: this.#periodMs, firstDueMs: dueMs, offsetMs: clockOffset(), answersUs: [] }
    const { answersUs } = this.#open
    if (nowMs - dueMs > this.#periodMs / LATE_PART) {
      answersUs.push(UNSENT)
      return 'late'
    }
    const index = answersUs.push(LOST) - 1
    return (answeredAtMs) => {
      if (answeredAtMs - dueMs <= ANSWER_LIMIT_MS)
        answersUs[index] = Math.max(0, Math.round((answeredAtMs - dueMs) * 1000))
    }
  }

  /** What is finished by now; with `all`, also what was begun, though some answers may be missing. */
  finished(nowMs: number, all = false): readonly Stretch[] {
    if (all) this.#close(Number.NEGATIVE_INFINITY)
    const ready = this.#closing.filter(({ readyAtMs }) => readyAtMs <= nowMs)
    this.#closing = this.#closing.filter((one) => !ready.includes(one))
    return ready.map(({ open: { periodMs, firstDueMs, offsetMs, answersUs } }) => ({
      target: this.target,
      periodMs,
      firstDueMs,
      offsetsMs: [offsetMs, clockOffset()],
      answersUs: [...answersUs],
    }))
  }

  #close(nowMs: number): void {
    if (this.#open !== undefined) this.#closing.push({ open: this.#open, readyAtMs: nowMs + ANSWER_LIMIT_MS })
    this.#open = undefined
  }
}
