/** Turns records and readings of one part into episodes: three records an edge, polls and log together, late and out of order. */
import type { PartKind, PartSignal } from '#domain/signal'
import { proveClock } from './log-clock.ts'
import { closeState, forgetOpen, isLogEdge, isStale, openState } from './open-states.ts'
import { type DetectSettings, type Episode, isInResetGrace, type NodeRecord, type Trouble } from './state.ts'

/** Enough to place a late record and to tell the story; older ones live on in the evidence. */
export const EPISODES_LIMIT = 12
/** A poll and a record of one dropout may stand this far apart: clocks differ, logs are read later. */
const POLL_LOG_APART_MS = 10 * 60_000
/** A record that came later than this after it was written proves nothing by what did not come with it. */
const FRESH_RECORD_MS = 6 * 3_600_000

export type Seen = {
  readonly node: NodeRecord
  readonly kind: PartKind
  readonly trouble: Trouble
  readonly signal: PartSignal
  /** When it happened, in our time; `node.nowMs` is when we heard of it. */
  readonly atMs: number
  /** Right before this record one was lost. */
  readonly afterHole: boolean
  readonly settings: DetectSettings
}

/** Applies one signal; the episode that it opened or joined, where that may still turn out to be shared. */
export function applyToPart(seen: Seen): Episode | undefined {
  const { node, kind, trouble, signal, settings } = seen
  const nowMs = node.nowMs
  const isLate = signal.recordId !== undefined && signal.recordId < trouble.highestId
  if (signal.recordId !== undefined) trouble.highestId = Math.max(trouble.highestId, signal.recordId)
  const inGrace = isInResetGrace(node, nowMs, settings)
  if (signal.state === 'ok' || signal.edge === 'deassert') return applyEnd(seen, inGrace)
  if (signal.state === 'unreadable' && node.unreachable) return undefined
  if (isStale(trouble, signal, nowMs, settings)) forgetOpen(trouble)
  const wasOpen = trouble.openSinceMs !== null
  // A repeated alert says that it still fires; whether the part has come back since others know better.
  if (signal.source === 'alert' && signal.edge === null && !wasOpen) return undefined
  const wasInState = trouble.open[signal.state] !== undefined
  const sinceMs = inGrace && node.resetAtMs !== null ? node.resetAtMs + settings.resetGraceMs : nowMs
  openState(trouble, kind, signal, { ms: sinceMs, provesByLog: nowMs - seen.atMs < FRESH_RECORD_MS })
  if (inGrace) return undefined
  // A reading that stays bad is no new dropout; an assert of what is asserted already is one: its deassert was lost.
  const isNews = !wasOpen || (isLogEdge(signal) && wasInState)
  if (isNews || isLate) return onset(seen)
  const near = episodeNear(seen) ?? trouble.episodes.at(-1)
  if (near) join(near, seen)
  return undefined
}

function applyEnd(seen: Seen, inGrace: boolean): Episode | undefined {
  const { kind, trouble, signal, node } = seen
  const wasOpen = trouble.openSinceMs !== null
  const durationMs = closeState(trouble, kind, signal, node.nowMs)
  const last = trouble.episodes.at(-1)
  if (durationMs !== undefined && last && last.durationMs === null) last.durationMs = durationMs
  // A deassert whose assert is missing from the log tells of a dropout too.
  if (signal.edge !== 'deassert' || wasOpen || inGrace) return undefined
  const near = episodeNear(seen)
  if (near) join(near, seen)
  return near === undefined && seen.afterHole ? onset(seen) : undefined
}

