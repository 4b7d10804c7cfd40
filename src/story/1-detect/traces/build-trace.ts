/** Builds traces for tests: dropouts as a BMC writes them (three records an edge), polls, resets and replays. */
import { nodeName } from '#domain/ids'
import type { BmcSignal, PartKind, PartSignal, PartState, Signal } from '#domain/signal'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
export const START_MS = Date.UTC(2026, 10, 2, 6, 0, 0)

export type Dropout = {
  readonly atMs: number
  readonly part: string
  readonly lastsMs?: number
  readonly value?: number
  readonly kind?: PartKind
}

/** One node's BMC: hands out record ids, as its log does. */
export class TraceBuilder {
  readonly node: string
  private nextId = 1
  private logBeginsAt = 0
  private readonly signals: Signal[] = []
  /** How far the BMC's clock is off. */
  private readonly clockErrorMs: number

  constructor(node = 'pve3', clockErrorMs = 0) {
    this.node = node
    this.clockErrorMs = clockErrorMs
  }

  /** Both edges of a dropout, three records each; without `lastsMs` the part stays lost. */
  dropout({ atMs, part, lastsMs, value, kind }: Dropout): this {
    const states: readonly PartState[] = ['warning', 'critical', 'non-recoverable']
    for (const state of states)
      this.record({ atMs, part, state, edge: 'assert', value: value ?? 0, kind: kind ?? 'fan' })
    if (lastsMs === undefined) return this
    const endMs = atMs + lastsMs
    for (const state of states)
      this.record({ atMs: endMs, part, state, edge: 'deassert', value: 8400, kind: kind ?? 'fan' })
    return this
  }

  poll(atMs: number, part: string, state: PartState, kind: PartKind = 'fan'): this {
    const signal: PartSignal = { ...this.times(atMs), is: 'part', source: 'poll', part, kind, state, edge: null }
    this.signals.push(signal)
    return this
  }

  /** A signal as it is. */
  take(signal: Signal): this {
    this.signals.push(signal)
    return this
  }

  event(atMs: number, event: BmcSignal['event']): this {
    this.signals.push({ ...this.times(atMs), is: 'bmc', event })
    if (event !== 'log-cleared') return this
    this.nextId = 1
    this.logBeginsAt = this.signals.length
    return this
  }

  /** After a reset the BMC sends the last records of its log once more. */
  replay(atMs: number, count: number): this {
    const log = this.signals.slice(this.logBeginsAt)
    const records = log.filter((signal) => signal.is === 'part' && signal.recordId !== undefined)
    for (const signal of records.slice(-count)) this.signals.push({ ...signal, receivedAtMs: atMs })
    return this
  }

  build(): readonly Signal[] {
    return [...this.signals].sort((a, b) => a.receivedAtMs - b.receivedAtMs)
  }

  private times(atMs: number) {
    return { atMs: atMs + this.clockErrorMs, receivedAtMs: atMs, node: nodeName(this.node) }
  }

  private record(entry: {
    atMs: number
    part: string
    state: PartState
    edge: 'assert' | 'deassert'
    value: number
    kind: PartKind
  }): void {
    const { atMs, ...rest } = entry
    this.signals.push({
      ...this.times(atMs),
      ...rest,
      is: 'part',
      source: 'sel',
      unit: 'RPM',
      recordId: this.nextId++,
      model: 'R740',
    })
  }
}

export const FANS = ['FAN1', 'FAN2', 'FAN3', 'FAN4', 'FAN5', 'FAN6'] as const

/** The seed story: FAN3 drops out for half a minute about four times a day. */
export function seedStory(clockErrorMs = 0): TraceBuilder {
  const trace = new TraceBuilder('pve3', clockErrorMs)
  for (const fan of FANS) trace.poll(START_MS, fan, 'ok')
  for (const hours of [3, 10, 14, 21, 27, 34]) {
    trace.dropout({ atMs: START_MS + hours * HOUR, part: 'FAN3', lastsMs: 30 * SECOND })
  }
  return trace
}
