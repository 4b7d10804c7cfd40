/** Customers' pages as files, one a customer and maintenance, replaced whole or not at all. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DriverError } from '#domain/driver-error'
import type { CustomerId, MaintenanceId } from '#domain/ids'
import type { Publisher } from '#ports/publisher'

export type FilePublisher = Publisher & {
  read(
    maintenance: MaintenanceId,
    customer: CustomerId,
  ): Promise<{ readonly path: string; readonly html: string } | undefined>
}

export function filePublisher(folder: string): FilePublisher {
  const pathOf = (maintenance: MaintenanceId, customer: CustomerId) =>
    join(folder, `${plain(maintenance)}--${plain(customer)}.html`)
  return {
    async publish({ maintenance, customer, html }) {
      const path = pathOf(maintenance, customer)
      try {
        mkdirSync(folder, { recursive: true })
        writeFileSync(`${path}.new`, html)
        renameSync(`${path}.new`, path)
      } catch (cause) {
        throw new DriverError('files', `write the page of ${customer}`, { retry: 'later', cause })
      }
      return path
    },
    async read(maintenance, customer) {
      const path = pathOf(maintenance, customer)
      try {
        return { path, html: readFileSync(path, 'utf8') }
      } catch {
        return undefined
      }
    },
  }
}

/** Customers' ids come from pools that people name: none leaves the folder, and no two share a page. */
const plain = (text: string) =>
  text.replace(/[^A-Za-z0-9-]/g, (letter) => `_${letter.codePointAt(0)?.toString(16) ?? ''}_`)
