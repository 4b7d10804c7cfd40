/** A disk that was dead before the maintenance began is not ours to bring back, and nobody waits for it. */
import { expect, test } from 'vitest'
import { brokenIn } from '#app/chaos/end-state'
import { playNight } from '#app/night/play'
import type { CephObservation } from '#domain/ceph'
import { calmNight, leaseOf } from './night-kit.ts'

/** One OSD of pve3 is down and out, and Ceph has healed without it. */
function nightWithDeadOsd(more = '') {
  const calm = calmNight(`+1s: start pve3 FAN3 it rattles\neach plan-proposed +1m: approve\n${more}`)
  const { ceph } = calm.snapshot
  if (ceph === 'none') throw new Error('the calm night has Ceph')
  const dead = ceph.osds.find(({ host }) => host === 'pve3')?.id
  const osds = ceph.osds.map((osd) => (osd.id === dead ? { ...osd, up: false, in: false } : osd))
  const without: CephObservation = { ...ceph, osds }
  return playNight({ ...calm, policy: { ...calm.policy, soakS: 60 }, snapshot: { ...calm.snapshot, ceph: without } })
}

test('the node goes home without it, and the lease is given back', async () => {
  const night = await nightWithDeadOsd()
  expect(night.ending).toBe('done')
  expect(leaseOf(night)).toBeUndefined()
  const held = night.rows.flatMap(({ event }) => (event.kind === 'gate-closed' ? event.blockers : []))
  expect(held.filter(({ kind }) => kind === 'osds-not-up')).toEqual([])
  const back = night.rows.flatMap(({ event }) => (event.kind === 'osds-back' ? event.osds : []))
  expect(back.length).toBeGreaterThan(0)
  expect(brokenIn(night)).toEqual([])
})

test('an abort takes the node back on without it', async () => {
  const night = await nightWithDeadOsd('after did shutdown accepted +5s: abort not tonight')
  expect(night.ending).toBe('undone')
  expect(leaseOf(night)).toBeUndefined()
  expect(brokenIn(night)).toEqual([])
})
