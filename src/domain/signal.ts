/** One raw reading of one part: a SEL record, a sensor value, an alert. */
import type { NodeName } from './ids.ts'

export type PartKind = 'fan' | 'psu' | 'temperature' | 'memory' | 'disk' | 'link' | 'other'
export type PartState = 'ok' | 'warning' | 'critical' | 'non-recoverable' | 'absent' | 'unreadable'

export type PartSignal = {
  readonly is: 'part'
  /** The source's clock: may be wrong. */
  readonly atMs: number
  /** Ours: right. */
  readonly receivedAtMs: number
  readonly node: NodeName
  readonly source: 'sel' | 'poll' | 'redfish' | 'alert' | 'operator'
  readonly part: string
  readonly kind: PartKind
  readonly state: PartState
  readonly edge: 'assert' | 'deassert' | null
  readonly value?: number
  readonly unit?: string
  readonly recordId?: number
  readonly model?: string
}

export type BmcSignal = {
  readonly is: 'bmc'
  readonly atMs: number
  readonly receivedAtMs: number
  readonly node: NodeName
  readonly event: 'reset' | 'log-cleared' | 'log-full' | 'unreachable' | 'reachable'
}

export type Signal = PartSignal | BmcSignal
