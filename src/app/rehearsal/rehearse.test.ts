import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { nodeName, vmid } from '#domain/ids'
import type { PlanPolicy } from '#domain/policy'
import type { Snapshot } from '#domain/snapshot'
import { parseSnapshot } from '#drivers/snapshot/snapshot-file'
import { createWorld } from '#lab/world/create'
import { rehearse } from './rehearse.ts'
import { twinOf } from './twin.ts'
import { typicalFaults } from './typical-faults.ts'

const FILE = new URL('../../../scenarios/clusters/four-nodes.json', import.meta.url)
const pve3 = nodeName('pve3')

function fourNodes(policy: Partial<PlanPolicy> = {}): Snapshot {
  const parsed = parseSnapshot(readFileSync(FILE, 'utf8'))
  if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
  return { ...parsed.snapshot, policy: { ...parsed.snapshot.policy, ...policy } }
}

const request = { snapshot: fourNodes(), node: pve3, faults: 'none', seed: 1, seeds: 3, threads: 2 } as const

describe('a twin', () => {
  const worldOf = (seed: number) => {
    const { snapshot, startAtMs, shape } = twinOf(fourNodes(), seed)
    const world = createWorld({ snapshot, seed, startAtMs })
    shape(world)
    return world
  }

  test('is the same for the same seed and another for another', () => {
    expect(worldOf(4)).toEqual(worldOf(4))
    expect(worldOf(4).guests['102']).not.toEqual(worldOf(5).guests['102'])
  })

  test('is observed as the snapshot tells, and is not so in truth', () => {
    const guest = worldOf(4).guests['102']
    expect(guest?.spec).toEqual(fourNodes().cluster.guests.find(({ vmid: id }) => id === vmid(102)))
    expect(guest?.dirtyBytesPerSecond).not.toBe(guest?.spec.dirtyBytesPerSecond)
  })

  test('nobody writes a larger working set than he has memory', () => {
    for (let seed = 1; seed <= 50; seed++)
      for (const { spec, writableWorkingSetBytes } of Object.values(worldOf(seed).guests))
        expect(writableWorkingSetBytes).toBeLessThanOrEqual(spec.residentBytes)
  })
})

describe('a rehearsal', () => {
  test('gives the same figures again, whatever thread played which night, and counts to the last', async () => {
    const seen: number[] = []
    const one = await rehearse({ ...request, onProgress: (count) => seen.push(count) })
    expect(await rehearse({ ...request, threads: 1 })).toEqual(one)
    expect(one.endings).toEqual({ done: 3 })
    expect(one.notDone).toEqual([])
    expect(seen).toEqual([1, 2, 3])
  })

  test('plays the plan that the operator reads, and nights differ', async () => {
    const { plan, events, nights } = await rehearse({ ...request, seeds: 2 })
    const proposed = events.find(({ event }) => event.kind === 'plan-proposed')?.event
    expect(proposed?.kind === 'plan-proposed' && proposed.plan.moves).toEqual(plan.moves)
    expect(nights[0]?.wholeS).not.toBe(nights[1]?.wholeS)
    expect(events.map(({ event }) => event.kind)).toContain('maintenance-ended')
  })

  test('plays no night where the plan has blockers', async () => {
    const snapshot = fourNodes()
    const guests = snapshot.cluster.guests.map((one) => (one.vmid === 101 ? { ...one, movable: false } : one))
    const { blockers, nights, events } = await rehearse({
      ...request,
      snapshot: { ...snapshot, cluster: { ...snapshot.cluster, guests } },
    })
    expect(blockers.map(({ kind }) => kind)).toEqual(['guest-not-movable'])
    expect({ nights, events }).toEqual({ nights: [], events: [] })
  })

  test('says what keeps the story from its first move, though the plan has no blocker, and plays one night for it', async () => {
    const snapshot = fourNodes()
    if (snapshot.ceph === 'none') throw new Error('four-nodes.json has Ceph')
    const pools = snapshot.ceph.pools.map((pool) => ({ ...pool, size: 2, minSize: 1 }))
    const { plan, blockers, nights } = await rehearse({
      ...request,
      snapshot: { ...snapshot, ceph: { ...snapshot.ceph, pools } },
    })
    expect(plan.blockers).toEqual([])
    expect(blockers.map(({ kind }) => kind)).toEqual(['pool-below-two-copies'])
    expect(nights).toHaveLength(1)
  })
})

describe('typical faults', () => {
  test('are the same for a seed, differ between seeds, and strike about as often as they say', () => {
    const snapshot = fourNodes()
    const namesOf = (seed: number) => typicalFaults(snapshot, pve3, seed).names
    expect(namesOf(11)).toEqual(namesOf(11))
    const nights = Array.from({ length: 2000 }, (_, seed) => namesOf(seed))
    const locked = nights.filter((names) => names.includes('a backup holds a guest')).length
    expect(locked / 2000).toBeGreaterThan(0.035)
    expect(locked / 2000).toBeLessThan(0.065)
  })

  test('break no promise, and every night of them ends', async () => {
    const { nights } = await rehearse({ ...request, faults: 'typical', seed: 100, seeds: 12 })
    expect(nights.flatMap(({ brokenPromises }) => brokenPromises)).toEqual([])
    expect(nights.filter(({ ending }) => ending === 'none')).toEqual([])
    expect(nights.some(({ faults }) => faults.length > 0)).toBe(true)
  })
})
