/** What every journal promises. Run by the one in memory and by the one in PostgreSQL. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '#domain/event'
import { findingByWord } from '#domain/finding'
import { clusterName, maintenanceId, nodeName, vmid } from '#domain/ids'
import { chainProblems } from '#domain/journal-chain'
import type { Sha256 } from '#domain/merkle'
import type { Clock } from '#ports/clock'
import type { Journal } from '#ports/journal'

type MakeJournal = (clock: Clock) => Promise<{ readonly journal: Journal; close(): Promise<void> }>

const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')
const AT_MS = 1_900_000_000_123
const from = nodeName('pve1')
const finding = findingByWord({ atMs: AT_MS, node: from, part: 'FAN3', text: 'FAN3 stands still' })
const opened = { kind: 'maintenance-opened', node: from, finding, requestedBy: 'olga' } as const

export function journalContract(name: string, makeJournal: MakeJournal): void {
  describe(`journal: ${name}`, () => {
    let made: Awaited<ReturnType<MakeJournal>>
    const clock: Clock = { nowMs: async () => AT_MS, sleepUntil: async () => {} }
    beforeAll(async () => {
      made = await makeJournal(clock)
    })
    afterAll(() => made?.close())
    const said = (maintenance: string, key: string, text = key) =>
      made.journal.append({ maintenance: maintenanceId(maintenance), key, event: { kind: 'said', text } })

    test('rows are numbered from 1 and chained, each maintenance for itself', async () => {
      for (const key of ['a', 'b', 'c']) await said('chained', key)
      await said('another', 'a')
      const rows = await made.journal.read(maintenanceId('chained'))
      expect(rows.map(({ seq, key, atMs }) => [seq, key, atMs])).toEqual([
        [1, 'a', AT_MS],
        [2, 'b', AT_MS],
        [3, 'c', AT_MS],
      ])
      expect(chainProblems(rows, sha256)).toEqual([])
      expect(await made.journal.read(maintenanceId('another'))).toHaveLength(1)
    })

    test('the same key again gives the row as it stands, unchanged, and says that it is not new', async () => {
      const first = await said('idempotent', 'k', 'first')
      expect(first.isNew).toBe(true)
      expect(await said('idempotent', 'k', 'second')).toEqual({ row: first.row, isNew: false })
      expect(await made.journal.read(maintenanceId('idempotent'))).toEqual([first.row])
    })

    test('rows written at once are chained all the same, and reading begins where one wants', async () => {
      await Promise.all(Array.from({ length: 20 }, (_, n) => said('crowded', `k${n}`)))
      const rows = await made.journal.read(maintenanceId('crowded'))
      expect(rows).toHaveLength(20)
      expect(chainProblems(rows, sha256)).toEqual([])
      expect(await made.journal.read(maintenanceId('crowded'), 18)).toEqual(rows.slice(18))
      expect(await made.journal.read(maintenanceId('crowded'), 20)).toEqual([])
      expect(await made.journal.read(maintenanceId('nobody'))).toEqual([])
    })

    test('an event comes back as it was written, whatever its letters and fractions', async () => {
      const events: readonly Event[] = [
        { kind: 'said', text: 'Lüfter "FAN3" \\ ölt \u2028 ✓ 🌀', about: nodeName('pve3') },
        { kind: 'gate-opened', stage: 'drain', waitedMs: 0.1 + 0.2 },
        { kind: 'gate-closed', stage: 'isolate', blockers: [] },
      ]
      for (const [n, event] of events.entries())
        await made.journal.append({ maintenance: maintenanceId('letters'), key: `k${n}`, event })
      const rows = await made.journal.read(maintenanceId('letters'))
      expect(rows.map(({ event }) => event)).toEqual(events)
      expect(chainProblems(rows, sha256)).toEqual([])
    })

    movesAreRead(() => made.journal)
  })
}

function movesAreRead(journalNow: () => Journal): void {
  test('moves are read of the newest maintenances of one cluster, in order, and nothing else', async () => {
    const journal = journalNow()
    const open = (maintenance: string, cluster: string) =>
      journal.append({
        maintenance: maintenanceId(maintenance),
        key: 'opened',
        event: { ...opened, cluster: clusterName(cluster) },
      })
    const moves = (['intends', 'did'] as const).map((kind): Event => {
      const act = {
        kind: 'migrate',
        guest: vmid(101),
        from,
        to: nodeName('pve2'),
        mode: 'live',
        purpose: 'drain',
      } as const
      return kind === 'did' ? { kind, act, outcome: { is: 'done', measured: { blackoutMs: 40 } } } : { kind, act }
    })
    for (const [maintenance, cluster] of [
      ['moved-1', 'mad1'],
      ['moved-2', 'mad2'],
      ['moved-3', 'mad1'],
    ] as const) {
      await open(maintenance, cluster)
      // What consoles print holds letters that no text of the database can.
      await journal.append({
        maintenance: maintenanceId(maintenance),
        key: 'between',
        event: { kind: 'said', text: 'a \u0000 b' },
      })
      for (const [index, event] of moves.entries()) {
        await journal.append({ maintenance: maintenanceId(maintenance), key: `m${index}`, event })
      }
    }
    const rows = await journal.readMoves(clusterName('mad1'))
    expect(rows.map(({ maintenance, event }) => [maintenance, event.kind])).toEqual([
      ['moved-1', 'intends'],
      ['moved-1', 'did'],
      ['moved-3', 'intends'],
      ['moved-3', 'did'],
    ])
    expect(rows[1]?.event).toEqual(moves[1])
    expect(await journal.readMoves(clusterName('mad9'))).toEqual([])
  })
}
