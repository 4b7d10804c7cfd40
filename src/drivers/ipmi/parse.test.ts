import { readdirSync, readFileSync } from 'node:fs'
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
  parseSelTime,
  parseUserPrivilege,
} from './parse.ts'
import { isRefused, refusalIn } from './refusal.ts'
import { answersIn } from './script.ts'
import { recordCount, sdrVersionIn } from './sdr-file.ts'

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

const FOLDER = new URL('../../../contracts/recordings/ipmi/', import.meta.url)
const recordings = readdirSync(FOLDER).map((file) => readFileSync(new URL(file, FOLDER), 'utf8'))

test('a recording that is cut, mixed up or dirtied anywhere is never a crash, a NaN or a nameless part', () => {
  const dirt = fc.constantFrom('|', '\n', ' ', '\u0000', '9'.repeat(400), '-', ':', 'Asserted', '/', '99/99/99')
  const change = fc.tuple(fc.nat(), fc.nat({ max: 60 }), dirt)
  const pick = fc.constantFrom(...recordings)
  fc.assert(
    fc.property(pick, pick, fc.array(change, { maxLength: 6 }), (one, other, changes) => {
      let text = one
      for (const [at, length, with_] of changes) {
        const from = at % (text.length + 1)
        text = text.slice(0, from) + with_ + (length > 50 ? other : '') + text.slice(from + length)
      }
      for (const { name, value } of parseSdrElist(text)) {
        expect(name).not.toBe('')
        expect(Number.isNaN(value ?? 0)).toBe(false)
      }
      for (const { id, atMs, value } of parseSelElist(text)) {
        expect(id).toBeGreaterThanOrEqual(0)
        expect(Number.isNaN(atMs === 'unknown' ? 0 : atMs)).toBe(false)
        expect(Number.isNaN(value ?? 0)).toBe(false)
      }
      const info = parseSelInfo(text)
      if (info !== undefined) expect(info.entries).toBeGreaterThanOrEqual(0)
      const time = parseSelTime(text)
      expect(time === 'unknown' || Number.isFinite(time)).toBe(true)
      expect(parseGuid(text) ?? '0-0').toMatch(/^[0-9a-f-]+$/)
      parsePower(text)
      parseFruSerial(text)
      parseUserPrivilege(text, 'coulisse')
      decodeGuid(text, 'ipmi')
      sdrVersionIn({ mcInfo: text, sdrInfo: other })
      answersIn(text, 3)
      isRefused(text)
      refusalIn(text)
    }),
    { numRuns: 1000 },
  )
})

test('the reasons of a refused session are told apart by what ipmitool printed', () => {
  expect(refusalIn(recording('wrong-password-verbose'))).toBe('credentials')
  expect(refusalIn(recording('wrong-user-verbose'))).toBe('credentials')
  expect(refusalIn(recording('cipher-suite-verbose'))).toBe('cipher-suite')
  expect(refusalIn(recording('no-answer-verbose'))).toBe('no-answer')
  expect(isRefused(recording('wrong-password'))).toBe(true)
  expect(isRefused(recording('mc-info'))).toBe(false)
})

test('a copy of sensor records is whole or is none', () => {
  const records = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(records, fc.nat(), (bodies, at) => {
      const file = Buffer.concat(bodies.map((body, id) => Buffer.from([id, 0, 0x51, 1, body.length, ...body])))
      expect(recordCount(file)).toBe(bodies.length)
      const cut = at % file.length
      expect(recordCount(file.subarray(0, cut)) ?? 0).toBeLessThan(bodies.length)
    }),
  )
  expect(parseUserPrivilege(recording('user-list'), 'coulisse')).toBe('ADMINISTRATOR')
  expect(parseSelTime('S+ 03:13:58')).toBe('unknown')
})
