import fc from 'fast-check'
import ICAL from 'ical.js'
import { expect, test } from 'vitest'
import type { CalendarEntry } from '#domain/calendar-entry'
import { customerId, maintenanceId } from '#domain/ids'
import { maintnote } from './maintnote.ts'

const ENTRY: CalendarEntry = {
  uid: 'mnt-1.acorn@coulisse',
  sequence: 3,
  writtenAtMs: Date.UTC(2026, 10, 3, 11),
  fromMs: Date.UTC(2026, 10, 3, 9, 5),
  toMs: Date.UTC(2026, 10, 3, 10, 31, 20),
  summary: 'Maintenance of node pve3, 3 November 2026',
  description: 'We moved 2 of your guests.\n\nNothing is left to do for you.',
  organizer: { name: 'Example Hosting', mail: 'noc@hoster.example' },
  provider: 'Example Hosting',
  account: customerId('acorn'),
  maintenance: maintenanceId('mnt-1'),
  objects: ['acorn-web', 'acorn-db'],
  impact: 'REDUCED-REDUNDANCY',
  status: 'IN-PROCESS',
}

function readBack(text: string) {
  const event = new ICAL.Component(ICAL.parse(text)).getFirstSubcomponent('vevent')
  if (event === null) throw new Error('no event')
  const all = (name: string) => event.getAllProperties(name).map((one) => one.getFirstValue()?.toString())
  return { all, calendar: new ICAL.Component(ICAL.parse(text)), event: new ICAL.Event(event) }
}

test('another’s parser reads what was written', () => {
  const { all, calendar, event } = readBack(maintnote(ENTRY))
  expect(event.uid).toBe(ENTRY.uid)
  expect(event.sequence).toBe(3)
  expect(event.startDate.toJSDate().getTime()).toBe(ENTRY.fromMs)
  expect(event.endDate.toJSDate().getTime()).toBe(ENTRY.toMs)
  expect(event.description).toBe(ENTRY.description)
  expect(all('x-maintnote-provider')).toEqual(['Example Hosting'])
  expect(all('x-maintnote-account')).toEqual(['acorn'])
  expect(all('x-maintnote-maintenance-id')).toEqual(['mnt-1'])
  expect(all('x-maintnote-object-id')).toEqual(['acorn-web', 'acorn-db'])
  expect(all('x-maintnote-impact')).toEqual(['REDUCED-REDUNDANCY'])
  expect(all('x-maintnote-status')).toEqual(['IN-PROCESS'])
  expect(all('organizer')).toEqual(['mailto:noc@hoster.example'])
  expect(calendar.getFirstProperty('method')).toBeNull()
})

test('equal entries are equal text', () => {
  expect(maintnote(ENTRY)).toBe(maintnote(structuredClone(ENTRY)))
})

test('no name ends its line or adds another', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      const nasty = `${name}\r\nX-MAINTNOTE-IMPACT:OUTAGE\n;,"\\`
      const { all, event } = readBack(maintnote({ ...ENTRY, summary: nasty, provider: nasty, objects: [nasty] }))
      expect(all('x-maintnote-impact')).toEqual(['REDUCED-REDUNDANCY'])
      expect(all('x-maintnote-object-id')).toHaveLength(1)
      expect(event.uid).toBe(ENTRY.uid)
    }),
  )
})
