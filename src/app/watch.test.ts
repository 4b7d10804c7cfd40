import { expect, test } from 'vitest'
import type { Finding } from '#domain/finding'
import { type MaintenanceId, maintenanceId, nodeName } from '#domain/ids'
import type { PartSignal } from '#domain/signal'
import type { Bmc } from '#ports/bmc'
import { bmcPoller } from './poll-bmcs.ts'
import { wakeUps } from './wake-ups.ts'
import {
  asksForMaintenance,
  newWatchState,
  runWatch,
  type WatchedMaintenance,
  type WatchState,
  watchOnce,
} from './watch.ts'

const HOUR_MS = 3_600_000
const SECOND_MS = 1000
const START_AT_MS = Date.UTC(2026, 10, 23, 8)
const pve3 = nodeName('pve3')
const first = maintenanceId('pve3-1')

/** A control plane that dies after every round: only what was stored goes on. */
class Rounds {
  stored = JSON.stringify(newWatchState())
  nowMs = START_AT_MS
  readonly begun: Finding[] = []
  maintenances: readonly WatchedMaintenance[] = []
  refuses = false
  #recordId = 0
  #signals: PartSignal[] = []

  get state(): WatchState {
    return JSON.parse(this.stored) as WatchState
  }

  dropout(part = 'FAN3'): void {
    for (const [edge, afterMs] of [
      ['assert', 0],
      ['deassert', 30 * SECOND_MS],
    ] as const) {
      this.#signals.push({
        is: 'part',
        atMs: this.nowMs + afterMs,
        receivedAtMs: this.nowMs + afterMs,
        node: pve3,
        source: 'sel',
        part,
        kind: 'fan',
        state: edge === 'assert' ? 'critical' : 'ok',
        edge,
        recordId: ++this.#recordId,
      } as PartSignal)
    }
    this.nowMs += 2 * HOUR_MS
  }

  async round(): Promise<void> {
    const signals = this.#signals.splice(0)
    const bmc = { signals: async () => ({ signals, cursor: String(this.#recordId) }) } as Partial<Bmc> as Bmc
    await watchOnce(
      {
        nodes: [pve3],
        poller: bmcPoller({ bmc, log: () => {} }),
        clock: { nowMs: async () => this.nowMs, sleepUntil: async () => {} },
        store: {
          load: async () => this.state,
          save: async (state) => {
            this.stored = JSON.stringify(state)
          },
        },
        everyMs: 60 * SECOND_MS,
        onFinding: async (finding) => {
          if (!asksForMaintenance(finding)) return true
          if (!this.refuses) this.begun.push(finding)
          return !this.refuses
        },
        maintenances: async (settled: readonly MaintenanceId[]) =>
          this.maintenances.filter(({ id }) => !settled.includes(id)),
        log: () => {},
      },
      this.state,
    )
    this.nowMs += 60 * SECOND_MS
  }

  /** Until a drain is advised. */
  async fail(part = 'FAN3'): Promise<void> {
    for (let dropouts = 0; dropouts < 6; dropouts++) {
      this.dropout(part)
      await this.round()
    }
  }

  running(id: MaintenanceId, part = 'FAN3'): void {
    this.maintenances = [{ id, node: pve3, part, openedAtMs: this.nowMs, state: { is: 'running' } }]
  }

  ended(isVerified: boolean, ...outcomes: ('repaired' | 'nothing-found' | 'cannot')[]): void {
    this.maintenances = this.maintenances.map((one) => ({ ...one, state: { is: 'ended', isVerified, outcomes } }))
  }
}

test('a part that was repaired and proven is cleared, and its relapse begins a new maintenance', async () => {
  const rounds = new Rounds()
  await rounds.fail()
  expect(rounds.begun.map(({ part }) => part)).toEqual(['FAN3'])
  rounds.running(first)
  await rounds.round()
  rounds.ended(true, 'repaired')
  await rounds.round()
  expect(rounds.state.findings['pve3/FAN3']).toMatchObject({ cleared: true })
  expect(rounds.state.detector.verdicts).toEqual({ real: 1, nothingFound: 0 })
  await rounds.round()
  expect(rounds.state.detector.verdicts).toEqual({ real: 1, nothingFound: 0 })
  await rounds.fail()
  expect(rounds.begun.map(({ part }) => part)).toEqual(['FAN3', 'FAN3'])
})

test('without positive evidence a level stands, and the verdict counts all the same', async () => {
  const rounds = new Rounds()
  await rounds.fail()
  rounds.running(first)
  await rounds.round()
  rounds.ended(false, 'nothing-found', 'cannot')
  await rounds.round()
  expect(rounds.state.findings['pve3/FAN3']?.cleared).toBeUndefined()
  expect(rounds.state.detector.verdicts).toEqual({ real: 0, nothingFound: 1 })
  expect(rounds.begun).toHaveLength(1)
})

test('what the node says of itself while it is away begins nothing, and is over with its verification', async () => {
  const rounds = new Rounds()
  await rounds.fail()
  rounds.running(first)
  await rounds.fail('FAN5')
  expect(rounds.state.findings['pve3/FAN5']).toMatchObject({ level: 'drain-advised' })
  expect(rounds.begun).toHaveLength(1)
  rounds.ended(true, 'repaired')
  await rounds.round()
  expect(rounds.state.findings['pve3/FAN5']).toMatchObject({ cleared: true })
  expect(rounds.begun).toHaveLength(1)
})

test('a finding that came while an aborted maintenance ran has its turn when that one has ended', async () => {
  const rounds = new Rounds()
  await rounds.fail()
  rounds.running(first)
  await rounds.fail('FAN5')
  rounds.ended(false)
  await rounds.round()
  expect(rounds.begun.map(({ part }) => part)).toEqual(['FAN3', 'FAN5'])
})

test('a finding that was refused is asked again, and begins once', async () => {
  const rounds = new Rounds()
  rounds.refuses = true
  await rounds.fail()
  expect(rounds.begun).toEqual([])
  rounds.refuses = false
  await rounds.round()
  await rounds.round()
  expect(rounds.begun).toHaveLength(1)
})

test('an event has its node looked at between two rounds, and nobody else', async () => {
  const stop = new AbortController()
  const woken = wakeUps(0)
  const looked: string[][] = []
  let stored = newWatchState()
  await runWatch(
    {
      nodes: [nodeName('pve1'), pve3],
      poller: {
        round: async (nodes) => {
          looked.push([...nodes])
          // More events than looks: those that come while one looks are heeded together afterwards.
          if (looked.length < 3) for (const node of [pve3, pve3]) woken.wake(node)
          else stop.abort()
          return []
        },
      },
      woken,
      clock: {
        nowMs: async () => START_AT_MS,
        sleepUntil: (_, quit) =>
          new Promise((resolve) => (quit?.aborted ? resolve() : quit?.addEventListener('abort', () => resolve()))),
      },
      store: {
        load: async () => stored,
        save: async (state) => {
          stored = state
        },
      },
      everyMs: 60 * SECOND_MS,
      onFinding: async () => true,
      log: () => {},
    },
    stop.signal,
  )
  expect(looked).toEqual([['pve1', 'pve3'], ['pve3'], ['pve3']])
})
