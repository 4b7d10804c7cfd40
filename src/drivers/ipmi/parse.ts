/** Reads what `ipmitool` prints. Pure; a line that is not understood is left out, never guessed. */
import type { PartKind, PartState } from '#domain/signal'

export type Sensor = {
  readonly name: string
  readonly kind: PartKind
  readonly state: PartState
  readonly value?: number
  readonly unit?: string
}

const SDR_STATES: Readonly<Record<string, PartState>> = {
  ok: 'ok',
  nc: 'warning',
  lnc: 'warning',
  unc: 'warning',
  cr: 'critical',
  lcr: 'critical',
  ucr: 'critical',
  nr: 'non-recoverable',
  lnr: 'non-recoverable',
  unr: 'non-recoverable',
}

/** IPMI entity ids (IPMI 2.0, table 43-13). */
const KIND_OF_ENTITY: Readonly<Record<string, PartKind>> = {
  4: 'disk',
  8: 'memory',
  10: 'psu',
  26: 'disk',
  29: 'fan',
  30: 'fan',
  32: 'memory',
}

/** `sdr elist`: "FAN3             | 03h | lnr | 29.3 | 0 RPM". */
export function parseSdrElist(text: string): readonly Sensor[] {
  return text.split('\n').flatMap((line) => {
    const [name, number, status, entity, reading, more] = line.split('|').map((field) => field.trim())
    if (!name || !number || !status || entity === undefined || reading === undefined || more !== undefined) return []
    const measured = /^(-?\d+(?:\.\d+)?) (.+)$/.exec(reading)
    const unit = measured?.[2]
    const kind = sensorKind(entity.split('.')[0] ?? '', unit)
    const state = sensorState(status, kind, reading)
    return [
      { name, kind, state, ...(measured === null ? {} : { value: Number(measured[1]) }), ...(unit ? { unit } : {}) },
    ]
  })
}

function sensorKind(entity: string, unit: string | undefined): PartKind {
  if (unit === 'RPM') return 'fan'
  if (unit?.startsWith('degrees')) return 'temperature'
  // Watts, Volts and Amps of a supply are no statement about its health.
  if (unit !== undefined && entity !== '29') return 'other'
  return KIND_OF_ENTITY[entity] ?? 'other'
}

function sensorState(status: string, kind: PartKind, reading: string): PartState {
  if (/absent/i.test(reading)) return 'absent'
  if (status === 'ns') return 'unreadable'
  const discrete = discreteState(reading)
  // A supply that is pulled out says nothing at all: not even that it is present.
  if (kind === 'psu' && reading === '') return 'absent'
  return discrete === 'ok' ? (SDR_STATES[status] ?? 'unreadable') : discrete
}

/** What discrete sensors say in words, in readings and in the SEL alike. */
function discreteState(words: string): PartState {
  if (/uncorrectable|non-recoverable/i.test(words)) return 'non-recoverable'
  if (/failure detected|AC lost|input lost|drive fault|in critical array|redundancy lost|to critical/i.test(words)) {
    return 'critical'
  }
  return /predictive|degraded|non-critical|correctable|limit exceeded/i.test(words) ? 'warning' : 'ok'
}

export type SelRecord = {
  readonly id: number
  /** 'unknown' before the BMC's clock was set ("Pre-Init"). */
  readonly atMs: number | 'unknown'
  readonly part: string
  readonly kind: PartKind
  readonly state: PartState
  readonly edge: 'assert' | 'deassert'
  readonly value?: number
  readonly unit?: string
  readonly about: 'part' | 'log-cleared' | 'log-full'
}

const SEL_KINDS: readonly (readonly [prefix: string, kind: PartKind])[] = [
  ['Fan', 'fan'],
  ['Cooling Device', 'fan'],
  ['Temperature', 'temperature'],
  ['Power Supply', 'psu'],
  ['Memory', 'memory'],
  ['Drive Slot / Bay', 'disk'],
  ['Drive Slot', 'disk'],
  ['LAN', 'link'],
  ['Cable / Interconnect', 'link'],
]

