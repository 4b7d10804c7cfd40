/** `coulisse rehearse --config` as an operator runs it: the real drivers look at a cluster, its twin is played, nothing is touched. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { coulisse, freshFolder } from './coulisse.ts'
import { configFor, DEMO_CLUSTER, end, type ServedLab, serveLab, truthOf } from './lab-and-control-plane.ts'

let lab: ServedLab
beforeAll(async () => {
  lab = await serveLab('--snapshot', DEMO_CLUSTER, '--speed', '1')
})
afterAll(() => end(lab.run))

test('a live cluster is rehearsed on its twin, and is as it was', async () => {
  // No database is asked for: nothing is kept.
  const config = configFor(freshFolder('rehearse'), lab.ready, 'postgres://nobody@127.0.0.1:9/none')
  const before = await truthOf(lab.ready.control)
  const { code, out, err } = await coulisse(
    ['rehearse', '--config', config, '--drain', 'pve3', '--seeds', '2', '--json'],
    { COULISSE_LAB_CONTROL: lab.ready.control },
  )
  expect({ code, err }).toMatchObject({ code: 0 })
  const { simulated, forecast, events } = JSON.parse(out)
  expect(simulated).toBe(true)
  expect(forecast).toMatchObject({ nights: 2, endings: { done: 2 }, notDone: [] })
  expect(events.length).toBeGreaterThan(50)
  const { nowMs: _, ...after } = await truthOf(lab.ready.control)
  expect(before).toMatchObject(after)
})

test('a node that the cluster does not have is bad input', async () => {
  const config = configFor(freshFolder('rehearse'), lab.ready, 'postgres://nobody@127.0.0.1:9/none')
  const { code, out, err } = await coulisse(['rehearse', '--config', config, '--drain', 'pve99', '--json'], {
    COULISSE_LAB_CONTROL: lab.ready.control,
  })
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toContain('--drain: no node pve99')
})
