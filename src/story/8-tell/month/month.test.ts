import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { customerId, vmid } from '#domain/ids'
import type { Sha256 } from '#domain/merkle'
import { toMarkdown } from '../document/to-markdown.ts'
import { BAD_NIGHT, CUSTOMERS, GOOD_NIGHT, reading, rowsOf } from '../sample-journal.ts'
import { beganIn, monthSpan, monthStory, storiesByCustomer } from './decide.ts'
import { monthReportOf, monthSummaryOf } from './report.ts'

const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')
const span = monthSpan('2026-11') ?? { fromMs: 0, toMs: 0 }
const JOURNALS = [GOOD_NIGHT, BAD_NIGHT].map((night) => rowsOf(night, sha256))
const plain = (text: string) => text.replaceAll('\u00a0', ' ').replaceAll('\u202f', ' ')

function monthOf(id: string, more: Partial<Parameters<typeof monthStory>[1]> = {}, language?: 'en' | 'fr' | 'es') {
  const customers = CUSTOMERS.map((one) => (language === undefined ? one : { ...one, language }))
  const customer = customers.find((one) => one.id === id)
  if (customer === undefined) throw new Error(`no ${id}`)
  const all = storiesByCustomer(JOURNALS, (wanted) => customers.find((one) => one.id === wanted) ?? customer)
  const maintenances = all.get(customerId(id)) ?? []
  return monthStory(customer, { span, maintenances, readings: [], promised: 'unknown', ...more })
}

test('a month is a month, and a maintenance belongs to the one in which it began', () => {
  expect(span).toEqual({ fromMs: Date.UTC(2026, 10, 1), toMs: Date.UTC(2026, 11, 1) })
  for (const text of ['2026-13', '2026-1', '26-11', '2026-11-03', '']) expect(monthSpan(text)).toBeUndefined()
  expect(JOURNALS.map((rows) => beganIn(span, rows))).toEqual([true, true])
  expect(beganIn({ fromMs: span.toMs, toMs: span.toMs + 1 }, JOURNALS[0] ?? [])).toBe(false)
})

describe('what is said', () => {
  test('of a month with work: what was done, measured and promised', () => {
    const watched = { ...reading(vmid(101), 2, 200), sentCount: 2_592_000, intervalMs: 1000 }
    const text = plain(monthSummaryOf(monthOf('acorn', { readings: [watched], promised: 0.999 })).join(' '))
    expect(text).toContain('We did 2 maintenances on machines that ran guests of yours.')
    expect(text).toContain('had an answer for 99.999922% of that')
    expect(text).toContain('We promise 99.9%, which leaves 43 min a month for each guest.')
    expect(text.split(/\s+/).length).toBeLessThanOrEqual(150)
  })

  test('of a month that nobody watched: not measured, and no figure in its place', () => {
    const document = toMarkdown(monthReportOf(monthOf('cedar', {}, 'fr'), { hoster: 'H', simulated: false }))
    expect(document).toContain('Personne n’a mesuré de l’extérieur')
    expect(document).toContain('non mesuré')
    expect(document).not.toMatch(/100\s?%|\b0\s?(ms|s)\b/)
  })

  test('of a month without work', () => {
    const story = monthOf('acorn', { maintenances: [] })
    expect(monthSummaryOf(story)[0]).toBe('No maintenance touched your guests this month.')
    expect(monthReportOf(story, { hoster: 'H', simulated: true }).sections.map(({ id }) => id)).not.toContain('work')
  })

  test('a share is never rounded up to all of it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 100_001, max: 4_000_000 }), (lost, sent) => {
        const watched = { ...reading(vmid(101), lost, lost * 1000), sentCount: sent, lostCount: lost, intervalMs: 1000 }
        expect(monthSummaryOf(monthOf('acorn', { readings: [watched] })).join(' ')).not.toMatch(/\b100\s?%/)
      }),
    )
  })

  test('nobody reads of another customer', () => {
    for (const { id } of CUSTOMERS) {
      const text = JSON.stringify(monthReportOf(monthOf(id), { hoster: 'H', simulated: false }))
      for (const other of CUSTOMERS) if (other.id !== id) expect(text.toLowerCase()).not.toContain(other.id)
    }
  })
})
