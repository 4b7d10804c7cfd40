/** A pair that belongs together is not left apart because one of them writes too fast: the pause is told, the rule is kept. */
import { expect, test } from 'vitest'
import { brokenIn } from '#app/chaos/end-state'
import { type NightResult, playNight } from '#app/night/play'
import { calmNight } from './night-kit.ts'

const HOUR_MS = 3_600_000

const playPair = (faults: string) =>
  playNight({
    ...calmNight(`
+0s: start pve3 FAN3 it rattles
each plan-proposed +2m: approve
${faults}
`),
    settleMs: HOUR_MS,
  })

const pausedOver = ({ rows }: NightResult) =>
  rows.flatMap(({ event }) => (event.kind === 'pause-over-budget' ? [event.guest] : []))

test('on the way home the partner who came home goes back, over its budget if it must', async () => {
  const night = await playPair(`
after stage-began reintegrate +1s: fault {"kind":"migration-never-converges","guest":105}
after intends migration is cancelled +20s: fault {"kind":"migration-never-converges","guest":104}
`)
  expect(night.ending).toBe('done')
  expect(brokenIn(night)).toEqual([])
  const { guests } = night.lab.state
  expect(guests[104]?.node).toBe(guests[105]?.node)
  expect(pausedOver(night)).toContain(104)
})

test('in a drain the partner who left comes back, over its budget if it must', async () => {
  const night = await playPair(`
after stage-began drain +0s: fault {"kind":"migration-never-converges","guest":105}
after intends migration is cancelled +20s: fault {"kind":"migration-never-converges","guest":104}
after gate-closed pause-budget +40m: fault {"kind":"mended","what":"migration-never-converges"}
`)
  expect(brokenIn(night)).toEqual([])
  expect(pausedOver(night)).toContain(104)
})
