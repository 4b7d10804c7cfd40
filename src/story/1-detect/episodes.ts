/** Turns records and readings of one part into episodes: three records an edge, polls and log together, late and out of order. */
import type { PartKind, PartSignal, PartState } from '#domain/signal'
import {
  type DetectSettings,
  decayed,
  type Episode,
  isInResetGrace,
  type NodeRecord,
  newPartRecord,
  type PartRecord,
} from './state.ts'

/** Enough to place a late record and to tell the story; older ones live on in the score. */
const EPISODES_LIMIT = 24
/** A log read later than this after a poll saw the same dropout is taken for news. */
const LOG_BEHIND_POLL_LIMIT_MS = 6 * 3_600_000

export function partOf(node: NodeRecord, signal: PartSignal): PartRecord {
  let part = Object.hasOwn(node.parts, signal.part) ? node.parts[signal.part] : undefined
  if (!part) {
    part = newPartRecord(signal.kind, signal.model)
    node.parts[signal.part] = part
  }
  if (signal.model !== undefined) part.model = signal.model
  return part
}

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

/** Applies one signal; the episode that it opened, if it opened one. */
export function applyToPart(
  node: NodeRecord,
  signal: PartSignal,
  nowMs: number,
  settings: DetectSettings,
): Episode | undefined {
  const part = partOf(node, signal)
  const isLate = signal.recordId !== undefined && signal.recordId < part.highestId
  if (signal.recordId !== undefined) part.highestId = Math.max(part.highestId, signal.recordId)
  if (signal.state === 'ok' || signal.edge === 'deassert') {
    close(part, signal, nowMs)
    return undefined
  }
  if (signal.state === 'unreadable' && node.unreachable) return undefined
  if (isStale(part, signal, nowMs, settings)) forgetOpen(part)
  const inGrace = isInResetGrace(node, nowMs, settings)
  const wasOpen = part.openSinceMs !== null
  // A repeated alert says that it still fires; whether the part has come back since others know better.
  if (signal.source === 'alert' && signal.edge === null && !wasOpen) return undefined
  const wasInState = part.open[signal.state] !== undefined
  openState(part, signal, inGrace && node.resetAtMs !== null ? node.resetAtMs + settings.resetGraceMs : nowMs)
  if (inGrace) return undefined
  // A reading that stays bad is no new dropout; an assert of what is asserted already is one: its deassert was lost.
  const isNews = !wasOpen || (isLogEdge(signal) && wasInState)
  if (!isNews || isLate) return touch(part, signal, nowMs, settings, isLate)
  return onset(part, signal, nowMs, settings)
}

/** An alert comes after others may have seen the same, and says itself when one of its own deasserts was lost. */
const isLogEdge = ({ edge, source }: PartSignal) => edge === 'assert' && source !== 'alert'

/** Opened by a reading, and nothing was read since: a source that shows only what is bad does not say when it was good again. */
function isStale(part: PartRecord, signal: PartSignal, nowMs: number, settings: DetectSettings): boolean {
  if (part.openSinceMs === null || part.openSinceLogMs !== null || signal.edge !== null) return false
  if (signal.source === 'alert') return false
  return nowMs - Math.max(part.openSinceMs, part.openPolls.lastMs) > settings.pollGapMs
}

export function forgetOpen(part: PartRecord): void {
  part.open = {}
  part.openSinceMs = null
  part.openSinceLogMs = null
  part.severe = null
}

function touch(
  part: PartRecord,
  signal: PartSignal,
  nowMs: number,
  settings: DetectSettings,
  isLate: boolean,
): Episode | undefined {
  const episode = isLate ? episodeByLogClock(part, signal.atMs, settings) : part.episodes.at(-1)
  if (!episode) return isLate ? onset(part, signal, nowMs, settings) : undefined
  raiseWeight(part, episode, weightOf(signal), nowMs, settings)
  noteLogTime(episode, signal)
  return undefined
}

function onset(part: PartRecord, signal: PartSignal, nowMs: number, settings: DetectSettings): Episode | undefined {
  const last = part.episodes.at(-1)
  const again =
    last !== undefined && nowMs - last.lastMs < settings.debounceMs && nowMs - last.startMs < settings.episodeCeilingMs
  const same = again ? last : pollEpisodeBehind(part, signal, settings)
  if (same) {
    if (again) same.lastMs = nowMs
    raiseWeight(part, same, weightOf(signal), nowMs, settings)
    noteLogTime(same, signal)
    // A waiting episode may still turn out to be shared, so whoever looks for company looks again.
    return same.is === 'dismissed' ? undefined : same
  }
  const episode: Episode = {
    startMs: nowMs,
    lastMs: nowMs,
    logStartMs: null,
    logLastMs: null,
    weight: weightOf(signal),
    is: 'waiting',
    durationMs: null,
  }
  noteLogTime(episode, signal)
  part.episodes.push(episode)
  if (part.episodes.length > EPISODES_LIMIT) part.episodes.shift()
  return episode
}

