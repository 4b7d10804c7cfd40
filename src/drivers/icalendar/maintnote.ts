/** A calendar entry as iCalendar (RFC 5545) with the fields of maintnote. No METHOD: it is a publication, nobody is asked to answer. */
import ical, { ICalEventStatus } from 'ical-generator'
import type { CalendarEntry } from '#domain/calendar-entry'

/** RFC 5545 knows three states of an event; maintnote's own field has all five. */
const STATUS: Record<CalendarEntry['status'], ICalEventStatus> = {
  TENTATIVE: ICalEventStatus.TENTATIVE,
  CONFIRMED: ICalEventStatus.CONFIRMED,
  'IN-PROCESS': ICalEventStatus.CONFIRMED,
  COMPLETED: ICalEventStatus.CONFIRMED,
  CANCELLED: ICalEventStatus.CANCELLED,
}

/** Equal entry, equal text. */
export function maintnote(entry: CalendarEntry): string {
  const calendar = ical({ prodId: { company: 'Coulisse', product: 'Coulisse', language: 'EN' } })
  const event = calendar.createEvent({
    id: entry.uid,
    sequence: entry.sequence,
    stamp: new Date(entry.writtenAtMs),
    start: new Date(entry.fromMs),
    end: new Date(entry.toMs),
    summary: oneLine(entry.summary),
    description: entry.description,
    organizer: { name: oneLine(entry.organizer.name), email: entry.organizer.mail },
    status: STATUS[entry.status],
  })
  // All in one call: a second call silently replaces the first.
  event.x([
    { key: 'X-MAINTNOTE-PROVIDER', value: oneLine(entry.provider) },
    { key: 'X-MAINTNOTE-ACCOUNT', value: oneLine(entry.account) },
    { key: 'X-MAINTNOTE-MAINTENANCE-ID', value: oneLine(entry.maintenance) },
    ...entry.objects.map((name) => ({ key: 'X-MAINTNOTE-OBJECT-ID', value: oneLine(name) })),
    { key: 'X-MAINTNOTE-IMPACT', value: entry.impact },
    { key: 'X-MAINTNOTE-STATUS', value: entry.status },
  ])
  return calendar.toString()
}

const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim()