/** `sel elist` prints ids in hexadecimal. "a | 11/22/26 | 08:15:24 UTC | Fan FAN3 | Lower Non-critical going low  | Asserted | Reading …" */
export function parseSelElist(text: string): readonly SelRecord[] {
  return text.split('\n').flatMap((line) => {
    const [id, date, time, sensor, event, direction, reading] = line.split('|').map((field) => field.trim())
    if (!id || !/^[0-9a-f]+$/.test(id) || !date || !time || !sensor || event === undefined) return []
    const [prefix, kind] = SEL_KINDS.find(([name]) => sensor.startsWith(`${name} `)) ?? ['', 'other']
    const measured = /^Reading (-?\d+(?:\.\d+)?) [<>] Threshold \S+ (.+)$/.exec(reading ?? '')
    return [
      {
        id: Number.parseInt(id, 16),
        atMs: selTimeMs(date, time),
        part: sensor.slice(prefix.length).trim(),
        kind,
        ...edgeOf(event, direction ?? '', kind),
        ...(measured === null ? {} : { value: Number(measured[1]), unit: measured[2] ?? '' }),
        about: aboutOf(sensor, event),
      },
    ]
  })
}

function aboutOf(sensor: string, event: string): SelRecord['about'] {
  if (!sensor.startsWith('Event Logging Disabled')) return 'part'
  if (/log area reset|cleared/i.test(event)) return 'log-cleared'
  return /log (almost )?full/i.test(event) ? 'log-full' : 'part'
}

/** A part that is not present any more is news; that it is present again ends it. */
function edgeOf(event: string, direction: string, kind: PartKind): Pick<SelRecord, 'state' | 'edge'> {
  const edge = direction === 'Deasserted' ? 'deassert' : 'assert'
  if (/presence detected/i.test(event)) return { state: 'absent', edge: edge === 'assert' ? 'deassert' : 'assert' }
  if (/absent/i.test(event)) return { state: 'absent', edge }
  if (/^(Lower|Upper) Non-recoverable/.test(event)) return { state: 'non-recoverable', edge }
  if (/^(Lower|Upper) Critical/.test(event)) return { state: 'critical', edge }
  if (/^(Lower|Upper) Non-critical/.test(event)) return { state: 'warning', edge }
  const state = discreteState(event)
  // What we have no word for is worth a look on a part, and nothing on the rest (boots, button presses).
  return { state: state === 'ok' && kind !== 'other' ? 'warning' : state, edge }
}

/** Printed in UTC, because the driver sets TZ; the year has two digits or four. */
function selTimeMs(date: string, time: string): number | 'unknown' {
  const day = /^(\d\d)\/(\d\d)\/(\d{2}|\d{4})$/.exec(date)
  const clock = /^(\d\d):(\d\d):(\d\d)/.exec(time)
  if (day === null || clock === null) return 'unknown'
  const [, month, dayOfMonth, year] = day.map(Number)
  const [, hour, minute, second] = clock.map(Number)
  const fullYear = (year ?? 0) < 100 ? 2000 + (year ?? 0) : (year ?? 0)
  return Date.UTC(fullYear, (month ?? 1) - 1, dayOfMonth, hour, minute, second)
}

export type SelInfo = {
  readonly entries: number
  /** When the log was last cleared, as the BMC prints it: the name of this log's epoch. */
  readonly lastDelete: string
  readonly full: boolean
}

export function parseSelInfo(text: string): SelInfo | undefined {
  const entries = Number(field(text, 'Entries'))
  if (field(text, 'Entries') === undefined || !Number.isInteger(entries)) return undefined
  return {
    entries,
    lastDelete: field(text, 'Last Del Time') ?? '',
    full: field(text, 'Overflow') === 'true' || field(text, 'Percent Used') === '100%',
  }
}

