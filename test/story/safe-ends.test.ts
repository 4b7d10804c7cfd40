/** "Safe" holds only while somebody looks after it: it ends with the story, whatever the world does afterwards. */
import { expect, test } from 'vitest'
import { brokenIn } from '#app/chaos/end-state'
import { playNight } from '#app/night/play'
import { calmNight } from './night-kit.ts'

const HOUR_MS = 3_600_000

/** Nobody comes, the story ends stuck, and another node dies afterwards. */
const playWithoutHands = () =>
  playNight({
    ...calmNight(`
+0s: fault {"kind":"technician","does":"never-answers"}
+0s: start pve3 FAN3 it rattles
after plan-proposed +2m: approve
after maintenance-ended +10m: fault {"kind":"node-dead","node":"pve4"}
`),
    settleMs: HOUR_MS,
  })

test('a story that ends stuck takes "safe" back first, and tells the technician', async () => {
  const night = await playWithoutHands()
  expect(night.ending).toBe('stuck')
  expect(brokenIn(night)).toEqual([])
  const said = night.rows.flatMap(({ event }) => (event.kind === 'interlock' ? [event.interlock] : []))
  expect(said.map((one) => one.is)).toEqual(['safe', 'not-safe'])
  const acts = night.rows.flatMap(({ event }) => (event.kind === 'intends' ? [event.act] : []))
  const told = acts.flatMap((act) => (act.kind === 'notify' && act.audience === 'technician' ? [act.subject] : []))
  expect(told.at(-1)).toBe('NOT SAFE any more: pve3')
})