/** A poll saw the dropout first and its log record comes later: one episode, told twice. */
function pollEpisodeBehind(part: PartRecord, signal: PartSignal, settings: DetectSettings): Episode | undefined {
  if (signal.recordId === undefined) return undefined
  const lagMs = signal.receivedAtMs - signal.atMs
  if (lagMs < 0 || lagMs > LOG_BEHIND_POLL_LIMIT_MS) return undefined
  return part.episodes.find(
    (episode) =>
      episode.logStartMs === null &&
      signal.atMs > episode.startMs - settings.debounceMs &&
      signal.atMs < episode.lastMs + settings.debounceMs,
  )
}

/** Both times are the BMC's, so their difference holds even where its clock is wrong. */
function episodeByLogClock(part: PartRecord, logMs: number, settings: DetectSettings): Episode | undefined {
  return part.episodes.find(
    ({ logStartMs, logLastMs }) =>
      logStartMs !== null &&
      logLastMs !== null &&
      logMs > logStartMs - settings.debounceMs &&
      logMs < logLastMs + settings.debounceMs,
  )
}

function noteLogTime(episode: Episode, signal: PartSignal): void {
  if (signal.recordId === undefined) return
  episode.logStartMs = Math.min(episode.logStartMs ?? signal.atMs, signal.atMs)
  episode.logLastMs = Math.max(episode.logLastMs ?? signal.atMs, signal.atMs)
}

const weightOf = (signal: PartSignal) => (signal.state === 'warning' || signal.state === 'unreadable' ? 0.5 : 1)

function raiseWeight(
  part: PartRecord,
  episode: Episode,
  weight: number,
  nowMs: number,
  settings: DetectSettings,
): void {
  if (weight <= episode.weight) return
  if (episode.is === 'counted') addScore(part, weight - episode.weight, nowMs, settings)
  episode.weight = weight
}

/** The decay counter: what is left of the old score, plus the new. */
export function addScore(part: PartRecord, weight: number, atMs: number, settings: DetectSettings): void {
  part.score = decayed(part.score, atMs - part.scoreAtMs, settings.halfLifeMs) + weight
  part.scoreAtMs = Math.max(part.scoreAtMs, atMs)
}

function openState(part: PartRecord, signal: PartSignal, sinceMs: number): void {
  const { state, recordId } = signal
  if (recordId !== undefined) {
    const closedBy = Math.max(part.closedById[state] ?? -1, part.closedById.all ?? -1)
    if (closedBy > recordId) return
    part.openedById[state] = recordId
  }
  part.open[state] ??= sinceMs
  if (part.openSinceMs === null) {
    part.openSinceMs = sinceMs
    part.openSinceLogMs = isLogEdge(signal) ? signal.atMs : null
    part.openPolls = { count: 0, lastMs: sinceMs }
  }
  if (signal.edge === null) part.openPolls = { count: part.openPolls.count + 1, lastMs: signal.receivedAtMs }
  if (!isSevere(part.kind, state)) return
  part.severe ??= { sinceMs, byLog: false, pollCount: 0, lastPollMs: sinceMs }
  // That an alert is not resolved yet proves nothing: its end is told minutes later. Two looks do, its repetitions among them.
  if (isLogEdge(signal)) part.severe.byLog = true
  else {
    part.severe.pollCount++
    part.severe.lastPollMs = Math.max(sinceMs, signal.receivedAtMs)
  }
}

function close(part: PartRecord, signal: PartSignal, nowMs: number): void {
  const what = signal.state === 'ok' ? 'all' : signal.state
  if (signal.recordId !== undefined) {
    if (signal.recordId < (part.closedById[what] ?? -1)) return
    part.closedById[what] = signal.recordId
  }
  if (part.openSinceMs === null) return
  for (const state of what === 'all' ? (Object.keys(part.open) as PartState[]) : [what]) {
    if (signal.recordId === undefined || signal.recordId > (part.openedById[state] ?? -1)) delete part.open[state]
  }
  const openStates = Object.keys(part.open) as PartState[]
  if (!openStates.some((state) => isSevere(part.kind, state))) part.severe = null
  if (openStates.length > 0) return
  const episode = part.episodes.at(-1)
  if (episode && episode.durationMs === null) episode.durationMs = durationOf(part, signal, nowMs)
  part.openSinceMs = null
  part.openSinceLogMs = null
}

const DURATION_BY_LOG_LIMIT_MS = 3_600_000

/** By the BMC's clock where both edges are in its log: we may have read both at once. */
function durationOf(part: PartRecord, signal: PartSignal, nowMs: number): number {
  const byLogMs = part.openSinceLogMs !== null && signal.edge !== null ? signal.atMs - part.openSinceLogMs : -1
  if (byLogMs > 0 && byLogMs < DURATION_BY_LOG_LIMIT_MS) return byLogMs
  return nowMs - (part.openSinceMs ?? nowMs)
}
