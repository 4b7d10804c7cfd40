import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readFrom } from './log-cursor.ts'
import { type LogEntry, type LogRecord, toRecord } from './log-entry.ts'

const base: LogEntry = { Id: '17', Created: '2026-11-22T08:15:21Z', Severity: 'Critical' }
const read = (entry: Partial<LogEntry>) => toRecord({ ...base, ...entry })

test('a SEL record behind Redfish, as makers with IPMI inside tell it', () => {
  const asserted = read({
    SensorType: 'Fan',
    EntryCode: 'Lower Critical - going low',
    Message: 'FAN3 Lower Critical going low Asserted: reading 0 RPM, threshold 500',
    MessageArgs: ['FAN3'],
  })
  expect(asserted).toMatchObject({
    id: 17,
    part: 'FAN3',
    kind: 'fan',
    state: 'critical',
    edge: 'assert',
    value: 0,
    unit: 'RPM',
  })
  expect(read({ SensorType: 'Fan', Message: 'FAN3 Lower Critical going low Deasserted', Severity: 'OK' })?.edge).toBe(
    'deassert',
  )
})

test('OpenBMC’s registry: low going high is good news', () => {
  const message = (direction: string) => ({
    MessageId: `OpenBMC.0.1.SensorThresholdCriticalLowGoing${direction}`,
    Message: `Fan3 sensor crossed a critical low threshold going ${direction.toLowerCase()}. Reading=0 Threshold=500.`,
    MessageArgs: ['Fan3', '0', '500'],
  })
  expect(read(message('Low'))).toMatchObject({ part: 'Fan3', kind: 'fan', state: 'critical', edge: 'assert', value: 0 })
  expect(read(message('High'))).toMatchObject({ state: 'critical', edge: 'deassert' })
})

test('DMTF’s SensorEvent registry: back above the lower threshold is good news', () => {
  const entry = (what: string) =>
    read({ MessageId: `SensorEvent.1.0.${what}`, MessageArgs: ['Fan 3', '0', 'RPM', '500'], Message: 'Sensor reading' })
  expect(entry('ReadingBelowLowerCriticalThreshold')).toMatchObject({
    part: 'Fan 3',
    edge: 'assert',
    state: 'critical',
  })
  expect(entry('ReadingAboveLowerCriticalThreshold')).toMatchObject({ edge: 'deassert' })
  expect(entry('ReadingBelowLowerFatalThreshold')).toMatchObject({ state: 'non-recoverable' })
  expect(entry('SensorReadingNormalRange')?.edge).toBe('deassert')
})

test('plain words: a supply that lost its input, a cleared log, a clock that was never set', () => {
  expect(read({ Message: 'The input power for power supply 1 has been lost.' })).toMatchObject({
    kind: 'psu',
    state: 'critical',
  })
  expect(read({ Message: 'Log area reset/cleared', Severity: 'OK' })?.about).toBe('log-cleared')
  expect(read({ Created: '1970-01-01T00:00:12Z' })?.atMs).toBe('unknown')
  expect(read({ Id: 'abc-def' })).toBeUndefined()
})

const record = (id: number, created: string): LogRecord => ({
  id,
  created,
  atMs: 'unknown',
  part: 'FAN3',
  kind: 'fan',
  state: 'critical',
  edge: 'assert',
  about: 'part',
})

const whole = (records: readonly LogRecord[]) => ({ records, count: records.length, isWhole: true, skips: false })

test('whatever a log does between two looks, no record that it still holds is missed, and none is told twice', () => {
  const doings = fc.array(fc.constantFrom('write', 'write', 'write', 'look', 'clear'), { maxLength: 60 })
  fc.assert(
    fc.property(doings, fc.integer({ min: 3, max: 40 }), fc.boolean(), (steps, capacity, newestFirst) => {
      let [log, nextId, now, cursor, fresh] = [[] as LogRecord[], 1, 0, '', 0]
      for (const step of [...steps, 'look']) {
        now++
        if (step === 'write') {
          log = [...log, record(nextId++, `t${now}`)].slice(-capacity)
          fresh++
        } else if (step === 'clear') {
          // Every BMC that we know begins a cleared log with the record of its clearing.
          log = [record(1, `t${now}`)]
          nextId = 2
          fresh = 1
        } else {
          const reading = readFrom(cursor, whole(newestFirst ? log.toReversed() : log), '')
          expect(reading.records).toHaveLength(Math.min(fresh, capacity))
          cursor = reading.cursor
          fresh = 0
        }
      }
    }),
  )
})

test('a log that was cleared and filled up as far as before is not taken for one that wrapped', () => {
  const { cursor } = readFrom('', whole([8, 9, 10].map((id) => record(id, `before ${id}`))), '')
  const after = readFrom(cursor, whole([1, 2, 3].map((id) => record(id, `after ${id}`))), '')
  expect(after.events).toEqual(['log-cleared'])
  expect(after.records).toHaveLength(3)
})

test('the BMC’s own restart is told once', () => {
  const { cursor } = readFrom('', whole([]), '2026-11-01T00:00:00Z')
  const after = readFrom(cursor, whole([]), '2026-11-22T08:00:00Z')
  expect(after.events).toEqual(['reset'])
  expect(readFrom(after.cursor, whole([]), '2026-11-22T08:00:00Z').events).toEqual([])
})
