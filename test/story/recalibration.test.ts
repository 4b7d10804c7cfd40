/** A plan's constants come from moves of the same cluster that were measured, those of this very drain among them. */

import { expect, test } from 'vitest'
import { brokenIn } from '#app/chaos/end-state'
import { playNight } from '#app/night/play'
import { vmid } from '#domain/ids'
import { calmNight } from './night-kit.ts'

test('a plan that is revised in the middle of a drain uses what the drain has measured so far', async () => {
  const calm = calmNight(`
+0s: start pve3 FAN3 it rattles
each plan-proposed +2m: approve
+210s: fault {"kind":"guest-appears","node":"pve3","vmid":188}
`)
  const { cluster } = calm.snapshot
  const small = { memoryBytes: 2 ** 30, residentBytes: 2 ** 29, cpuCores: 1 }
  const guests = cluster.guests.flatMap((guest) => {
    const twin = { ...guest, ...small, vmid: vmid(guest.vmid + 800), name: `${guest.name}-twin` }
    return guest.node === 'pve3' && guest.status === 'running' ? [guest, twin] : [guest]
  })
  const night = await playNight({ ...calm, snapshot: { ...calm.snapshot, cluster: { ...cluster, guests } } })
  const plans = night.rows.flatMap(({ event }) => (event.kind === 'plan-proposed' ? event.plan : []))
  expect(plans[0]?.model.source).toBe('default: nothing measured yet')
  const revised = plans.at(-1)
  expect(revised?.revision).toBeGreaterThan(1)
  expect(revised?.model.source).toMatch(/^measured: \d+ moves since 2026-/)
  expect(night.ending).toBe('done')
  expect(brokenIn(night)).toEqual([])
})
