/** Time comes in as an argument. In the lab the lab owns it; deadlines are always times of this clock. */
export type Clock = {
  nowMs(): Promise<number>
  /** Resolves when this clock has reached `atMs`, or soon after `signal`. Not durable: sagas use their own sleepUntil. */
  sleepUntil(atMs: number, signal?: AbortSignal): Promise<void>
}
