/**
 * Finds failing parts in a stream of signals. Pure: the state is JSON and comes in and goes out; time is an argument.
 * How: records become episodes (episodes.ts), company among parts is told apart (common-cause.ts), two sums of evidence against
 * what healthy parts do (evidence.ts, baseline.ts) or the severity floor (floor.ts) decide, and a finding is given whenever a
 * part's level rises.
 */
import type { Finding } from '#domain/finding'
import type { PartKind, Signal } from '#domain/signal'
import { CONTRIBUTES_EVERY_MS, contribute, type Exposures, joinFleet } from './baseline.ts'
import { lastingOf } from './floor.ts'
import { judgeLasted, judgeLasting, judgeScore, judgeShared, SHARED_PART } from './judge.ts'
import {
  DEFAULT_DETECT_SETTINGS,
  DETECTOR_FORMAT,
  type DetectorState,
  type DetectSettings,
  type Episode,
  type NodeRecord,
  newNodeRecord,
  newTrouble,
  type Oddity,
  type PartRecord,
} from './state.ts'
import { type Taking, takeBmc, takePart, takeWord } from './take.ts'

export type FleetPart = {
  readonly node: string
  readonly part: string
  readonly kind: PartKind
  readonly model?: string
}

/** Knowing the fleet's parts beforehand tells how many fans are half of a chassis; otherwise they are learnt as they are seen. */
export function newDetector(settings: Partial<DetectSettings> = {}, fleet: readonly FleetPart[] = []): DetectorState {
  const nodes: Record<string, NodeRecord> = {}
  const exposures: Exposures = {}
  for (const { node, part, kind, model } of fleet) {
    const record = nodes[node] ?? newNodeRecord(0)
    record.parts[part] = { kind, sinceMs: null, ...(model !== undefined && { model }) }
    nodes[node] = record
    joinFleet(exposures, kind, model, 0)
  }
  return {
    format: DETECTOR_FORMAT,
    settings: { ...DEFAULT_DETECT_SETTINGS, ...settings },
    nodes,
    verdicts: { real: 0, nothingFound: 0 },
    exposures,
    beganAtMs: null,
    nowMs: 0,
    given: 0,
    fleetIsKnown: fleet.length > 0,
    noticed: {},
  }
}

/** A stored state that this version can take up. What an older one remembered of episodes is learnt anew; verdicts are kept. */
export function takeUpDetector(stored: DetectorState): DetectorState {
  if (stored.format === DETECTOR_FORMAT) return stored
  return { ...newDetector(), verdicts: (stored as DetectorState).verdicts ?? { real: 0, nothingFound: 0 } }
}

export type Observed = { readonly state: DetectorState; readonly findings: readonly Finding[] }

/**
 * Takes the signals in order of arrival and lets time pass until `nowMs`. Leaves the given state untouched. However the stream
 * is cut into batches, the same findings come out; one may come a batch later, with the same `atMs`.
 */
export function observeSignals(state: DetectorState, signals: readonly Signal[], nowMs: number): Observed {
  const watch = new Watching(state, signals[0]?.receivedAtMs ?? nowMs)
  for (const signal of signals) {
    watch.passTo(signal.receivedAtMs - 1)
    watch.take(signal)
  }
  watch.passTo(nowMs - 1)
  return watch.result()
}

/** A detector at work on one batch: what it changes it has copied first. Time passes for all nodes in one order. */
class Watching {
  readonly #before: DetectorState
  readonly #copies = new Map<string, NodeRecord>()
  readonly #runs = new Map<string, Taking>()
  /** When something comes to pass on a node without a signal. */
  readonly #due = new Map<string, number>()
  #nextDueMs = Number.POSITIVE_INFINITY
  readonly #exposures: Exposures
  readonly #findings: Finding[] = []
  readonly #noticed: Record<string, { count: number; first: string }>
  readonly #beganAtMs: number
  #nowMs: number

