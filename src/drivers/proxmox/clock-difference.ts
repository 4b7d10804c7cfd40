/** How far a node's clock is from ours, as well as an answer in whole seconds can tell. */

/** A smaller difference is none that whole seconds could show. */
const RESOLUTION_MS = 1_000

/** Positive: the node is ahead. Taken at the middle of the question; 0 where the difference may be none. */
export function clockDifferenceMs(told: {
  readonly nodeMs: number
  readonly askedAtMs: number
  readonly answeredAtMs: number
}): number {
  const halfWayMs = (told.askedAtMs + told.answeredAtMs) / 2
  const differenceMs = told.nodeMs + RESOLUTION_MS / 2 - halfWayMs
  const doubtMs = RESOLUTION_MS + (told.answeredAtMs - told.askedAtMs) / 2
  return Math.abs(differenceMs) <= doubtMs ? 0 : Math.round(differenceMs)
}