function onset(seen: Seen): Episode | undefined {
  const { node, trouble, signal, atMs } = seen
  const near = episodeNear(seen)
  if (near) {
    join(near, seen)
    return near.is === 'dismissed' ? undefined : near
  }
  // Older than what was folded already: its place in the evidence is gone.
  if (trouble.base !== null && atMs <= trouble.base.atMs) return undefined
  const episode: Episode = {
    startMs: atMs,
    lastMs: atMs,
    seenMs: node.nowMs,
    logged: signal.recordId !== undefined,
    weight: weightOf(seen.kind, signal),
    is: 'waiting',
    durationMs: null,
    spinning: isSpinning(signal),
  }
  const after = trouble.episodes.findIndex(({ startMs }) => startMs > atMs)
  trouble.episodes.splice(after < 0 ? trouble.episodes.length : after, 0, episode)
  if (trouble.episodes.length > EPISODES_LIMIT) dropOne(trouble)
  return episode
}

/** The oldest that is no evidence; what is evidence is folded when it is judged. */
function dropOne(trouble: Trouble): void {
  const at = trouble.episodes.findIndex(({ is }) => is === 'shared' || is === 'dismissed')
  if (at >= 0) trouble.episodes.splice(at, 1)
}

/** The episode that a dropout at this time belongs to, by debounce; a poll's and a log's word on one dropout may lie further apart. */
function episodeNear({ node, trouble, signal, atMs, settings }: Seen): Episode | undefined {
  const isRecord = signal.recordId !== undefined
  return trouble.episodes.find((episode) => {
    const { startMs, lastMs, logged, seenMs } = episode
    const lengthMs = Math.max(atMs, lastMs) - Math.min(atMs, startMs)
    if (atMs > startMs - settings.debounceMs && atMs < lastMs + settings.debounceMs) {
      return lengthMs < settings.episodeCeilingMs
    }
    if (!isRecord || logged) return false
    // While the clock is in doubt, a record that comes right after the reading is of the same dropout.
    if (node.clock?.trusted === false) return node.nowMs - seenMs < settings.pollGapMs
    return lengthMs < POLL_LOG_APART_MS
  })
}

function join(episode: Episode, { node, kind, signal, atMs, settings }: Seen): void {
  const isClose = atMs > episode.startMs - settings.debounceMs && atMs < episode.lastMs + settings.debounceMs
  if (signal.recordId !== undefined && !episode.logged && isClose) proveClock(node)
  const lastMs = Math.max(episode.lastMs, atMs)
  const startMs = Math.min(episode.startMs, atMs)
  if (lastMs - startMs < settings.episodeCeilingMs) {
    episode.lastMs = lastMs
    if (episode.is === 'waiting') episode.startMs = startMs
  }
  episode.logged ||= signal.recordId !== undefined
  episode.weight = Math.max(episode.weight, weightOf(kind, signal))
  episode.spinning &&= isSpinning(signal)
}

const isSpinning = ({ value, edge }: PartSignal) => edge === 'deassert' || (value !== undefined && value > 0)

/** An error that a module or a disk corrected is what this evidence is made of; of a fan a warning is less than a loss. */
function weightOf(kind: PartKind, { state }: PartSignal): number {
  if (state === 'unreadable') return 0.5
  return state === 'warning' && (kind === 'fan' || kind === 'psu' || kind === 'temperature') ? 0.5 : 1
}

/** The clock turned out wrong: what it placed in doubt moves with it, but not past our hearing of it. */
export function moveLogged(node: NodeRecord, byMs: number, settings: DetectSettings): void {
  const isRecent = ({ seenMs }: { seenMs: number }) => node.nowMs - seenMs <= settings.settleMs
  for (const name of node.restless) {
    for (const episode of node.parts[name]?.trouble?.episodes ?? []) {
      if (episode.logged && isRecent(episode) && episode.is !== 'counted') move(episode, byMs)
    }
  }
  for (const event of node.shared) if (isRecent(event) && event.is !== 'counted') move(event, byMs)
}

function move(one: { startMs: number; lastMs: number; readonly seenMs: number }, byMs: number): void {
  const movedMs = Math.min(byMs, Math.max(0, one.seenMs - one.lastMs))
  one.startMs += movedMs
  one.lastMs += movedMs
}
