/** Which bad states of a part stand now: three records an edge, records out of order, records that were lost. */
import type { PartKind, PartSignal, PartState } from '#domain/signal'
import type { DetectSettings, Trouble } from './state.ts'

/** States of which one that lasts is a hard failure; for the rest only the counter speaks. */
function isSevere(kind: PartKind, state: PartState): boolean {
  switch (kind) {
    case 'psu':
    case 'memory':
    case 'disk':
    case 'link':
      return state === 'critical' || state === 'non-recoverable' || state === 'absent'
    case 'fan':
      return state === 'non-recoverable' || state === 'absent'
    case 'temperature':
    case 'other':
      return state === 'non-recoverable'
  }
}

/** An alert comes after others may have seen the same, and says itself when one of its own deasserts was lost. */
export const isLogEdge = ({ edge, source }: PartSignal) => edge === 'assert' && source !== 'alert'

/** Opened by a reading, and nothing was read since: a source that shows only what is bad does not say when it was good again. */
export function isStale(trouble: Trouble, signal: PartSignal, nowMs: number, settings: DetectSettings): boolean {
  if (trouble.openSinceMs === null || trouble.openSinceLogMs !== null || signal.edge !== null) return false
  if (signal.source === 'alert') return false
  return nowMs - Math.max(trouble.openSinceMs, trouble.openPolls.lastMs) > settings.pollGapMs
}

export function forgetOpen(trouble: Trouble): void {
  trouble.open = {}
  trouble.openSinceMs = null
  trouble.openSinceLogMs = null
  trouble.severe = null
}

/** `provesByLog`: the record came soon enough after it was written that a deassert would have come with it. */
export function openState(
  trouble: Trouble,
  kind: PartKind,
  signal: PartSignal,
  since: { readonly ms: number; readonly provesByLog: boolean },
): void {
  const { state, recordId } = signal
  if (recordId !== undefined) {
    const closedBy = Math.max(trouble.closedById[state] ?? -1, trouble.closedById.all ?? -1)
    if (closedBy > recordId) return
    trouble.openedById[state] = recordId
  }
  trouble.open[state] ??= since.ms
  const byLog = isLogEdge(signal) && since.provesByLog
  if (trouble.openSinceMs === null) {
    trouble.openSinceMs = since.ms
    trouble.openSinceLogMs = isLogEdge(signal) ? signal.atMs : null
    trouble.logProves = byLog
    trouble.openPolls = { count: 0, lastMs: since.ms }
  }
  if (signal.edge === null) trouble.openPolls = { count: trouble.openPolls.count + 1, lastMs: signal.receivedAtMs }
  if (!isSevere(kind, state)) return
  trouble.severe ??= {
    sinceMs: since.ms,
    byLog: false,
    pollCount: 0,
    lastPollMs: since.ms,
    fromId: recordId ?? -1,
    logMs: signal.atMs,
  }
  // That an alert is not resolved yet proves nothing: its end is told minutes later. Two looks do, its repetitions among them.
  if (isLogEdge(signal)) trouble.severe.byLog ||= byLog
  else {
    trouble.severe.pollCount++
    trouble.severe.lastPollMs = Math.max(since.ms, signal.receivedAtMs)
  }
}

/** Thresholds lie one in the other: what is above the outer one is above the inner ones, whatever became of their records. */
const ENDS_WITH: Record<PartState, readonly PartState[]> = {
  ok: ['warning', 'critical', 'non-recoverable', 'absent', 'unreadable'],
  warning: ['warning', 'critical', 'non-recoverable'],
  critical: ['critical', 'non-recoverable'],
  'non-recoverable': ['non-recoverable'],
  absent: ['absent'],
  unreadable: ['unreadable'],
}

/** Ends what a reading in band or a deassert ends; how long the part was open where that was the end of it all. */
export function closeState(trouble: Trouble, kind: PartKind, signal: PartSignal, nowMs: number): number | undefined {
  const what = signal.state === 'ok' ? 'all' : signal.state
  if (signal.recordId !== undefined) {
    if (signal.recordId < (trouble.closedById[what] ?? -1)) return undefined
    trouble.closedById[what] = signal.recordId
  }
  if (trouble.openSinceMs === null) return undefined
  for (const state of ENDS_WITH[signal.state]) {
    if (signal.recordId === undefined || signal.recordId > (trouble.openedById[state] ?? -1)) delete trouble.open[state]
  }
  const openStates = Object.keys(trouble.open) as PartState[]
  if (!openStates.some((state) => isSevere(kind, state))) {
    // Both edges in one log are as good as readings: it lasted so long, however late we heard of it.
    if (trouble.severe?.byLog && signal.edge === 'deassert') {
      trouble.lastedMs = trouble.severe.fromId < 0 ? 0 : signal.atMs - trouble.severe.logMs
      trouble.lastedIds = [trouble.severe.fromId, signal.recordId ?? -1]
    }
    trouble.severe = null
  }
  if (openStates.length > 0) {
    // One edge went back: the others' records may be lost, so from now on only readings prove that something lasts.
    trouble.logProves = false
    if (trouble.severe) trouble.severe.byLog = false
    return undefined
  }
  const durationMs = durationOf(trouble, signal, nowMs)
  trouble.openSinceMs = null
  trouble.openSinceLogMs = null
  return durationMs
}

const DURATION_BY_LOG_LIMIT_MS = 3_600_000

/** By the BMC's clock where both edges are in its log: we may have read both at once. */
function durationOf(trouble: Trouble, signal: PartSignal, nowMs: number): number {
  const byLogMs = trouble.openSinceLogMs !== null && signal.edge !== null ? signal.atMs - trouble.openSinceLogMs : -1
  if (byLogMs > 0 && byLogMs < DURATION_BY_LOG_LIMIT_MS) return byLogMs
  return nowMs - (trouble.openSinceMs ?? nowMs)
}
