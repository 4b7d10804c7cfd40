/** The severity floor: what lasts goes past the counter; a single edge never does. */
import type { DetectSettings, NodeRecord, PartRecord } from './state.ts'

export type Lasting =
  | { readonly is: 'no' }
  /** Nothing yet; by the log alone it would last at this time. */
  | { readonly is: 'at'; readonly atMs: number }
  | { readonly is: 'severe'; readonly atMs: number; readonly byPolls: boolean }
  | { readonly is: 'critical'; readonly atMs: number }

/** Whether a part's bad reading has lasted at `nowMs`, and since when that is certain. */
export function lastingOf(node: NodeRecord, part: PartRecord, nowMs: number, settings: DetectSettings): Lasting {
  if (part.openSinceMs === null) return { is: 'no' }
  const isShared = part.episodes.at(-1)?.is === 'shared'
  // Several fans that turn and are called lost, all at once: the threshold is wrong, and nothing is lost.
  if (isShared && node.shared.at(-1)?.spinning === 'yes') return { is: 'no' }
  if (part.severe) {
    const { sinceMs, byLog, pollCount, lastPollMs } = part.severe
    const neededMs = isShared ? settings.longLastingMs : byLog ? settings.lastingMs : settings.pollsApartMs
    const isPolled = pollCount >= (byLog ? 1 : 2) && lastPollMs - sinceMs >= neededMs
    if (isPolled) return { is: 'severe', atMs: lastPollMs, byPolls: true }
    // While the BMC is silent or its log is full no deassert can arrive, so the log alone proves nothing.
    if (!byLog || node.unreachable || node.logFull) return { is: 'no' }
    const atMs = sinceMs + neededMs + settings.logLagMs
    return nowMs >= atMs ? { is: 'severe', atMs, byPolls: false } : { is: 'at', atMs }
  }
  if (part.kind !== 'fan' || part.open.critical === undefined || isShared) return { is: 'no' }
  const { count, lastMs } = part.openPolls
  if (count >= 2 && lastMs - part.openSinceMs >= settings.longLastingMs) return { is: 'critical', atMs: lastMs }
  if (part.openSinceLogMs === null || node.unreachable || node.logFull) return { is: 'no' }
  const atMs = part.openSinceMs + settings.longLastingMs + settings.logLagMs
  return nowMs >= atMs ? { is: 'critical', atMs } : { is: 'at', atMs }
}
