/** The severity floor: what lasts goes past the counter; a single edge never does. */
import type { DetectSettings, NodeRecord, PartRecord } from './state.ts'

export type Lasting =
  | { readonly is: 'no' }
  /** Nothing yet; by the log alone that is known at this time. */
  | { readonly is: 'at'; readonly atMs: number }
  | { readonly is: 'severe'; readonly atMs: number; readonly byPolls: boolean }
  | { readonly is: 'critical'; readonly atMs: number }

/** Whether a part's bad reading has lasted at `nowMs`, and since when that is certain. */
export function lastingOf(node: NodeRecord, part: PartRecord, nowMs: number, settings: DetectSettings): Lasting {
  const { trouble } = part
  if (!trouble || trouble.openSinceMs === null) return { is: 'no' }
  const isShared = trouble.episodes.at(-1)?.is === 'shared'
  // Several fans that turn and are called lost, all at once: the threshold is wrong, and nothing is lost.
  if (isShared && node.shared.at(-1)?.spinning === 'yes') return { is: 'no' }
  if (trouble.severe) {
    const { sinceMs, byLog, pollCount, lastPollMs } = trouble.severe
    const neededMs = isShared ? settings.longLastingMs : byLog ? settings.lastingMs : settings.pollsApartMs
    const isPolled = pollCount >= (byLog ? 1 : 2) && lastPollMs - sinceMs >= neededMs
    if (isPolled) return { is: 'severe', atMs: lastPollMs, byPolls: true }
    if (!byLog) return { is: 'no' }
    const dueMs = logProvesAt(node, trouble.openSinceMs, sinceMs + neededMs + settings.logLagMs, settings)
    if (dueMs === undefined) return { is: 'no' }
    return nowMs >= dueMs ? { is: 'severe', atMs: sinceMs + neededMs, byPolls: false } : { is: 'at', atMs: dueMs }
  }
  if (part.kind !== 'fan' || trouble.open.critical === undefined || isShared) return { is: 'no' }
  const { count, lastMs } = trouble.openPolls
  if (count >= 2 && lastMs - trouble.openSinceMs >= settings.longLastingMs) return { is: 'critical', atMs: lastMs }
  if (!trouble.logProves) return { is: 'no' }
  const lastsMs = trouble.openSinceMs + settings.longLastingMs
  const dueMs = logProvesAt(node, trouble.openSinceMs, lastsMs + settings.logLagMs, settings)
  if (dueMs === undefined) return { is: 'no' }
  return nowMs >= dueMs ? { is: 'critical', atMs: lastsMs } : { is: 'at', atMs: dueMs }
}

/**
 * When the log alone proves that something lasts. While the BMC is silent or its log is full no deassert can arrive. Where
 * readings in band came until now, the next reading is better than a record that may have been lost.
 */
function logProvesAt(
  node: NodeRecord,
  openSinceMs: number,
  atMs: number,
  settings: DetectSettings,
): number | undefined {
  if (node.unreachable || node.logFull) return undefined
  const { okReadAtMs } = node
  if (okReadAtMs === null || openSinceMs - okReadAtMs > settings.pollGapMs) return atMs
  return Math.max(atMs, okReadAtMs + settings.pollGapMs)
}
