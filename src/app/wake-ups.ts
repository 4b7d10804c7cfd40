/** Who is to be looked at now: an event says only that, and what happened stands in the log. */
import type { NodeName } from '#domain/ids'

export type WakeUps = {
  /** As often as you like, also for a node that is looked at already. */
  wake(node: NodeName): void
  /** Who was woken since the last time. */
  take(): readonly NodeName[]
  /** Aborted when somebody is to be looked at. */
  signal(): AbortSignal
}

/** A BMC in distress sends many events for one cause, and some send their temperatures: they are heeded together. */
const APART_MS = 1_000

/** Real time, as events come in real time. */
export function wakeUps(apartMs = APART_MS): WakeUps {
  const woken = new Set<NodeName>()
  let controller = new AbortController()
  let restUntilMs = 0
  let timer: NodeJS.Timeout | undefined
  return {
    wake: (node) => {
      woken.add(node)
      timer ??= setTimeout(() => controller.abort(), Math.max(0, restUntilMs - performance.now())).unref()
    },
    take: () => {
      const nodes = [...woken]
      woken.clear()
      clearTimeout(timer)
      timer = undefined
      controller = new AbortController()
      if (nodes.length > 0) restUntilMs = performance.now() + apartMs
      return nodes
    },
    signal: () => controller.signal,
  }
}
