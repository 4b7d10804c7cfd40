/** Takes one signal into a node's record: which part, which record, when; what the BMC says of itself. */
import type { BmcSignal, PartKind, PartSignal } from '#domain/signal'
import { joinFleet, joinModel } from './baseline.ts'
import { joinShared } from './common-cause.ts'
import { applyToPart, moveLogged, type Seen } from './episodes.ts'
import { judgeLasting, judgeScore, type Run, raise } from './judge.ts'
import { placeSignal } from './log-clock.ts'
import { forgetOpen } from './open-states.ts'
import { knownAs } from './part-name.ts'
import { beginLogEpoch, takeRecord } from './record-identity.ts'
import { withHeat } from './risk.ts'
import { DAY_MS, type NodeRecord, newTrouble, type Oddity, type PartRecord, type Trouble } from './state.ts'

export type Taking = Run & { readonly fleetIsKnown: boolean; readonly notice: (oddity: Oddity, first: string) => void }

/** A node with more parts than this tells of something else than parts. */
const PARTS_LIMIT = 512
/** A record that is older than this is left out: its place in the evidence is gone, and nobody knows what came since. */
const TOO_LATE_MS = 90 * DAY_MS

/** The parts whose future it changed; undefined where it changed none. */
export function takePart(run: Taking, arrived: PartSignal): readonly string[] | undefined {
  const { node, settings } = run
  const name = partNamed(run, arrived)
  if (name === undefined) return undefined
  const known = node.parts[name] as PartRecord
  if (arrived.recordId === undefined && arrived.edge === null) {
    if (node.nowMs - arrived.receivedAtMs > settings.pollGapMs) {
      run.notice('stale-reading', `${arrived.part} of ${run.name} was read long before what came earlier`)
      return undefined
    }
    if (takeReading(node, name, known, arrived)) return undefined
  }
  const taken = arrived.recordId === undefined ? undefined : takeRecord(node, arrived.recordId, arrived)
  if (taken?.is === 'seen') return undefined
  const signal = taken?.is === 'old-news' ? withoutId(arrived) : arrived
  const hadCompany = takeChange(run, name, signal, taken?.afterHole === true)
  if (hadCompany) return node.restless
  const { trouble } = node.parts[name] as PartRecord
  // The second and third record of an edge that went back: nothing is open, and nothing waits that did not wait before.
  return trouble?.openSinceMs === null && trouble.dueMs !== null && signal.edge === 'deassert' ? undefined : [name]
}

function withoutId({ recordId: _, ...signal }: PartSignal): PartSignal {
  return signal
}

/** A reading in band of a part that is well: nearly all that ever comes. True where there is no more to do. */
function takeReading(node: NodeRecord, name: string, known: PartRecord, signal: PartSignal): boolean {
  const { value, receivedAtMs } = signal
  if (signal.state === 'ok') node.okReadAtMs = receivedAtMs
  if (known.kind === 'temperature' && value !== undefined) {
    const heat = withHeat(known, receivedAtMs, value)
    if (heat !== undefined && heat !== known.heat) node.parts[name] = { ...known, heat }
  }
  const isQuiet = known.trouble === undefined || known.trouble.openSinceMs === null
  return signal.state === 'ok' && isQuiet && !isCounter(known.kind, signal)
}

/** True where it changed more than this one part. */
function takeChange(run: Taking, name: string, signal: PartSignal, afterHole: boolean): boolean {
  const { node, settings } = run
  // Not every BMC that was silent says that it is back; what it writes or shows does.
  const isBack = node.unreachable && signal.source !== 'alert'
  if (isBack) beReachable(node)
  const placed = placeSignal(node, signal)
  if (placed.movedMs > 0) correctClock(run, placed.movedMs)
  if (node.nowMs - placed.atMs > TOO_LATE_MS) {
    run.notice('too-late', `record ${signal.recordId} of ${run.name} tells of a time long past`)
    return isBack
  }
  const part = troubled(node, name)
  const { kind, trouble } = part
  const weightBefore = signal.edge === 'assert' ? countedWeight(trouble) : Number.POSITIVE_INFINITY
  const seen = { node, kind, trouble, signal, atMs: placed.atMs, afterHole, settings }
  const isRise = isCounter(kind, signal) && takeCounter(node, name, signal)
  const episode = isRise ? takeRise(seen, signal) : applyToPart(seen)
  // Of a part that nobody knows only what lasts is heard.
  if (episode && kind === 'other') episode.is = 'dismissed'
  if (!node.restless.includes(name)) node.restless.push(name)
  const mayBeShared = episode !== undefined && episode.is !== 'dismissed'
  const hadCompany = mayBeShared && joinShared({ node, signal, kind, atMs: placed.atMs, settings })
  const now = node.parts[name] as PartRecord
  judgeLasting(run, name, now)
  // A dropout that turned out worse after it was counted.
  if (countedWeight(trouble) > weightBefore) judgeScore(run, name, now, node.nowMs)
  return isBack || hadCompany || placed.movedMs > 0
}

