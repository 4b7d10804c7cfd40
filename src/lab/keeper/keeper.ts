/**
 * Joins real time to world time for the long-running lab: it runs free at a speed, or follows a control plane that waits, and
 * stands still while nobody runs. While something is in motion it is at most 20-fold, while a real process moves 1-fold.
 */
import type { LabWorld } from '#lab/world/lab-world'

/** The contract's ceiling while a migration, a shutdown or a recovery runs. */
const IN_MOTION_CEILING = 20
/** While a real process is moved: figures of it must not be stretched. */
const IN_REAL_TIME_CEILING = 1
/** How often world time is brought up to real time. */
const TICK_REAL_MS = 10
/** A waiter that asks for longer is answered by then, and asks again. */
const WAIT_LIMIT_REAL_MS = 1_000
/** While something is in motion, time flows on between two waits of a control plane that was heard of so lately. */
const PRESENT_FOR_REAL_MS = 250
/** A jump waits until nobody has asked anything for so long: the asker's next wait may be an earlier one. */
export const QUIET_BEFORE_JUMP_REAL_MS = 15
/** However long the wait: a jump is no longer, so that a poll which was just being answered comes back in time. */
const JUMP_LIMIT_MS = 300_000

export type Pace = {
  /** World seconds a real second; 'max': at once while nothing is in motion. */
  readonly speed: number | 'max'
  /** free: for `lab serve`. follow: for the demo; time stands unless somebody waits. */
  readonly mode: 'free' | 'follow'
}

type Waiter = {
  readonly untilMs: number
  /** Answered when its time comes, and never the reason that time passes: who acts meanwhile is not to be overtaken. */
  readonly isPatient: boolean
  /** Under which he may quit. */
  readonly id: string
  readonly answer: (nowMs: number) => void
  readonly giveUpAtRealMs: number
}

export type WaitOptions = { readonly isPatient?: boolean; readonly id?: string; readonly gone?: AbortSignal }

export type KeeperParts = {
  readonly lab: LabWorld
  readonly pace: Pace
  /** Real time in milliseconds, never going back. */
  readonly realNowMs: () => number
  /** After the world changed: writes it, or marks it to be written. */
  readonly onChange: () => void
}

export class Keeper {
  readonly #parts: KeeperParts
  #lastRealMs: number
  readonly #waiters = new Set<Waiter>()
  #timer: NodeJS.Timeout | undefined
  #lastHeardRealMs = Number.NEGATIVE_INFINITY
  /** World milliseconds that were too small a step to take. */
  #owedMs = 0

  constructor(parts: KeeperParts) {
    this.#parts = parts
    this.#lastRealMs = parts.realNowMs()
  }

  start(): void {
    this.#lastRealMs = this.#parts.realNowMs()
    this.#timer ??= setInterval(() => this.tick(), TICK_REAL_MS)
  }

