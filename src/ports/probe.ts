/** The outside prober: what customers could have felt. */
import type { Vmid } from '#domain/ids'
import type { ProbeReading } from '#domain/measurement'

export type Probe = {
  /** One reading a guest, in the order asked. A prober that was down answers 'unmeasured', never 0. */
  read(query: {
    readonly guests: readonly Vmid[]
    readonly fromMs: number
    readonly toMs: number
    /** When the work was done: latencies are told before, during and after. Left out: all of it. */
    readonly during?: { readonly fromMs: number; readonly toMs: number }
  }): Promise<readonly ProbeReading[]>
}
