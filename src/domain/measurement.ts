/** What an outside prober saw of one guest. */
import type { Vmid } from './ids.ts'

/** Of the probes of a stretch that were answered; unmeasured where none was. */
export type Latency = { readonly p50Ms: number; readonly p99Ms: number; readonly answeredCount: number } | 'unmeasured'

/** The same hours of earlier days: whether the guest has such gaps anyway. At the interval at which it was watched then. */
export type Usual = { readonly days: number; readonly longestGapMs: number; readonly intervalMs: number }

export type ProbeReading =
  | {
      readonly is: 'measured'
      readonly guest: Vmid
      readonly fromMs: number
      readonly toMs: number
      /** The resolution: a gap is known to within one interval. */
      readonly intervalMs: number
      readonly sentCount: number
      readonly lostCount: number
      readonly longestGapMs: number
      readonly longestGapAtMs: number
      /** Which witness, and what he asked; absent where there is but one. */
      readonly by?: string
      readonly latency?: { readonly before: Latency; readonly during: Latency; readonly after: Latency }
      readonly usual?: Usual
      /** The hash over the signed samples behind it. */
      readonly samples?: string
    }
  | { readonly is: 'unmeasured'; readonly guest: Vmid; readonly reason: string; readonly by?: string }
