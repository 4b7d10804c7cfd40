/**
 * Finds failing parts in a stream of BMC signals. Pure: the state is JSON and comes in and goes out; time is an argument.
 * How: records become episodes (episodes.ts), company among parts is told apart (common-cause.ts), a decay counter or the
 * severity floor (floor.ts) decides, and a finding is given whenever a part's level rises.
 */
import type { Finding } from '#domain/finding'
import type { BmcSignal, PartKind, PartSignal, Signal } from '#domain/signal'
import { joinShared } from './common-cause.ts'
import { addScore, applyToPart, forgetOpen, partOf } from './episodes.ts'
import { judgeLasting, judgeScore, judgeShared, type Run, raise, SHARED_PART } from './judge.ts'
import { beginLogEpoch, takeRecord } from './record-identity.ts'
import {
  DEFAULT_DETECT_SETTINGS,
  type DetectorState,
  type DetectSettings,
  type Episode,
  type NodeRecord,
  newNodeRecord,
  newPartRecord,
  type PartRecord,
} from './state.ts'

export type FleetPart = {
  readonly node: string
  readonly part: string
  readonly kind: PartKind
  readonly model?: string
}

/** Knowing the fleet's parts beforehand tells how many fans are half of a chassis; otherwise they are learnt as they are seen. */
export function newDetector(settings: Partial<DetectSettings> = {}, fleet: readonly FleetPart[] = []): DetectorState {
  const nodes: Record<string, NodeRecord> = {}
  for (const { node, part, kind, model } of fleet) {
    const record = nodes[node] ?? newNodeRecord(0)
    record.parts[part] = newPartRecord(kind, model)
    nodes[node] = record
  }
  return {
    format: 'coulisse/detector@1',
    settings: { ...DEFAULT_DETECT_SETTINGS, ...settings },
    nodes,
    verdicts: { real: 0, nothingFound: 0 },
  }
}

export type Observed = { readonly state: DetectorState; readonly findings: readonly Finding[] }

/**
 * Takes the signals in order of arrival and lets time pass until `nowMs`. Leaves the given state untouched. However the stream
 * is cut into batches, the same findings come out; one may come a batch later, with the same `atMs`.
 */
export function observeSignals(state: DetectorState, signals: readonly Signal[], nowMs: number): Observed {
  const findings: Finding[] = []
  const copies = new Map<string, NodeRecord>()
  const nodeOf = (name: string, atMs: number): NodeRecord => {
    const copied = copies.get(name)
    if (copied) return copied
    const known = Object.hasOwn(state.nodes, name) ? state.nodes[name] : undefined
    const copy = known ? copyOf(known) : newNodeRecord(atMs)
    copies.set(name, copy)
    return copy
  }
  for (const signal of signals) {
    const node = nodeOf(signal.node, signal.receivedAtMs)
    const run = { name: signal.node, node, settings: state.settings, findings }
    pass(run, signal.receivedAtMs - 1)
    node.nowMs = Math.max(node.nowMs, signal.receivedAtMs)
    take(run, signal)
  }
  for (const name of new Set([...Object.keys(state.nodes), ...copies.keys()])) {
    const node = copies.get(name) ?? state.nodes[name]
    if (!node || !isWaiting(node)) continue
    pass({ name, node: nodeOf(name, nowMs), settings: state.settings, findings }, nowMs - 1)
  }
  return { state: { ...state, nodes: { ...state.nodes, ...Object.fromEntries(copies) } }, findings }
}

const copyOf = (node: NodeRecord): NodeRecord => JSON.parse(JSON.stringify(node)) as NodeRecord

const isWaiting = (node: NodeRecord) =>
  node.shared.at(-1)?.is === 'waiting' ||
  Object.values(node.parts).some((part) => part.openSinceMs !== null || part.episodes.at(-1)?.is === 'waiting')

function take(run: Run, signal: Signal): void {
  switch (signal.is) {
    case 'bmc':
      takeBmc(run, signal)
      return
    case 'part':
      if (signal.source === 'operator') takeWord(run, signal)
      else takePart(run, signal)
      return
  }
}

function takePart(run: Run, arrived: PartSignal): void {
  const { node, settings } = run
  const { recordId, ...withoutId } = arrived
  const taken = recordId === undefined ? 'news' : takeRecord(node, recordId, arrived)
  if (taken === 'seen') return
  const signal = taken === 'old-news' ? withoutId : arrived
  // Not every BMC that was silent says that it is back; what it writes or shows does.
  if (node.unreachable && signal.source !== 'alert') beReachable(node)
  const episode = applyToPart(node, signal, node.nowMs, settings)
  if (episode) joinShared(node, signal, node.nowMs, settings)
  const part = partOf(node, signal)
  judgeLasting(run, signal.part, part, node.nowMs)
  // A dropout that turned out worse after it was counted.
  if (part.episodes.at(-1)?.is === 'counted') judgeScore(run, signal.part, part, node.nowMs)
}