const countedWeight = ({ episodes }: Trouble) =>
  episodes.reduce((sum, { is, weight }) => (is === 'counted' ? sum + weight : sum), 0)

/** A record with room for trouble. Records without are shared with the state before and never changed in place. */
function troubled(node: NodeRecord, name: string): PartRecord & { trouble: Trouble } {
  const known = node.parts[name] as PartRecord
  if (known.trouble) return known as PartRecord & { trouble: Trouble }
  const fresh = { ...known, trouble: newTrouble() }
  node.parts[name] = fresh
  return fresh
}

/** Counts of corrected errors, reallocated sectors, checksum errors: what only rises, and says something when it does. */
const COUNTER_UNIT = /^(errors?|count|ce|sectors?|crc)$/i
const isCounter = (kind: PartKind, { unit, value, edge, state }: PartSignal) =>
  (kind === 'memory' || kind === 'disk' || kind === 'link') &&
  edge === null &&
  (state === 'ok' || state === 'warning') &&
  value !== undefined &&
  unit !== undefined &&
  COUNTER_UNIT.test(unit)

/** Whether it rose. The first value says nothing, and a lower one is a counter that began anew. */
function takeCounter(node: NodeRecord, name: string, { value = 0 }: PartSignal): boolean {
  const known = node.parts[name] as PartRecord
  node.parts[name] = { ...known, counter: value }
  return known.counter !== undefined && value > known.counter
}

/** One rise is one episode, open for no time. */
function takeRise(seen: Seen, signal: PartSignal) {
  const wasOpen = seen.trouble.openSinceMs !== null
  const episode = applyToPart({ ...seen, signal: { ...signal, state: 'warning', edge: 'assert' } })
  if (!wasOpen) forgetOpen(seen.trouble)
  return episode
}

/** The name of the part in the node's record, which has it afterwards; undefined where it cannot have one. */
function partNamed(run: Taking, signal: PartSignal): string | undefined {
  const { node } = run
  const known = knownAs(node, signal.part, signal.kind)
  if (known === undefined) return newPart(run, signal)
  if (known.isAlias) {
    run.notice('two-names', `${signal.part} of ${run.name} is taken for ${known.name}, which was there before`)
  }
  const part = node.parts[known.name]
  if (part && signal.model !== undefined && part.model === undefined) {
    node.parts[known.name] = { ...part, model: signal.model }
    joinModel(run.exposures, part.kind, signal.model, node.nowMs)
  }
  return known.name
}

function newPart(run: Taking, { part, kind, model }: PartSignal): string | undefined {
  const { node } = run
  if (part === '__proto__' || Object.keys(node.parts).length >= PARTS_LIMIT) {
    run.notice('unknown-part', `${part} of ${run.name} is no part`)
    return undefined
  }
  if (kind === 'other') run.notice('unknown-part', `${part} of ${run.name} is of a kind that nobody knows`)
  else if (run.fleetIsKnown) run.notice('unknown-part', `${part} of ${run.name} is not in the fleet`)
  node.parts[part] = { kind, sinceMs: node.nowMs, ...(model !== undefined && { model }) }
  joinFleet(run.exposures, kind, model, node.nowMs)
  return part
}

/** An operator's word needs no counter. */
export function takeWord(run: Taking, signal: PartSignal): void {
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

export function takeBmc({ node }: Run, signal: BmcSignal): void {
  switch (signal.event) {
    case 'reset':
      node.resetAtMs = node.nowMs
      node.unreachable = false
      dismissWaiting(node)
      // Whatever is still bad will be read again; what was asserted before proves nothing now.
      for (const { trouble } of Object.values(node.parts)) if (trouble) forgetOpen(trouble)
      return
    case 'log-cleared':
      beginLogEpoch(node, { atMs: signal.atMs, receivedAtMs: node.nowMs })
      node.logFull = false
      // A deassert may have gone with the log; what is still bad will be read or written again.
      for (const { trouble } of Object.values(node.parts)) if (trouble?.openPolls.count === 0) forgetOpen(trouble)
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
  const isWaiting = node.shared.some(({ is }) => is === 'waiting')
  for (const event of node.shared) if (event.is === 'waiting') event.is = 'dismissed'
  for (const name of node.restless) {
    for (const episode of node.parts[name]?.trouble?.episodes ?? []) {
      if (episode.is === 'waiting' || (isWaiting && episode.is === 'shared')) episode.is = 'dismissed'
    }
  }
}

function beReachable(node: NodeRecord): void {
  node.unreachable = false
  for (const name of node.restless) {
    const trouble = node.parts[name]?.trouble
    if (!trouble) continue
    if (trouble.openSinceMs !== null) trouble.openSinceMs = node.nowMs
    if (trouble.severe) {
      trouble.severe = { ...trouble.severe, sinceMs: node.nowMs, lastPollMs: node.nowMs, pollCount: 0 }
    }
  }
}

function correctClock(run: Taking, movedMs: number): void {
  const { node } = run
  run.notice('wrong-clock', `the BMC of ${run.name} is behind by ${Math.round(movedMs / 1000)} s`)
  moveLogged(node, movedMs, run.settings)
}
