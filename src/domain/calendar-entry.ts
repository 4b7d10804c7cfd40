/** One maintenance in a customer's calendar, in the terms of maintnote (https://github.com/jda/maintnote-std). */
import type { CustomerId, MaintenanceId } from './ids.ts'

export type CalendarEntry = {
  /** One through the whole life of the entry. */
  readonly uid: string
  /** Rises with every change that the reader should see. */
  readonly sequence: number
  readonly writtenAtMs: number
  readonly fromMs: number
  /** As forecast while it runs, as measured when it has ended. */
  readonly toMs: number
  readonly summary: string
  readonly description: string
  readonly organizer: { readonly name: string; readonly mail: string }
  readonly provider: string
  readonly account: CustomerId
  readonly maintenance: MaintenanceId
  /** Names of the customer's own guests. */
  readonly objects: readonly string[]
  readonly impact: 'NO-IMPACT' | 'REDUCED-REDUNDANCY' | 'DEGRADED' | 'OUTAGE'
  readonly status: 'TENTATIVE' | 'CONFIRMED' | 'IN-PROCESS' | 'COMPLETED' | 'CANCELLED'
}
