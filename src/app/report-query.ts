/** Which report is asked for, and what comes back. */
import type { Customer } from '#domain/customer'
import type { CustomerId, MaintenanceId } from '#domain/ids'

export const REPORT_FORMS = ['html', 'pdf', 'json', 'ics', 'md'] as const
export type ReportForm = (typeof REPORT_FORMS)[number]

export type ReportQuery = {
  readonly maintenance: MaintenanceId
  readonly customer: CustomerId
  readonly form: ReportForm
  /** Absent: the customer's own. */
  readonly language?: Customer['language']
}

export const MONTH_FORMS = ['html', 'pdf', 'json', 'md'] as const
export type MonthForm = (typeof MONTH_FORMS)[number]

export type MonthQuery = {
  /** '2026-11', UTC. */
  readonly month: string
  /** Absent: everybody whom a maintenance of that month concerned. */
  readonly customer?: CustomerId
  readonly form: MonthForm
  readonly language?: Customer['language']
}

export const DRAFT_FORMS = ['md', 'svg'] as const

/** The public story of a maintenance, anonymised, for a person to edit. */
export type DraftQuery = {
  readonly maintenance: MaintenanceId
  readonly form: (typeof DRAFT_FORMS)[number]
  readonly language: Customer['language']
}

export type ReportFile = { readonly name: string; readonly type: string; readonly bytes: Uint8Array }
