/** Every wait has an end, and says what it waited for. */
import { expect, test } from 'vitest'
import { brokenIn } from '#app/chaos/end-state'
import { calmNight, playCalm } from './night-kit.ts'

const HOUR_MS = 3_600_000

test('a gate that nobody opens ends when its patience does, and all is taken back', async () => {
  const calm = calmNight(`
+0s: start pve3 FAN3 it rattles
after plan-proposed +2m: approve
after stage-began drain +1s: fault {"kind":"osd-nearfull"}
`)
  const night = await playCalm({ ...calm, policy: { ...calm.policy, gateLimitS: 3_600 } })
  expect(night.ending).toBe('undone')
  const ended = night.rows.findLast(({ event }) => event.kind === 'maintenance-ended')?.event
  expect(ended).toMatchObject({ text: expect.stringMatching(/waited 60 min at the gate of isolate: ceph-nearfull/) })
  expect(night.endedAtMs - (night.rows[0]?.atMs ?? 0)).toBeLessThan(3 * HOUR_MS)
  expect(brokenIn(night)).toEqual([])
})
