/** A customer's report in the form that is asked for, from the journal as it stands: the same words in each. */
import type { Customer } from '#domain/customer'
import type { Document } from '#domain/document'
import type { JournalRow } from '#domain/event'
import type { Guest } from '#domain/guest'
import type { CustomerId, MaintenanceId } from '#domain/ids'
import { maintnote } from '#drivers/icalendar/maintnote'
import { pdfPrinter } from '#drivers/typst/pdf-printer'
import type { Inventory } from '#ports/inventory'
import type { Journal } from '#ports/journal'
import type { Printer } from '#ports/printer'
import type { Probe } from '#ports/probe'
import { calendarEntryOf } from '#tell/calendar'
import { type CustomerStory, customersIn, rowsTold, storyAsTold } from '#tell/decide'
import { toHtml } from '#tell/document/to-html'
import { toMarkdown } from '#tell/document/to-markdown'
import { beganIn, type MonthSpan, type MonthStory, monthSpan, monthStory, storiesByCustomer } from '#tell/month/decide'
import { monthReportOf, monthSummaryOf } from '#tell/month/report'
import { publicStory } from '#tell/public/decide'
import { publicCard, publicMarkdown } from '#tell/public/draft'
import { reportOf } from '#tell/report'
import { summaryOf } from '#tell/summary'
import type { DraftQuery, MonthForm, MonthQuery, ReportFile, ReportForm, ReportQuery } from './report-query.ts'

export type Reporting = {
  /** Undefined: no such maintenance, or it has nothing about this customer. */
  report(query: ReportQuery): Promise<ReportFile | undefined>
  /** Undefined: no such maintenance. */
  draft(query: DraftQuery): Promise<ReportFile | undefined>
  /** One file a customer: those whom a maintenance of the month concerned, or the one who is asked for. Undefined: no such month. */
  month(query: MonthQuery): AsyncIterable<ReportFile> | undefined
}

const TYPES: Record<ReportForm | 'svg', string> = {
  svg: 'image/svg+xml',
  html: 'text/html; charset=utf-8',
  pdf: 'application/pdf',
  json: 'application/json; charset=utf-8',
  ics: 'text/calendar; charset=utf-8',
  md: 'text/markdown; charset=utf-8',
}

/** Where a calendar's organizer has no address. */
const NO_ADDRESS = 'noreply@invalid'

type Hoster = Pick<Inventory, 'customer' | 'hoster' | 'simulated' | 'operatorMail'>

export type ReportingParts = {
  readonly journal: Pick<Journal, 'read'>
  readonly inventory: Hoster
  readonly probe: Probe
  readonly listMaintenances: () => Promise<readonly MaintenanceId[]>
  /** Whose guests run now: what a probe may have watched in a month without maintenance. */
  readonly guests: () => Promise<readonly Pick<Guest, 'vmid' | 'customer'>[]>
}

export function reporting(parts: ReportingParts): Reporting {
  const printer = pdfPrinter()
  const { journal, inventory } = parts
  return {
    async report({ maintenance, customer, form, language }) {
      const rows = await journal.read(maintenance)
      const customers = await customersOf(inventory, rows)
      const own = customers.map((one) => (one.id === customer && language !== undefined ? { ...one, language } : one))
      const story = storyAsTold(rows, own, { customer })
      if (story === undefined) return undefined
      const bytes = await written(story, { rows, form, printer, inventory })
      return { name: `${fileName(maintenance)}--${fileName(customer)}.${form}`, type: TYPES[form], bytes }
    },
    async draft({ maintenance, form, language }) {
      const rows = await journal.read(maintenance)
      const customers = await customersOf(inventory, rows)
      const story = publicStory(rows, customers)
      if (story === undefined) return undefined
      const { hoster, simulated } = inventory
      const options = { language, hoster, simulated }
      const words = form === 'md' ? publicMarkdown(story, options) : publicCard(story, options)
      return { name: `${fileName(maintenance)}--public.${form}`, type: TYPES[form], bytes: bytesOf(words) }
    },
    month(query) {
      const span = monthSpan(query.month)
      return span === undefined ? undefined : monthFiles(parts, printer, { ...query, span })
    },
  }
}