/** An operator's word needs no counter. */
function takeWord(run: Run, signal: PartSignal): void {
  if (signal.state === 'ok') return
  raise(run, {
    part: signal.part,
    level: signal.state === 'non-recoverable' ? 'drain-now' : 'drain-advised',
    class: 'operator',
    atMs: run.node.nowMs,
    confidence: 1,
    episodes: 0,
    windowMs: 0,
    text: `${signal.part} of ${run.name}: an operator says ${signal.state}`,
  })
}

function takeBmc({ node }: Run, signal: BmcSignal): void {
  switch (signal.event) {
    case 'reset':
      node.resetAtMs = node.nowMs
      node.unreachable = false
      dismissWaiting(node)
      // Whatever is still bad will be read again; what was asserted before proves nothing now.
      for (const part of Object.values(node.parts)) forgetOpen(part)
      return
    case 'log-cleared':
      beginLogEpoch(node, { atMs: signal.atMs, receivedAtMs: node.nowMs })
      node.logFull = false
      // A deassert may have gone with the log; what is still bad will be read or written again.
      for (const part of Object.values(node.parts)) if (part.openPolls.count === 0) forgetOpen(part)
      return
    case 'unreachable':
      node.unreachable = true
      return
    case 'reachable':
      beReachable(node)
      return
    case 'log-full':
      node.logFull = true
      return
  }
}

function dismissWaiting(node: NodeRecord): void {
  const shared = node.shared.at(-1)
  if (shared?.is === 'waiting') shared.is = 'dismissed'
  for (const part of Object.values(node.parts)) {
    const last = part.episodes.at(-1)
    if (last?.is === 'waiting' || (shared?.is === 'dismissed' && last?.is === 'shared')) last.is = 'dismissed'
  }
}

function beReachable(node: NodeRecord): void {
  node.unreachable = false
  for (const part of Object.values(node.parts)) restartLasting(part, node.nowMs)
}

function restartLasting(part: PartRecord, sinceMs: number): void {
  if (part.openSinceMs !== null) part.openSinceMs = sinceMs
  if (part.severe) part.severe = { ...part.severe, sinceMs, lastPollMs: sinceMs, pollCount: 0 }
}

/** Lets time pass on one node: episodes settle, readings come to last. */
function pass(run: Run, toMs: number): void {
  const { node, settings } = run
  if (toMs <= node.nowMs && !isWaiting(node)) return
  node.nowMs = Math.max(node.nowMs, toMs)
  for (const [name, part] of Object.entries(node.parts)) {
    const last = part.episodes.at(-1)
    if (last?.is === 'waiting' && node.nowMs - last.startMs > settings.sharedWithinMs) settle(run, name, part, last)
    judgeLasting(run, name, part, node.nowMs)
  }
  const shared = node.shared.at(-1)
  if (shared?.is === 'waiting' && node.nowMs - shared.startMs > settings.sharedWithinMs) judgeShared(run)
}

function settle(run: Run, name: string, part: PartRecord, episode: Episode): void {
  episode.is = 'counted'
  addScore(part, episode.weight, episode.startMs, run.settings)
  judgeScore(run, name, part, episode.startMs)
}

/**
 * The positive evidence after a repair and its soak: forgets what was held against the part, and says so where a level stood.
 * 'node' clears what the parts share, and nothing of the parts themselves.
 */
export function clearPart(state: DetectorState, node: Finding['node'], part: string, atMs: number): Observed {
  const known = state.nodes[node]
  if (!known) return { state, findings: [] }
  const copy = copyOf(known)
  const standing = copy.standing[part]
  delete copy.standing[part]
  const record = copy.parts[part]
  if (record)
    copy.parts[part] = { ...newPartRecord(record.kind, record.model ?? undefined), highestId: record.highestId }
  if (part === SHARED_PART) {
    copy.shared = []
    copy.sharedOnsetsMs = []
    copy.sharedScore = 0
  }
  const next = { ...state, nodes: { ...state.nodes, [node]: copy } }
  if (!standing) return { state: next, findings: [] }
  const finding: Finding = {
    atMs,
    node,
    part,
    level: standing.level,
    class: standing.class,
    confidence: 1,
    episodes: 0,
    windowS: 0,
    expectedFalseAlarmsPer100PartYears: 'unknown',
    text: `${part} of ${node}: repaired and proven, ${standing.level} is over`,
    cleared: true,
  }
  return { state: next, findings: [finding] }
}

/** What the technician found: false alarms are counted, to be published. */
export function recordVerdict(state: DetectorState, verdict: 'real' | 'nothing-found'): DetectorState {
  const { real, nothingFound } = state.verdicts
  const verdicts = verdict === 'real' ? { real: real + 1, nothingFound } : { real, nothingFound: nothingFound + 1 }
  return { ...state, verdicts }
}
