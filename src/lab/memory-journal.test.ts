import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { journalContract } from '#contracts/journal-contract'
import { chainProblems } from '#domain/journal-chain'
import type { Sha256 } from '#domain/merkle'
import { MemoryJournal } from './memory-journal.ts'
import { VirtualClock } from './virtual-clock.ts'

journalContract('in memory', async (clock) => ({ journal: new MemoryJournal(clock), close: async () => {} }))
journalContract('in memory, sealed', async (clock) => ({
  journal: new MemoryJournal(clock, { fresh: () => randomBytes(16).toString('hex') }),
  close: async () => {},
}))

test('listeners hear each new row once, in order', async () => {
  const journal = new MemoryJournal(new VirtualClock())
  const heard: number[] = []
  const stop = journal.onRow(({ seq }) => heard.push(seq))
  const said = (key: string) => journal.append({ maintenance: 'm1' as never, key, event: { kind: 'said', text: key } })
  await said('a')
  await said('b')
  await said('a')
  stop()
  await said('c')
  expect(heard).toEqual([1, 2])
  const sha256: Sha256 = (...pieces) =>
    pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')
  expect(chainProblems(await journal.read('m1' as never), sha256)).toEqual([])
})