async function* monthFiles(
  parts: ReportingParts,
  printer: Printer,
  { span, month, customer: asked, form, language }: MonthQuery & { readonly span: MonthSpan },
): AsyncIterable<ReportFile> {
  const { inventory } = parts
  const journals = await journalsOf(parts, span)
  const known = new Map<CustomerId, Customer>()
  for (const id of [...journals.flatMap(customersIn), ...(asked === undefined ? [] : [asked])]) {
    const customer = await customerOf(inventory, id)
    known.set(id, language === undefined ? customer : { ...customer, language })
  }
  const stories = storiesByCustomer(journals, (id) => known.get(id) ?? { id, name: id, language: 'en' })
  const guests = await parts.guests()
  for (const customer of asked === undefined ? known.values() : [known.get(asked)]) {
    if (customer === undefined) continue
    const own = guests.filter((guest) => guest.customer === customer.id).map(({ vmid }) => vmid)
    const story = monthStory(customer, {
      span,
      maintenances: stories.get(customer.id) ?? [],
      readings: own.length === 0 ? [] : await parts.probe.read({ guests: own, ...span }),
      promised: customer.promisedAvailability ?? 'unknown',
    })
    const bytes = await monthWritten(story, { form, printer, inventory })
    yield { name: `${month}--${fileName(customer.id)}.${form}`, type: TYPES[form], bytes }
  }
}

async function journalsOf({ listMaintenances, journal }: ReportingParts, span: MonthSpan) {
  const journals: (readonly JournalRow[])[] = []
  for (const id of await listMaintenances()) {
    const rows = await journal.read(id)
    if (beganIn(span, rows)) journals.push(rows)
  }
  return journals
}

async function monthWritten(
  story: MonthStory,
  { form, printer, inventory }: Omit<Writing, 'rows' | 'form'> & { readonly form: MonthForm },
): Promise<Uint8Array> {
  const { hoster, simulated } = inventory
  if (form === 'json') {
    return jsonBytes({ format: 'coulisse/month@1', simulated, hoster, sentences: monthSummaryOf(story), story })
  }
  return rendered(monthReportOf(story, { hoster, simulated }), form, printer)
}

type Writing = {
  readonly rows: readonly JournalRow[]
  readonly form: ReportForm
  readonly printer: Printer
  readonly inventory: Hoster
}

async function written(story: CustomerStory, { rows, form, printer, inventory }: Writing): Promise<Uint8Array> {
  const { hoster, simulated, operatorMail } = inventory
  switch (form) {
    case 'ics':
      return bytesOf(maintnote(calendarEntryOf(story, rowsTold(rows), { hoster, mail: operatorMail ?? NO_ADDRESS })))
    case 'json':
      return jsonBytes({ format: 'coulisse/report@1', simulated, hoster, sentences: summaryOf(story), story })
    default:
      return rendered(reportOf(story, { hoster, simulated }), form, printer)
  }
}

async function rendered(document: Document, form: 'html' | 'pdf' | 'md', printer: Printer): Promise<Uint8Array> {
  if (form === 'pdf') return printer.print(document)
  return bytesOf(form === 'html' ? toHtml(document) : toMarkdown(document))
}

const bytesOf = (words: string) => new TextEncoder().encode(words)
const jsonBytes = (value: object) => bytesOf(`${JSON.stringify(value, null, 2)}\n`)

const customersOf = (inventory: Hoster, rows: readonly JournalRow[]): Promise<readonly Customer[]> =>
  Promise.all(customersIn(rows).map((id) => customerOf(inventory, id)))

/** Who is known only by his id has a report all the same. */
const customerOf = async (inventory: Hoster, id: CustomerId): Promise<Customer> =>
  (await inventory.customer(id)) ?? { id, name: id, language: 'en' }

const fileName = (text: string) => text.replace(/[^A-Za-z0-9.-]/g, '_')
