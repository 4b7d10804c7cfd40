/** Who is told, how, and in which language. */
import type { CustomerId, Vmid } from './ids.ts'

export type Customer = {
  readonly id: CustomerId
  readonly name: string
  readonly language: 'en' | 'fr' | 'es'
  readonly mail?: string
}

/** What one customer has at stake in one maintenance. */
export type Stake = { readonly customer: Customer; readonly guests: readonly Vmid[] }
