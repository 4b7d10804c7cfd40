import { expect, test } from 'vitest'
import { type DemoSummary, keptRunning, type RealGuestMove } from '#app/demo/summary'
import { summaryText } from './demo-summary.ts'

const MOVE: RealGuestMove = {
  guest: 101,
  from: 'pve3',
  to: 'pve1',
  bootIdBefore: 'one',
  bootIdAfter: 'one',
  hypervisorPauseMs: 3,
  hypervisorResolutionMs: 1,
  probeGapMs: 119,
  probeIntervalMs: 10,
  probeResolutionMs: 54,
}

const summaryOf = (...realGuests: readonly RealGuestMove[]): DemoSummary => ({
  maintenanceId: 'pve3-1',
  ending: 'done',
  text: 'pve3 is repaired',
  resumed: 0,
  brokenPromises: [],
  stages: [],
  guestsMoved: 1,
  guestsHome: 1,
  longestBlackoutMs: 3,
  longestProbeGapMs: 119,
  probeIntervalMs: 10,
  simulated: true,
  noout: { setAt: null, clearedAt: null },
  reports: [],
  evidence: [],
  roots: null,
  journalEntries: 1,
  realGuests,
  realGuestTroubles: [],
  startMs: 1,
  wallMs: 2,
})

test('a real guest’s pause and gap are printed, each with its resolution, and that it is the same boot', () => {
  const summary = summaryOf(MOVE)
  expect(summaryText(summary, '/state')).toContain(
    'real guest 101, pve3 to pve1: paused 3 ms (to within 1 ms) by QEMU; ' +
      'no answer for 119 ms (to within 54 ms) by the prober, one probe every 10 ms; boot one as before',
  )
  expect(keptRunning(summary)).toBe(true)
})

test('what was not measured is said so, and a guest that was restarted is no good end', () => {
  const unmeasured = { ...MOVE, hypervisorPauseMs: 'unknown', probeGapMs: 'unmeasured' } as const
  expect(summaryText(summaryOf(unmeasured), '/state')).toContain('paused unknown by QEMU; no answer for unmeasured by')
  const restarted = summaryOf(MOVE, { ...MOVE, bootIdAfter: 'two' })
  expect(summaryText(restarted, '/state')).toContain('RESTARTED: boot one before, two after')
  expect(keptRunning(restarted)).toBe(false)
  expect(keptRunning(summaryOf({ ...MOVE, bootIdAfter: 'unknown' }))).toBe(false)
})