  constructor(state: DetectorState, firstMs: number) {
    this.#before = state
    this.#nowMs = state.nowMs
    this.#beganAtMs = state.beganAtMs ?? firstMs
    this.#noticed = { ...state.noticed }
    this.#exposures = Object.fromEntries(
      Object.entries(state.exposures).map(([key, exposure]) => [
        key,
        { ...exposure, atMs: state.beganAtMs === null ? firstMs : exposure.atMs },
      ]),
    )
    for (const name in state.nodes) {
      const due = state.nodes[name]?.dueMs
      if (due != null) this.#due.set(name, due)
    }
    this.#nextDueMs = Math.min(Number.POSITIVE_INFINITY, ...this.#due.values())
  }

  take(signal: Signal): void {
    if (signal.receivedAtMs < this.#nowMs - OUT_OF_ORDER_MS) {
      this.#notice('out-of-order', `a signal of ${signal.node} came after later ones`)
    }
    this.#nowMs = Math.max(this.#nowMs, signal.receivedAtMs)
    const node = this.#nodeOf(signal.node)
    node.nowMs = Math.max(node.nowMs, signal.receivedAtMs)
    const run = this.#run(signal.node, node)
    if (signal.is === 'bmc') takeBmc(run, signal)
    else if (signal.source === 'operator') takeWord(run, signal)
    else {
      const changed = takePart(run, signal)
      if (changed !== undefined) this.#setDue(signal.node, node, changed)
      return
    }
    this.#setDue(signal.node, node, node.restless)
  }

  /** Episodes settle and readings come to last, each at its time and over all nodes in order. */
  passTo(toMs: number): void {
    while (this.#nextDueMs <= toMs) {
      const dueMs = this.#nextDueMs
      const names = [...this.#due].flatMap(([name, atMs]) => (atMs === dueMs ? [name] : []))
      for (const name of names.sort()) {
        const node = this.#nodeOf(name)
        node.nowMs = Math.max(node.nowMs, dueMs)
        pass(this.#run(name, node))
        this.#setDue(name, node, node.restless)
      }
      this.#nextDueMs = Math.min(Number.POSITIVE_INFINITY, ...this.#due.values())
    }
  }

  result(): Observed {
    const state = this.#before
    const next: DetectorState = {
      ...state,
      nodes: this.#copies.size === 0 ? state.nodes : { ...state.nodes, ...Object.fromEntries(this.#copies) },
      exposures: this.#exposures,
      noticed: this.#noticed,
      beganAtMs: this.#nowMs > 0 ? this.#beganAtMs : state.beganAtMs,
      nowMs: this.#nowMs,
      given: state.given + this.#findings.filter(({ class: kind }) => kind !== 'operator').length,
    }
    return { state: next, findings: this.#findings }
  }

  #nodeOf(name: string): NodeRecord {
    const copied = this.#copies.get(name)
    if (copied) return copied
    const known = Object.hasOwn(this.#before.nodes, name) ? this.#before.nodes[name] : undefined
    const copy = known ? copyOf(known) : newNodeRecord(0)
    this.#copies.set(name, copy)
    return copy
  }

  #setDue(name: string, node: NodeRecord, touched: readonly string[]): void {
    node.dueMs = nextDue(node, this.#before.settings, touched)
    if (node.dueMs === null) this.#due.delete(name)
    else {
      this.#due.set(name, node.dueMs)
      if (node.dueMs < this.#nextDueMs) this.#nextDueMs = node.dueMs
    }
  }

  readonly #notice = (oddity: Oddity, first: string): void => {
    const before = this.#noticed[oddity]
    this.#noticed[oddity] = { count: (before?.count ?? 0) + 1, first: before?.first ?? first }
  }

  #run(name: string, node: NodeRecord): Taking {
    const before = this.#runs.get(name)
    if (before) return before
    const run = this.#newRun(name, node)
    this.#runs.set(name, run)
    return run
  }

  #newRun(name: string, node: NodeRecord): Taking {
    const { settings, verdicts, fleetIsKnown } = this.#before
    return {
      name,
      node,
      settings,
      verdicts,
      fleetIsKnown,
      exposures: this.#exposures,
      beganAtMs: this.#beganAtMs,
      findings: this.#findings,
      notice: this.#notice,
    }
  }
}

