import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SelRecord } from './parse.ts'
import { type LogReader, readLog } from './sel-cursor.ts'

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
function log(capacity: number, idsRestart: boolean) {
  let [records, nextId, epoch, wrapped] = [[] as SelRecord[], 1, 0, false]
  const reader: LogReader = {
    info: async () => ({ entries: records.length, lastDelete: `epoch ${epoch}`, full: wrapped }),
    last: async (count) => records.slice(-count),
  }
  return {
    reader,
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
      const bmc = log(capacity, idsRestart)
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
          const reading = await readLog(cursor, bmc.reader)
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
    expect((await readLog(cursor, bmc.reader)).records).toHaveLength(1)
  }
})
