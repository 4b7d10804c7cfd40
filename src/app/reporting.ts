/** A customer's report in the form that is asked for, from the journal as it stands: the same words in each. */
import type { Customer } from '#domain/customer'
import type { JournalRow } from '#domain/event'
import type { CustomerId } from '#domain/ids'
import { maintnote } from '#drivers/icalendar/maintnote'
import { pdfPrinter } from '#drivers/typst/pdf-printer'
import type { Inventory } from '#ports/inventory'
import type { Journal } from '#ports/journal'
import { calendarEntryOf } from '#tell/calendar'
import { type CustomerStory, customersIn, rowsTold, storyAsTold } from '#tell/decide'
import { toHtml } from '#tell/document/to-html'
import { toMarkdown } from '#tell/document/to-markdown'
import { reportOf } from '#tell/report'
import { summaryOf } from '#tell/summary'
import type { ReportFile, ReportForm, ReportQuery } from './report-query.ts'

export type Reporting = {
  /** Undefined: no such maintenance, or it has nothing about this customer. */
  report(query: ReportQuery): Promise<ReportFile | undefined>
}

const TYPES: Record<ReportForm, string> = {
  html: 'text/html; charset=utf-8',
  pdf: 'application/pdf',
  json: 'application/json; charset=utf-8',
  ics: 'text/calendar; charset=utf-8',
  md: 'text/markdown; charset=utf-8',
}

/** Where a calendar's organizer has no address. */
const NO_ADDRESS = 'noreply@invalid'

type Hoster = Pick<Inventory, 'customer' | 'hoster' | 'simulated' | 'operatorMail'>

export function reporting(parts: { readonly journal: Pick<Journal, 'read'>; readonly inventory: Hoster }): Reporting {
  const printer = pdfPrinter()
  const { journal, inventory } = parts
  return {
    async report({ maintenance, customer, form, language }) {
      const rows = await journal.read(maintenance)
      const customers = await Promise.all(customersIn(rows).map((id) => customerOf(inventory, id)))
      const own = customers.map((one) => (one.id === customer && language !== undefined ? { ...one, language } : one))
      const story = storyAsTold(rows, own, { customer })
      if (story === undefined) return undefined
      const bytes = await written(story, { rows, form, printer, inventory })
      return { name: `${fileName(maintenance)}--${fileName(customer)}.${form}`, type: TYPES[form], bytes }
    },
  }
}

type Writing = {
  readonly rows: readonly JournalRow[]
  readonly form: ReportForm
  readonly printer: ReturnType<typeof pdfPrinter>
  readonly inventory: Hoster
}

async function written(story: CustomerStory, { rows, form, printer, inventory }: Writing): Promise<Uint8Array> {
  const { hoster, simulated, operatorMail } = inventory
  const document = reportOf(story, { hoster, simulated })
  const text = (words: string) => new TextEncoder().encode(words)
  switch (form) {
    case 'html':
      return text(toHtml(document))
    case 'pdf':
      return printer.print(document)
    case 'md':
      return text(toMarkdown(document))
    case 'ics':
      return text(maintnote(calendarEntryOf(story, rowsTold(rows), { hoster, mail: operatorMail ?? NO_ADDRESS })))
    case 'json':
      return text(
        `${JSON.stringify({ format: 'coulisse/report@1', simulated, hoster, sentences: summaryOf(story), story }, null, 2)}\n`,
      )
  }
}

/** Who is known only by his id has a report all the same. */
const customerOf = async (inventory: Hoster, id: CustomerId): Promise<Customer> =>
  (await inventory.customer(id)) ?? { id, name: id, language: 'en' }

const fileName = (text: string) => text.replace(/[^A-Za-z0-9.-]/g, '_')
