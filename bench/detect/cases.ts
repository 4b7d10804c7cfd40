/** A thousand seeded cases in which no part is at fault: BMC resets, logs that are replayed, thresholds that are set wrongly. */
import { nodeName } from '#domain/ids'
import type { BmcSignal, PartSignal, PartState, Signal } from '#domain/signal'
import type { Chance } from './chance.ts'
import { findingsOf } from './ours.ts'
import { chanceOf, DAY, EPOCH_MS, FANS_A_NODE, HOUR, MINUTE, SECOND } from './worlds.ts'

const node = nodeName('pve3')
const SEL_STATES: readonly PartState[] = ['warning', 'critical', 'non-recoverable']
const FANS = Array.from({ length: FANS_A_NODE }, (_, index) => `FAN${index + 1}`)
const CASE_MS = 4 * DAY

class Bmc {
  readonly signals: Signal[] = []
  recordId = 0
  readonly clockErrorMs: number

  constructor(clockErrorMs: number) {
    this.clockErrorMs = clockErrorMs
  }

  edge(atMs: number, part: string, edge: 'assert' | 'deassert', value: number): void {
    for (const state of SEL_STATES)
      this.#push(atMs, { part, edge, state, value, source: 'sel', recordId: ++this.recordId })
  }

  dropout(atMs: number, part: string, lastsMs: number, low = 0): void {
    this.edge(atMs, part, 'assert', low)
    this.edge(atMs + lastsMs, part, 'deassert', 8400)
  }

  poll(atMs: number, part: string, state: PartState, value: number): void {
    this.#push(atMs, { part, edge: null, state, value, source: 'poll' })
  }

  event(atMs: number, event: BmcSignal['event']): void {
    const receivedAtMs = Math.round(EPOCH_MS + atMs)
    this.signals.push({ is: 'bmc', atMs: receivedAtMs, receivedAtMs, node, event })
  }

  /** The last records once more, as they were. */
  replay(atMs: number, count: number): void {
    const records = this.signals.filter((signal) => signal.is === 'part' && signal.recordId !== undefined)
    const receivedAtMs = Math.round(EPOCH_MS + atMs)
    for (const record of records.slice(-count)) this.signals.push({ ...record, receivedAtMs })
  }

  ordered(): readonly Signal[] {
    return [...this.signals].sort((a, b) => a.receivedAtMs - b.receivedAtMs)
  }

  #push(atMs: number, rest: Pick<PartSignal, 'part' | 'edge' | 'state' | 'value' | 'source' | 'recordId'>): void {
    const receivedAtMs = Math.round(EPOCH_MS + atMs)
    const common = { is: 'part', node, kind: 'fan', unit: 'RPM', model: 'R740', receivedAtMs } as const
    this.signals.push({ ...common, atMs: receivedAtMs + this.clockErrorMs, ...rest } as PartSignal)
  }
}

/** Resets now and then: fans read as lost before and after, records of it are written, some BMCs forget their time or their log. */
function resets(chance: Chance): readonly Signal[] {
  const bmc = new Bmc(chance.next() < 0.3 ? -Math.round(chance.between(0, 3000)) * DAY : 0)
  for (let atMs = HOUR; atMs < CASE_MS; atMs += chance.between(HOUR, 20 * HOUR)) {
    const lost = FANS.filter(() => chance.next() < 0.8)
    if (chance.next() < 0.5) for (const fan of lost) bmc.poll(atMs - 30 * SECOND, fan, 'non-recoverable', 0)
    bmc.event(atMs, 'reset')
    for (const fan of lost) bmc.dropout(atMs + chance.between(5, 90) * SECOND, fan, chance.between(5, 60) * SECOND)
    if (chance.next() < 0.5) bmc.replay(atMs + 100 * SECOND, 20)
    if (chance.next() < 0.3) {
      bmc.event(atMs + 110 * SECOND, 'log-cleared')
      bmc.recordId = 0
    }
    for (const fan of FANS) bmc.poll(atMs + 4 * MINUTE, fan, 'ok', 8400)
  }
  return bmc.ordered()
}

/** One healthy glitch, told again and again, with and without a reset. */
function replays(chance: Chance): readonly Signal[] {
  const bmc = new Bmc(chance.next() < 0.3 ? Math.round(chance.between(-12, 12)) * HOUR : 0)
  bmc.dropout(HOUR, 'FAN3', chance.between(2, 30) * SECOND)
  for (let atMs = 2 * HOUR; atMs < CASE_MS; atMs += chance.between(10 * MINUTE, 12 * HOUR)) {
    if (chance.next() < 0.5) bmc.event(atMs, 'reset')
    bmc.replay(atMs + 30 * SECOND, 1 + Math.floor(chance.next() * 6))
  }
  return bmc.ordered()
}

/** Quiet fans under the factory threshold: all sink below it, are spun up, recover, sink again. One in four has a single such fan. */
function thresholds(chance: Chance): readonly Signal[] {
  const bmc = new Bmc(0)
  const fans = chance.next() < 0.75 ? FANS : FANS.slice(0, 1)
  const everyMs = chance.between(7, 90) * MINUTE
  const lastsMs = chance.between(5, 60) * SECOND
  for (let atMs = HOUR; atMs < CASE_MS; atMs += everyMs * chance.between(0.96, 1.04)) {
    for (const fan of fans) {
      bmc.dropout(atMs + chance.between(0, 40) * SECOND, fan, lastsMs, Math.round(chance.between(300, 900)))
    }
  }
  return bmc.ordered()
}

const KINDS = { resets, replays, thresholds } as const

export type CaseFigures = { readonly cases: number; readonly againstParts: number; readonly againstNodes: number }

/** Cases in which something was said against a part, or (beyond watching) against what the parts share. */
export function innocentCases(count: number): Readonly<Record<keyof typeof KINDS, CaseFigures>> {
  const shares = {
    resets: Math.round(count * 0.4),
    replays: Math.round(count * 0.3),
    thresholds: Math.round(count * 0.3),
  }
  const figures = (kind: keyof typeof KINDS): CaseFigures => {
    let againstParts = 0
    let againstNodes = 0
    for (let run = 0; run < shares[kind]; run++) {
      const findings = findingsOf(KINDS[kind](chanceOf(77, run)), CASE_MS + DAY)
      if (findings.some(({ part }) => part !== 'node')) againstParts++
      if (findings.some(({ part, level }) => part === 'node' && level !== 'watch')) againstNodes++
    }
    return { cases: shares[kind], againstParts, againstNodes }
  }
  return { resets: figures('resets'), replays: figures('replays'), thresholds: figures('thresholds') }
}