  /** Waiters are answered with the time as it stands. */
  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const waiter of this.#waiters) this.#answer(waiter)
  }

  get nowMs(): number {
    return this.#parts.lab.state.nowMs
  }

  get waiterCount(): number {
    return this.#waiters.size
  }

  /** Somebody asks something over any wire: he is there, and will wait again soon. */
  heard(): void {
    this.#lastHeardRealMs = this.#parts.realNowMs()
  }

  /** Resolves when the world has reached `untilMs`, or after a second of real time, with the world's time then. */
  waitUntil(untilMs: number, { isPatient = false, id = '', gone }: WaitOptions = {}): Promise<number> {
    const { realNowMs } = this.#parts
    if (untilMs <= this.nowMs) return Promise.resolve(this.nowMs)
    return new Promise((resolve) => {
      this.heard()
      const giveUpAtRealMs = realNowMs() + WAIT_LIMIT_REAL_MS
      const waiter = { untilMs, isPatient, id, answer: resolve, giveUpAtRealMs }
      this.#waiters.add(waiter)
      gone?.addEventListener('abort', () => this.#forget(waiter), { once: true })
    })
  }

  /** Killed while he waited: no time passes for the dead, not even until his wait would have ended. */
  #forget(waiter: Waiter): void {
    if (!this.#waiters.delete(waiter)) return
    if (this.#waiters.size === 0) this.#lastHeardRealMs = Number.NEGATIVE_INFINITY
    waiter.answer(this.nowMs)
  }

  /** He waits no more: answered at once, and no time passes for his sake. */
  quit(id: string): void {
    for (const waiter of this.#waiters) if (waiter.id === id) this.#answer(waiter)
  }

  /** One step: as much world time as real time has gone by since the last allows. */
  tick(): void {
    const { lab, pace, realNowMs, onChange } = this.#parts
    const real = realNowMs()
    const passedMs = Math.max(0, real - this.#lastRealMs)
    this.#lastRealMs = real
    const before = { changeCount: lab.state.changeCount, nowMs: this.nowMs }
    if (pace.mode === 'free') this.#runFree(passedMs)
    else this.#follow(Math.min(passedMs, PRESENT_FOR_REAL_MS), real)
    if (lab.state.changeCount !== before.changeCount || this.nowMs !== before.nowMs) onChange()
    this.#answerDue(real)
  }

  #runFree(passedMs: number): void {
    const { lab, pace } = this.#parts
    const speed = pace.speed === 'max' ? Number.POSITIVE_INFINITY : pace.speed
    const ceiling = lab.inMotion ? Math.min(speed, this.#ceilingInMotion) : speed
    if (ceiling === Number.POSITIVE_INFINITY) this.#advanceTo(lab.nextEventAtMs() ?? this.nowMs)
    else this.#advanceBy(passedMs * ceiling, Number.POSITIVE_INFINITY)
  }

  get #ceilingInMotion(): number {
    return this.#parts.lab.inRealTime ? IN_REAL_TIME_CEILING : IN_MOTION_CEILING
  }

  /** Event by event, so that a jump ends where motion begins. */
  #follow(passedMs: number, real: number): void {
    const { lab, pace } = this.#parts
    const present = this.#waiters.size > 0 || real - this.#lastHeardRealMs < PRESENT_FOR_REAL_MS
    const goalMs = Math.min(Number.POSITIVE_INFINITY, ...[...this.#waiters].map(({ untilMs }) => untilMs))
    if (lab.inMotion) {
      const speed = pace.speed === 'max' ? this.#ceilingInMotion : Math.min(pace.speed, this.#ceilingInMotion)
      if (present) this.#advanceBy(passedMs * speed, goalMs)
    } else if (![...this.#waiters].some(({ isPatient }) => !isPatient)) return
    else if (pace.speed !== 'max') this.#advanceBy(passedMs * pace.speed, goalMs)
    else if (real - this.#lastHeardRealMs >= QUIET_BEFORE_JUMP_REAL_MS) {
      this.#owedMs = 0
      this.#advanceTo(Math.min(goalMs, this.nowMs + JUMP_LIMIT_MS))
    }
  }

  #advanceBy(worldMs: number, goalMs: number): void {
    this.#owedMs += worldMs
    const whole = Math.floor(this.#owedMs)
    this.#owedMs -= whole
    this.#advanceTo(Math.min(this.nowMs + whole, goalMs))
  }

  /** Stops at the first event that sets something in motion: from there on the ceiling counts. */
  #advanceTo(untilMs: number): void {
    const { lab } = this.#parts
    const wasInMotion = lab.inMotion
    for (let next = lab.nextEventAtMs(); next !== undefined && next <= untilMs; next = lab.nextEventAtMs()) {
      lab.advanceTo(next)
      if (!wasInMotion && lab.inMotion) return
    }
    lab.advanceTo(untilMs)
  }

  #answerDue(real: number): void {
    for (const waiter of this.#waiters) {
      if (waiter.untilMs <= this.nowMs || waiter.giveUpAtRealMs <= real) this.#answer(waiter)
    }
  }

  #answer(waiter: Waiter): void {
    this.#waiters.delete(waiter)
    this.heard()
    waiter.answer(this.nowMs)
  }
}
