/** The simulated event log as each maker writes it. */
import { FAN_THRESHOLDS } from '#lab/world/bmc'
import type { SelRecord } from '#lab/world/state'
import type { Vendor } from './vendors.ts'

export type Entry = Readonly<Record<string, unknown>>

const SENSOR_TYPES: Readonly<Record<SelRecord['kind'], string>> = {
  fan: 'Fan',
  psu: 'Power Supply / Converter',
  temperature: 'Temperature',
  memory: 'Memory',
  log: 'Event Logging Disabled',
  other: 'Management Subsystem Health',
}

const HEALTH = { ok: 'OK', warning: 'Warning', critical: 'Critical', 'non-recoverable': 'Critical' } as const

/** A BMC whose clock is not set counts from 1970. */
const timeOf = ({ atMs }: SelRecord) => new Date(atMs === 'pre-init' ? 0 : atMs).toISOString().replace('.000Z', 'Z')

/** In the order in which it was written. What is no record of the maker's own is left out. */
export function entriesOf(vendor: Vendor, sel: readonly SelRecord[]): readonly Entry[] {
  switch (vendor.name) {
    case 'idrac':
      return sel.map(idracEntry)
    case 'ilo':
      return iloEntries(sel)
    case 'supermicro':
      return sel.map(supermicroEntry)
  }
}

/** iDRAC words each edge, says in EntryCode which one it is, and gives no arguments. */
function idracEntry(record: SelRecord): Entry {
  const below = FAN_THRESHOLDS.find(({ name }) => record.event.startsWith(name))
  const level = below?.severity === 'warning' ? 'warning' : 'critical'
  const words =
    record.kind === 'log'
      ? 'Log cleared.'
      : record.kind !== 'fan'
        ? `${record.sensor}: ${record.event}.`
        : record.asserted
          ? `${record.sensor} RPM is less than the lower ${level} threshold.`
          : `${record.sensor} RPM is no longer less than the lower ${level} threshold.`
  return {
    Id: String(record.id),
    Name: ` Log Entry ${record.id}`,
    EntryType: 'SEL',
    Created: timeOf(record),
    Severity: record.asserted ? HEALTH[record.severity] : 'OK',
    SensorType: record.kind === 'log' ? 'Event Logging Disabled' : SENSOR_TYPES[record.kind],
    EntryCode: record.asserted ? 'Assert' : 'Deassert',
    Message: words,
    MessageId: '0ffff',
    MessageArgs: [],
    'MessageArgs@odata.count': 0,
  }
}

/** iLO writes one record for what fails, and marks that one repaired when it is over. */
function iloEntries(sel: readonly SelRecord[]): readonly Entry[] {
  return sel
    .filter(({ asserted }) => asserted)
    .map((record) => {
      const over = sel.find(
        ({ id, sensor, event, asserted }) =>
          id > record.id && sensor === record.sensor && event === record.event && !asserted,
      )
      const severity = { ok: 'Informational', warning: 'Caution', critical: 'Critical', 'non-recoverable': 'Critical' }
      return {
        Id: String(record.id),
        Name: 'Integrated Management Log',
        EntryType: 'Oem',
        OemRecordFormat: 'Hpe-IML',
        Created: timeOf(record),
        Severity: over === undefined ? HEALTH[record.severity] : 'OK',
        Message: iloWords(record),
        Oem: {
          Hpe: {
            '@odata.type': '#HpeLogEntry.v2_1_0.HpeLogEntry',
            Count: 1,
            EventNumber: record.id,
            Repaired: over !== undefined,
            Severity: over === undefined ? severity[record.severity] : 'Repaired',
            Updated: timeOf(over ?? record),
          },
        },
      }
    })
}

function iloWords({ kind, sensor, event, severity }: SelRecord): string {
  if (kind === 'log') return 'IML Cleared (iLO user: Administrator)'
  if (kind !== 'fan') return `${event} (${sensor})`
  return severity === 'warning'
    ? `Fan Degraded (${sensor}, Location System)`
    : `Fan Failure (${sensor}, Location System)`
}

/** Supermicro shows the SEL's own words; its entries have no message ids. */
function supermicroEntry(record: SelRecord): Entry {
  const direction = record.asserted ? 'Assertion' : 'Deassertion'
  const reading =
    record.value === undefined ? '' : `: reading ${record.value} ${record.unit ?? ''}, threshold ${record.threshold}`
  return {
    Id: String(record.id),
    Name: `Log Entry ${record.id}`,
    EntryType: 'SEL',
    Created: timeOf(record),
    Severity: record.asserted ? HEALTH[record.severity] : 'OK',
    SensorType: SENSOR_TYPES[record.kind],
    EntryCode: record.event.replace(' going', ' - going'),
    Message: `${record.sensor} ${record.event} - ${direction}${reading}`,
    MessageId: '',
    MessageArgs: [record.sensor],
  }
}