/** `sel time get`: "11/22/26 15:49:47 UTC"; 'unknown' before the clock was set ("S+ 03:13:58"), and for anything else. */
export function parseSelTime(text: string): number | 'unknown' {
  const [date = '', time = ''] = text.trim().split(/\s+/)
  return selTimeMs(date, time)
}

/** `user list`: "2   coulisse         true    false      true       ADMINISTRATOR". Undefined where the user is not listed. */
export function parseUserPrivilege(text: string, user: string): string | undefined {
  for (const line of text.split('\n')) {
    const [, name, privilege] = /^\d+\s+(\S+)\s+(?:(?:true|false)\s+){3}(.+?)\s*$/.exec(line) ?? []
    if (name === user) return privilege
  }
  return undefined
}

export const parsePower = (text: string): 'on' | 'off' | undefined => {
  const word = /Chassis Power is (on|off)/.exec(text)?.[1]
  return word === 'on' || word === 'off' ? word : undefined
}

const POLICIES: Readonly<Record<string, 'always-on' | 'always-off' | 'previous'>> = {
  'always-on': 'always-on',
  'always-off': 'always-off',
  previous: 'previous',
}

export const parseRestorePolicy = (text: string) => POLICIES[field(text, 'Power Restore Policy') ?? ''] ?? 'unknown'

/** `mc guid`, lower case with dashes. Some BMCs print all zeros or all Fs: that is no identity. */
export function parseGuid(text: string): string | undefined {
  const guid = field(text, 'System GUID')?.toLowerCase()
  if (guid === undefined || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(guid)) return undefined
  return isPlaceholder(guid) ? undefined : guid
}

const isPlaceholder = (guid: string) => /^[0-]+$/.test(guid) || /^[f-]+$/.test(guid)

/** RFC 4122 sends the text's bytes in order; SMBIOS turns the first three fields around; IPMI 2.0 turns all sixteen bytes around. */
export type GuidEncoding = 'rfc4122' | 'smbios' | 'ipmi'

/** `mc guid dump`: "System GUID   : 4C4C454400334A108051B2C04F4A3932". */
export function decodeGuid(text: string, encoding: GuidEncoding): string | undefined {
  const bytes = field(text, 'System GUID')
    ?.toLowerCase()
    .match(/^[0-9a-f]{32}$/)?.[0]
    .match(/../g)
  if (!bytes || isPlaceholder(bytes.join(''))) return undefined
  const turned = (from: number, to: number) => bytes.slice(from, to).toReversed()
  const ordered = {
    rfc4122: () => bytes,
    smbios: () => [...turned(0, 4), ...turned(4, 6), ...turned(6, 8), ...bytes.slice(8)],
    ipmi: () => turned(0, 16),
  }
    [encoding]()
    .join('')
  return ordered.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** The system's serial: the product's, else the chassis', else the board's. Placeholders of the maker are none. */
export function parseFruSerial(text: string): string | undefined {
  const serials = ['Product Serial', 'Chassis Serial', 'Board Serial'].map((name) => field(text, name))
  return serials.find(
    (serial) => serial !== undefined && /[1-9A-Za-z]/.test(serial) && !/to be filled|none/i.test(serial),
  )
}

/** What somebody wrote into the product's area; makers leave it empty, or with a placeholder. */
export function parseFruAssetTag(text: string): string | undefined {
  const tag = field(text, 'Product Asset Tag')
  return tag !== undefined && /[1-9A-Za-z]/.test(tag) && !/to be filled|none/i.test(tag) ? tag : undefined
}

/** "Power Restore Policy : always-off": the text behind a name, undefined where the line is missing. */
function field(text: string, name: string): string | undefined {
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0 && line.slice(0, colon).trim() === name) return line.slice(colon + 1).trim()
  }
  return undefined
}
