/** Who is told, how, and in which language. */
import type { CustomerId, Vmid } from './ids.ts'

export type Customer = {
  readonly id: CustomerId
  readonly name: string
  readonly language: 'en' | 'fr' | 'es'
  readonly mail?: string
  /** Of the database of time zones, such as Europe/Madrid; UTC where absent. */
  readonly timeZone?: string
  /** The share of time that each guest shall answer, such as 0.999; absent: nobody promised one. */
  readonly promisedAvailability?: number
}

/** What one customer has at stake in one maintenance. */
export type Stake = { readonly customer: Customer; readonly guests: readonly Vmid[] }

/** Whether the runtime's database of time zones has it. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
