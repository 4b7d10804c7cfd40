/** Time comes in as an argument. In the lab the lab owns it; deadlines are always times of this clock. */
/** Says that nobody waits any more; an AbortSignal is one. */
export type Quit = {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void
}

export type Clock = {
  nowMs(): Promise<number>
  /**
   * Resolves when this clock has reached `atMs`, or soon after `quit`. Not durable: sagas use their own sleepUntil. A clock that
   * lets time pass because somebody waits (the lab's) must forget a waiter that quits, or time runs ahead of those who act.
   */
  sleepUntil(atMs: number, quit?: Quit): Promise<void>
}
