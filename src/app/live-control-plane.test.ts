import { expect, test } from 'vitest'
import { clusterName, maintenanceId } from '#domain/ids'
import type { Json } from '#domain/json'
import { DEFAULT_STORY_POLICY } from '#domain/policy'
import { MemoryEngine } from '#lab/engine/memory-engine'
import { simulate } from '#lab/engine/simulate'
import { MemoryJournal } from '#lab/memory-journal'
import { labPorts } from '#lab/ports/lab-ports'
import { smallLab } from '#lab/testing/small-world'
import { VirtualClock } from '#lab/virtual-clock'
import { liveControlPlane } from './live-control-plane.ts'

/** A control plane over an engine whose maintenances end as they are told to. */
function control(ending: 'stuck' | 'running') {
  const clock = new VirtualClock(0)
  const journal = new MemoryJournal(clock)
  const engine = new MemoryEngine({
    clock,
    definitions: {
      maintenance: async (saga) => {
        if (ending === 'running') await saga.sleepUntil(1e9)
        return { ending, text: 'as the test says' } as Json
      },
    },
  })
  const plane = liveControlPlane({
    cluster: clusterName('mad1'),
    engine,
    ports: { ...labPorts(smallLab()), clock, journal },
    policy: DEFAULT_STORY_POLICY,
    findings: async () => [],
    listMaintenances: async () => [],
    subscribe: () => () => {},
    readPage: async () => undefined,
    simulated: true,
  })
  const settle = (id: string) =>
    simulate({ clock, until: () => ending === 'running' || engine.hasEnded(id), limitMs: 1000 })
  return { plane, journal, settle }
}

const REQUEST = { node: 'pve3', reason: 'fan noise', by: 'olga' } as Parameters<
  ReturnType<typeof control>['plane']['start']
>[0]

test('a second maintenance is refused while one holds the cluster, and begins once a person took the stuck one over', async () => {
  const { plane, journal, settle } = control('stuck')
  const first = await plane.start(REQUEST, 'first')
  if (first.is !== 'started') throw new Error('the first did not start')
  await settle(first.id)
  expect(await plane.start(REQUEST, 'second')).toMatchObject({ is: 'refused', text: expect.stringContaining(first.id) })
  expect(await plane.release(first.id, { by: 'eva', reason: 'mended by hand' }, 'r1')).toEqual({ is: 'released' })
  const [row] = await journal.read(first.id)
  expect(row?.event).toMatchObject({ kind: 'said', text: expect.stringContaining('eva takes over') })
  expect(await plane.start(REQUEST, 'second')).toMatchObject({ is: 'started' })
})

test('what still runs is not taken over: it is aborted, and takes itself back', async () => {
  const { plane } = control('running')
  const first = await plane.start(REQUEST, 'first')
  if (first.is !== 'started') throw new Error('the first did not start')
  const answer = await plane.release(first.id, { by: 'eva', reason: 'impatience' }, 'r1')
  expect(answer).toMatchObject({ is: 'refused', text: expect.stringContaining('abort it') })
  expect(await plane.release(maintenanceId('nobody'), { by: 'eva', reason: '-' }, 'r2')).toEqual({
    is: 'unknown-maintenance',
  })
})
