/** Where noout reaches the whole cluster, one that somebody set before us covers our node too: it is used, and left as it was. */
import { expect, test } from 'vitest'
import { brokenIn } from '#app/chaos/end-state'
import { calmNight, leaseOf, playCalm } from './night-kit.ts'

const script = (more = '') => `
+0s: start pve3 FAN3 it rattles
each plan-proposed +2m: approve lift noout-cluster-wide
${more}`

const play = (more?: string) => playCalm({ ...calmNight(script(more)), storage: { nooutScope: 'cluster' } })

const flagsIn = ({ lab: { state } }: Awaited<ReturnType<typeof play>>) =>
  state.ceph === 'none' ? [] : state.ceph.flags

test('a cluster-wide noout of somebody else stays when our lease goes', async () => {
  const night = await play('+0s: fault {"kind":"noout-set-by-other"}')
  expect(night.ending).toBe('done')
  expect(leaseOf(night)).toBeUndefined()
  expect(flagsIn(night)).toEqual(['noout'])
  expect(brokenIn(night)).toEqual([])
})

test('one of ours is cleared', async () => {
  const night = await play()
  expect(night.ending).toBe('done')
  expect(flagsIn(night)).toEqual([])
  expect(brokenIn(night)).toEqual([])
})
