import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Event, JournalRow } from '#domain/event'
import { maintenanceId } from '#domain/ids'
import { DEFAULT_FORECAST_MODEL } from '#domain/plan'
import { drawAt } from '#domain/random'
import { modelFrom } from './recalibrate.ts'
import { aCluster, aGuest, aNode, GIB } from './testing.ts'

const NOW_MS = Date.parse('2026-11-22T08:00:00Z')
const gibOf = (index: number) => 2 + ((index * 7) % 23)
const nodes = ['pve1', 'pve2'].map((name) => aNode(name, { linkBitsPerSecond: 10e9 }))
const guests = Array.from({ length: 40 }, (_, index) =>
  aGuest(101 + index, 'pve1', { residentBytes: gibOf(index) * GIB, memoryBytes: 2 * gibOf(index) * GIB }),
)
const cluster = aCluster(nodes, guests)

type Measured = {
  readonly id: number
  readonly beganMs: number
  readonly lastedS: number
  readonly mode?: 'live' | 'restart'
}

/** The rows that moves leave in the journal. */
function rowsOf(moves: readonly Measured[], measured: unknown = { blackoutMs: 40 }): readonly JournalRow[] {
  const rows = moves.flatMap(({ id, beganMs, lastedS, mode = 'live' }) => {
    const act = { kind: 'migrate', guest: guests[id - 101]?.vmid, from: 'pve1', to: 'pve2', mode, purpose: 'drain' }
    const outcome = { is: 'done', measured }
    return [
      { atMs: beganMs, event: { kind: 'intends', act } as Event },
      { atMs: beganMs + lastedS * 1000, event: { kind: 'did', act, outcome } as Event },
    ]
  })
  return rows
    .toSorted((a, b) => a.atMs - b.atMs)
    .map((row, index) => {
      const chain = { seq: index + 1, key: `k${index}`, prevHash: '', hash: '' }
      return { maintenance: maintenanceId('pve1-night'), ...chain, ...row }
    })
}

/** One after another, or `atOnce` at a time on a link that they share. */
function drained(count: number, { gbits, fixedS, atOnce = 1 }: { gbits: number; fixedS: number; atOnce?: number }) {
  const began = NOW_MS - 3_600_000
  return Array.from({ length: count }, (_, index): Measured => {
    const round = Math.floor(index / atOnce)
    // Those of one round are of one size, and end together.
    const seconds = (gib: number) => (gib * GIB * 8) / Math.min(gbits * 1e9, 10e9 / atOnce) + fixedS
    const before = Array.from({ length: round }, (_unused, at) => seconds(gibOf(at * atOnce)))
    return {
      id: 101 + index,
      beganMs: began + 1000 * before.reduce((sum, one) => sum + one, 0),
      lastedS: seconds(gibOf(index)),
    }
  })
}

describe('the constants of the forecast', () => {
  test('are the default where too few moves were measured, and say so', () => {
    expect(modelFrom([], cluster, NOW_MS)).toBe(DEFAULT_FORECAST_MODEL)
    expect(modelFrom(rowsOf(drained(7, { gbits: 3, fixedS: 4 })), cluster, NOW_MS)).toBe(DEFAULT_FORECAST_MODEL)
  })

  test('come from measured moves, with their source', () => {
    const model = modelFrom(rowsOf(drained(12, { gbits: 3, fixedS: 4 })), cluster, NOW_MS)
    expect(model.streamBitsPerSecond).toBeGreaterThan(2.8e9)
    expect(model.streamBitsPerSecond).toBeLessThan(3.2e9)
    expect(model.fixedSecondsPerMove).toBeGreaterThan(3)
    expect(model.fixedSecondsPerMove).toBeLessThan(5)
    expect(model.source).toBe('measured: 12 moves since 2026-11-22')
  })

  test('are not held for slow because many streams shared a link', () => {
    const same = cluster.guests.map((guest) => ({ ...guest, residentBytes: 8 * GIB }))
    const lastedS = 3 + (8 * GIB * 8) / (10e9 / 4)
    const moves = Array.from({ length: 24 }, (_, index): Measured => {
      return { id: 101 + index, beganMs: NOW_MS - 3_600_000 + 1000 * lastedS * Math.floor(index / 4), lastedS }
    })
    const model = modelFrom(rowsOf(moves), { ...cluster, guests: same }, NOW_MS)
    expect(model.streamBitsPerSecond).toBe(DEFAULT_FORECAST_MODEL.streamBitsPerSecond)
    expect(model.fixedSecondsPerMove).toBeCloseTo(3, 0)
  })

  test('do not follow the odd move that took ten times as long', () => {
    const moves = drained(20, { gbits: 5, fixedS: 2 }).map((move, index) =>
      index % 5 === 0 ? { ...move, lastedS: move.lastedS * 10 } : move,
    )
    const alone = moves.map((move, index) => ({ ...move, beganMs: NOW_MS - (20 - index) * 3_600_000 }))
    const { streamBitsPerSecond } = modelFrom(rowsOf(alone), cluster, NOW_MS)
    expect(streamBitsPerSecond).toBeGreaterThan(4.2e9)
    expect(streamBitsPerSecond).toBeLessThan(5.8e9)
  })

  test('leave out restarts, moves that nobody saw end, guests with local disks, and what is long ago', () => {
    const moves = drained(12, { gbits: 3, fixedS: 4 })
    const local = guests.map((guest) => ({ ...guest, disks: [{ storage: 'local-zfs', bytes: GIB }] }))
    const restarts = moves.map((move) => ({ ...move, mode: 'restart' as const }))
    for (const model of [
      modelFrom(rowsOf(restarts), cluster, NOW_MS),
      modelFrom(rowsOf(moves, 'unmeasured'), cluster, NOW_MS),
      modelFrom(rowsOf(moves), { ...cluster, guests: local }, NOW_MS),
      modelFrom(rowsOf(moves), cluster, NOW_MS + 100 * 24 * 3_600_000),
    ]) {
      expect(model).toBe(DEFAULT_FORECAST_MODEL)
    }
  })

  test('stay within reason whatever was measured', () => {
    const move = fc.record({ lastedS: fc.double({ min: 0, max: 1e7, noNaN: true }), seed: fc.nat(1_000) })
    fc.assert(
      fc.property(fc.array(move, { minLength: 0, maxLength: 40 }), (drawn) => {
        const moves = drawn.map(({ lastedS, seed }, index) => {
          return { id: 101 + index, lastedS, beganMs: NOW_MS - 1e7 * drawAt(seed, 'began', index) - lastedS * 1000 }
        })
        const model = modelFrom(rowsOf(moves), cluster, NOW_MS)
        expect(model.streamBitsPerSecond).toBeGreaterThanOrEqual(0.9e8)
        expect(model.streamBitsPerSecond).toBeLessThanOrEqual(1e11)
        expect(model.fixedSecondsPerMove).toBeGreaterThanOrEqual(0.5)
        expect(model.fixedSecondsPerMove).toBeLessThanOrEqual(60)
      }),
      { numRuns: 60, seed: 20261122 },
    )
  })
})
