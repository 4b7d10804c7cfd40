/** Where finished pages for customers go. */
import type { CustomerId, MaintenanceId } from '#domain/ids'

export type Publisher = {
  /** Writes or overwrites; returns the path or address of the page. */
  publish(page: {
    readonly maintenance: MaintenanceId
    readonly customer: CustomerId
    readonly html: string
  }): Promise<string>
}