const OUT_OF_ORDER_MS = 3_600_000

/** Parts without trouble are only ever replaced, so they can be shared with the state before. */
function copyOf(node: NodeRecord): NodeRecord {
  const { parts, ...rest } = node
  const copy: NodeRecord = { ...(JSON.parse(JSON.stringify(rest)) as Omit<NodeRecord, 'parts'>), parts: { ...parts } }
  for (const name in parts) {
    const part = parts[name]
    if (part?.trouble) copy.parts[name] = JSON.parse(JSON.stringify(part)) as PartRecord
  }
  return copy
}

/** When time alone changes something here. Forgets parts that have come to rest. Looks closely at the parts named. */
function nextDue(node: NodeRecord, settings: DetectSettings, touched: readonly string[]): number | null {
  for (const name of touched) lookAhead(node, name, settings)
  let dueMs = Number.POSITIVE_INFINITY
  let restedCount = 0
  for (const name of node.restless) {
    const trouble = node.parts[name]?.trouble
    if (!trouble || (trouble.openSinceMs === null && trouble.restlessUntilMs <= node.nowMs)) restedCount++
    else if (trouble.dueMs !== null && trouble.dueMs < dueMs) dueMs = trouble.dueMs
  }
  if (restedCount > 0) {
    node.restless = node.restless.filter((name) => {
      const trouble = node.parts[name]?.trouble
      return trouble && (trouble.openSinceMs !== null || trouble.restlessUntilMs > node.nowMs)
    })
  }
  for (const event of node.shared) {
    if (event.is === 'waiting') dueMs = Math.min(dueMs, event.seenMs + settings.settleMs + 1)
  }
  return Number.isFinite(dueMs) ? dueMs : null
}

function lookAhead(node: NodeRecord, name: string, settings: DetectSettings): void {
  const part = node.parts[name]
  if (!part?.trouble) return
  let dueMs = Number.POSITIVE_INFINITY
  let untilMs = 0
  for (const { is, seenMs } of part.trouble.episodes) {
    if (is !== 'waiting' && is !== 'shared') continue
    const settlesMs = seenMs + settings.settleMs + 1
    if (is === 'waiting') dueMs = Math.min(dueMs, settlesMs)
    // What waits is restless until it has settled, however late that is looked at.
    untilMs = Math.max(untilMs, is === 'waiting' ? Number.MAX_SAFE_INTEGER : settlesMs)
  }
  const lasting = lastingOf(node, part, node.nowMs, settings)
  if (lasting.is === 'at') dueMs = Math.min(dueMs, lasting.atMs)
  part.trouble.dueMs = Number.isFinite(dueMs) ? dueMs : null
  part.trouble.restlessUntilMs = untilMs
}

/** What is due on one node by now. */
function pass(run: Taking): void {
  const { node, settings } = run
  for (const name of node.restless) {
    const part = node.parts[name]
    if (!part?.trouble) continue
    const ripe = part.trouble.episodes.filter(
      ({ is, seenMs }) => is === 'waiting' && node.nowMs - seenMs > settings.settleMs,
    )
    for (const episode of ripe) settle(run, name, part, episode)
    // All that a log told at once is judged at once.
    const lastHeardMs = Math.max(...ripe.map(({ seenMs }) => seenMs))
    if (ripe.length > 0) judgeScore(run, name, part, lastHeardMs)
    judgeLasting(run, name, part)
    judgeLasted(run, name, part)
  }
  for (const event of node.shared) {
    if (event.is === 'waiting' && node.nowMs - event.seenMs > settings.settleMs) judgeShared(run, event)
  }
}

