/** What an outside prober saw of one guest. */
import type { Vmid } from './ids.ts'

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
    }
  | { readonly is: 'unmeasured'; readonly guest: Vmid; readonly reason: string }
