import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SelRecord } from './parse.ts'
import { readLog, TAIL_RECORDS } from './sel-cursor.ts'

const record = (id: number): SelRecord => ({
  id,
  atMs: 0,
  part: 'FAN3',
  kind: 'fan',
  state: 'critical',
  edge: 'assert',
  about: 'part',
})

/** A BMC's log: holds `capacity` records, then forgets the oldest; ids begin again after a clear where `idsRestart`. */
function log(capacity: number, idsRestart: boolean, tailOf = (all: readonly SelRecord[]) => all.slice(-TAIL_RECORDS)) {
  let [records, nextId, epoch, wrapped] = [[] as SelRecord[], 1, 0, false]
  const info = () => ({ entries: records.length, lastDelete: `epoch ${epoch}`, full: wrapped })
  return {
    read: (cursor: string) =>
      readLog(cursor, { info: info(), tail: tailOf(records) }, async (count) => records.slice(-count)),
    write: () => {
      records.push(record(nextId++))
      wrapped ||= records.length > capacity
      records = records.slice(-capacity)
    },
    clear: () => {
      records = []
      epoch++
      wrapped = false
      if (idsRestart) nextId = 1
    },
  }
}

test('whatever a log does between two looks, no record that it still holds is missed, and none is told twice', async () => {
  const doings = fc.array(fc.constantFrom('write', 'write', 'write', 'look', 'look', 'clear'), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(doings, fc.boolean(), fc.integer({ min: 3, max: 40 }), async (steps, idsRestart, capacity) => {
      // Where ids are missing, ipmitool may show no last records at all.
      const bmc = log(capacity, idsRestart, capacity % 3 === 0 ? () => [] : undefined)
      let cursor = ''
      let written = 0
      let clears = 0
      for (const step of [...steps, 'look']) {
        if (step === 'write') {
          bmc.write()
          written++
        } else if (step === 'clear') {
          bmc.clear()
          written = 0
          clears++
        } else {
          const reading = await bmc.read(cursor)
          expect(reading.records).toHaveLength(Math.min(written, capacity))
          if (cursor !== '') expect(reading.events.includes('log-cleared')).toBe(clears > 0)
          cursor = reading.cursor
          written = 0
          clears = 0
        }
      }
    }),
  )
})

test('a cursor of another form reads the log from its beginning, so that nothing is lost', async () => {
  const bmc = log(10, true)
  bmc.write()
  for (const cursor of ['', 'nonsense', '{"epoch":1}', '!', '!nonsense']) {
    expect((await bmc.read(cursor)).records).toHaveLength(1)
  }
})

test('a clock that was set and is not any more means that the BMC was started anew, and is told once', async () => {
  const info = { entries: 2, lastDelete: '', full: false }
  const timed = { ...record(1), atMs: Date.UTC(2026, 10, 22) }
  const never = async () => []
  const { cursor } = await readLog('', { info: { ...info, entries: 1 }, tail: [timed] }, never)
  const after = await readLog(cursor, { info, tail: [timed, { ...record(2), atMs: 'unknown' }] }, never)
  expect(after.events).toEqual(['reset'])
  const later = { info: { ...info, entries: 3 }, tail: [{ ...record(3), atMs: 'unknown' } as const] }
  expect((await readLog(after.cursor, later, async () => later.tail)).events).toEqual([])
})
