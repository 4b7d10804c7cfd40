import { expect, test } from 'vitest'
import type { Event, JournalRow } from './event.ts'
import { maintenanceId, nodeName, vmid } from './ids.ts'
import { copiedFraction, statusOf, waitingIn } from './status.ts'
import { viewOf } from './view.ts'

const pve3 = nodeName('pve3')
const finding = {
  atMs: 0,
  node: pve3,
  part: 'FAN3',
  level: 'drain-now',
  class: 'hard',
  confidence: 1,
  episodes: 1,
  windowS: 60,
  expectedFalseAlarmsPer100PartYears: 'unknown',
  text: 'FAN3 stands still',
} as const

const act = {
  kind: 'migrate',
  guest: vmid(101),
  from: pve3,
  to: nodeName('pve1'),
  mode: 'live',
  purpose: 'drain',
} as const

function after(...events: readonly Event[]) {
  const all: readonly Event[] = [{ kind: 'maintenance-opened', node: pve3, finding, requestedBy: 'eva' }, ...events]
  const base = { maintenance: maintenanceId('m1'), prevHash: '', hash: '' }
  return viewOf(
    all.map((event, index): JournalRow => ({ ...base, seq: index + 1, key: `${index}`, atMs: index, event })),
  )
}

test('a pause outranks what it holds up, and both are said', () => {
  const blocker = { kind: 'node-busy', text: 'a backup runs', lifts: 'its end' } as const
  const view = after({ kind: 'gate-closed', stage: 'drain', blockers: [blocker] }, { kind: 'paused', by: 'eva' })
  expect(statusOf(view)).toEqual({ word: 'paused', tone: 'wait' })
  expect(waitingIn(view)).toEqual([
    { text: 'everything waits for somebody to resume: eva paused it', sinceMs: 2, at: 'person' },
    { text: 'drain waits: a backup runs; lifted by: its end', sinceMs: 1, at: 'gate' },
  ])
})

test('nobody waits once it has ended', () => {
  const view = after({ kind: 'intends', act }, { kind: 'maintenance-ended', ending: 'stuck', text: 'undo failed' })
  expect([statusOf(view), waitingIn(view)]).toEqual([{ word: 'stuck', tone: 'bad' }, []])
})

test('progress is unknown until the hypervisor has said something', () => {
  const begun = after({ kind: 'intends', act })
  const going = after(
    { kind: 'intends', act },
    { kind: 'guest-copying', guest: vmid(101), transferredBytes: 3, totalBytes: 4 },
  )
  expect([begun, going].map(({ moves: [move] }) => move && copiedFraction(move))).toEqual(['unknown', 0.75])
  expect(waitingIn(going)).toEqual([{ text: 'drain waits for guest 101 to arrive on pve1', sinceMs: 1, at: 'world' }])
})