function settle(run: Taking, name: string, part: PartRecord, episode: Episode): void {
  episode.is = 'counted'
  const { trouble } = part
  const isAccused = Object.hasOwn(run.node.standing, name)
  // A part that we know only because it dropped out says nothing of how often parts do.
  const isFirstWord = part.sinceMs !== null && Math.abs(episode.seenMs - part.sinceMs) <= run.settings.settleMs
  if (trouble && !isAccused && !isFirstWord && episode.startMs - trouble.contributedAtMs >= CONTRIBUTES_EVERY_MS) {
    trouble.contributed++
    trouble.contributedAtMs = episode.startMs
    contribute(run.exposures, part, 1, run.node.nowMs)
  }
}

/**
 * The positive evidence after a repair and its soak: forgets what was held against the part, and says so where a level stood.
 * 'node' clears what the parts share, and nothing of the parts themselves.
 */
export function clearPart(state: DetectorState, node: Finding['node'], part: string, atMs: number): Observed {
  const known = Object.hasOwn(state.nodes, node) ? state.nodes[node] : undefined
  if (!known) return { state, findings: [] }
  const copy = copyOf(known)
  const standing = Object.hasOwn(copy.standing, part) ? copy.standing[part] : undefined
  delete copy.standing[part]
  const record = Object.hasOwn(copy.parts, part) ? copy.parts[part] : undefined
  if (record?.trouble) {
    const { highestId, closedById, contributed, contributedAtMs } = record.trouble
    const trouble = { ...newTrouble(), highestId, closedById, contributed, contributedAtMs }
    copy.parts[part] = { ...record, trouble }
  }
  if (part === SHARED_PART) {
    copy.shared = []
    copy.sharedOnsetsMs = []
    copy.sharedScore = 0
  }
  copy.dueMs = nextDue(copy, state.settings, copy.restless)
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
    expectedFalseAlarmsPer100PartYears: standing.falseAlarms,
    text: `${part} of ${node}: repaired and proven, ${standing.level} is over`,
    cleared: true,
  }
  return { state: next, findings: [finding] }
}

/**
 * What the technician found: false alarms are counted, to be published, and later findings are that much less sure. Where he found
 * nothing wrong with `at`, its episodes were those of a healthy part and join what healthy parts do.
 */
export function recordVerdict(
  state: DetectorState,
  verdict: 'real' | 'nothing-found',
  at?: { readonly node: Finding['node']; readonly part: string },
): DetectorState {
  const { real, nothingFound } = state.verdicts
  if (verdict === 'real') return { ...state, verdicts: { real: real + 1, nothingFound } }
  const verdicts = { real, nothingFound: nothingFound + 1 }
  const part = at && state.nodes[at.node]?.parts[at.part]
  const counted = part?.trouble?.episodes.filter(({ is }) => is === 'counted').length ?? 0
  if (!part || counted === 0) return { ...state, verdicts }
  const exposures = JSON.parse(JSON.stringify(state.exposures)) as Exposures
  contribute(exposures, part, counted, state.nowMs)
  return { ...state, verdicts, exposures }
}

export type AlarmRecord = {
  readonly partYears: number
  readonly findings: number
  readonly real: number
  readonly nothingFound: number
  /** By verdicts of technicians; 'unknown' until there is one. What nobody looked at is in neither. */
  readonly falseAlarmsPer100PartYears: number | 'unknown'
}

const YEAR_MS = 365 * 86_400_000

/** How the promise is kept: false alarms as technicians saw them, over the life of all parts that were watched. */
export function alarmRecord(state: DetectorState): AlarmRecord {
  const { real, nothingFound } = state.verdicts
  const partMs = Object.entries(state.exposures)
    .filter(([key]) => !key.includes('/'))
    .reduce((sum, [, { partMs: ms, parts, atMs }]) => sum + ms + parts * Math.max(0, state.nowMs - atMs), 0)
  const partYears = partMs / YEAR_MS
  const isKnown = real + nothingFound > 0 && partYears > 0
  return {
    partYears,
    findings: state.given,
    real,
    nothingFound,
    falseAlarmsPer100PartYears: isKnown ? (nothingFound / partYears) * 100 : 'unknown',
  }
}
