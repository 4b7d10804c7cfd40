import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeGuid,
  parseFruAssetTag,
  parseFruSerial,
  parseGuid,
  parsePower,
  parseRestorePolicy,
  parseSdrElist,
  parseSelElist,
  parseSelInfo,
} from './parse.ts'

const recording = (name: string) =>
  readFileSync(new URL(`../../../contracts/recordings/ipmi/${name}.txt`, import.meta.url), 'utf8')

test('a stopped fan is read as it was recorded, next to fans that turn', () => {
  const sensors = parseSdrElist(recording('sdr-elist-fan3-stopped'))
  expect(sensors).toHaveLength(12)
  expect(sensors[2]).toEqual({ name: 'FAN3', kind: 'fan', state: 'non-recoverable', value: 0, unit: 'RPM' })
  expect(sensors[1]).toEqual({ name: 'FAN2', kind: 'fan', state: 'ok', value: 8400, unit: 'RPM' })
  expect(sensors[6]).toMatchObject({ name: 'CPU1_Temp', kind: 'temperature', state: 'ok', value: 52 })
})

test('a power supply that fails and one that is pulled out are told apart', () => {
  const supply = (name: string) => parseSdrElist(recording(name)).find((sensor) => sensor.name === 'PS1_Status')
  expect(supply('sdr-elist')).toEqual({ name: 'PS1_Status', kind: 'psu', state: 'ok' })
  expect(supply('sdr-elist-psu-failed')?.state).toBe('critical')
  expect(supply('sdr-elist-psu-gone')?.state).toBe('absent')
})

test('one fan edge is three records, their ids are hexadecimal, their time is UTC', () => {
  const records = parseSelElist(recording('sel-elist-after-flap'))
  expect(records.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  expect(records.slice(0, 3).map(({ state }) => state)).toEqual(['warning', 'critical', 'non-recoverable'])
  expect(records.map(({ edge }) => edge).filter((edge) => edge === 'deassert')).toHaveLength(6)
  expect(records[0]).toMatchObject({
    part: 'FAN3',
    kind: 'fan',
    value: 0,
    unit: 'RPM',
    atMs: Date.UTC(2026, 10, 22, 8, 15, 21),
  })
})

test('records from before the clock was set say so, and a supply’s words are read', () => {
  const records = parseSelElist(recording('sel-elist-pre-init'))
  expect(new Set(records.map(({ atMs }) => atMs))).toEqual(new Set(['unknown']))
  expect(records.at(-1)).toMatchObject({ part: 'PS1_Status', kind: 'psu', state: 'critical', edge: 'deassert' })
  expect(parseSelElist(recording('sel-elist'))).toEqual([])
})

test('the log’s state names its epoch, and a clear begins another', () => {
  expect(parseSelInfo(recording('sel-info'))).toEqual({ entries: 0, lastDelete: 'Not Available', full: false })
  expect(parseSelInfo(recording('sel-info-after-clear'))?.lastDelete).not.toBe('Not Available')
})

test('power, policy and identity are read, and what is missing stays unknown', () => {
  expect(parsePower(recording('chassis-power-status'))).toBe('on')
  expect(parseRestorePolicy(recording('chassis-status'))).toBe('always-off')
  expect(parseGuid(recording('mc-guid'))).toBe('01900000-6745-23a1-efcd-ab89674523a1')
  expect(parseGuid('System GUID : 00000000-0000-0000-0000-000000000000')).toBeUndefined()
  expect(parseFruSerial(recording('fru-print-none'))).toBeUndefined()
  expect(parseFruSerial(' Board Serial          : BRD-1\n Product Serial        : 7QX4J92\n')).toBe('7QX4J92')
  expect(parseFruSerial(' Product Serial        : 0000000\n')).toBeUndefined()
})

test('one GUID in three packings', () => {
  const dump = 'System GUID   : 4C4C454400334A108051B2C04F4A3932\n'
  expect(decodeGuid(dump, 'rfc4122')).toBe('4c4c4544-0033-4a10-8051-b2c04f4a3932')
  expect(decodeGuid(dump, 'smbios')).toBe('44454c4c-3300-104a-8051-b2c04f4a3932')
  expect(decodeGuid(dump, 'ipmi')).toBe('32394a4f-c0b2-5180-104a-330044454c4c')
  expect(decodeGuid('System GUID   : FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\n', 'ipmi')).toBeUndefined()
})

test('garbage is never a reading, and never a crash', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('|', ' | ', '\n', 'ok', 'lnr', 'FAN1', '29.1', '0 RPM', 'Asserted', 'a'),
  )
  const text = fc.array(word).map((words) => words.join(''))
  fc.assert(
    fc.property(text, (garbage) => {
      for (const { value, name } of parseSdrElist(garbage)) {
        expect(name).not.toBe('')
        expect(value === undefined || Number.isFinite(value)).toBe(true)
      }
      for (const { id, value } of parseSelElist(garbage)) {
        expect(Number.isInteger(id)).toBe(true)
        expect(value === undefined || Number.isFinite(value)).toBe(true)
      }
      parseSelInfo(garbage)
      expect(['always-on', 'always-off', 'previous', 'unknown']).toContain(parseRestorePolicy(garbage))
      expect(parseGuid(garbage)).toBeUndefined()
    }),
    { numRuns: 500 },
  )
})

test('an asset tag is what somebody wrote, not what a maker left', () => {
  const tagged = (tag: string) =>
    parseFruAssetTag(` Product Serial        : 7QX4J92\n Product Asset Tag     : ${tag}\n`)
  expect(['A-0103', '', '0000', 'To Be Filled By O.E.M.'].map(tagged)).toEqual([
    'A-0103',
    undefined,
    undefined,
    undefined,
  ])
})
