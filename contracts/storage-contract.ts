/** What every Ceph behind the port promises: the lab's, a recorded one, a real cluster. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CephObservation, NooutLease } from '#domain/ceph'
import { osdsOf } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import { type NodeName, nodeName } from '#domain/ids'
import type { Storage } from '#ports/storage'

/** A whole cluster, nothing of it in maintenance; two of its hosts, one of which may go. */
export type StorageBench = {
  readonly storage: Storage
  readonly host: NodeName
  readonly otherHost: NodeName
  readonly mayStopOsds: boolean
  /** Default: its host. Proxmox's API reaches the whole cluster only, and that is said. */
  readonly nooutScope?: 'host' | 'cluster'
  /** Default: yes. Proxmox's API asks one OSD a question: of several it never says that they may stop together. */
  readonly asksForAllTogether?: boolean
  /** Stands by for the active mgr. */
  readonly mgrStandsBy: boolean
  readonly hands: { startOsds(host: NodeName): Promise<void> }
  close(): Promise<void>
}

/** @param limitMs for opening, closing and each test; a real cluster on a busy machine takes its time. */
export function storageContract(name: string, open: () => Promise<StorageBench>, limitMs = 60_000) {
  describe(`a Ceph, ${name}`, { timeout: limitMs }, () => {
    let bench: StorageBench
    beforeAll(async () => {
      bench = await open()
    }, limitMs)
    afterAll(() => bench?.close(), limitMs)
    questions(() => bench)
    noout(() => bench)
    leases(() => bench)
    daemons(() => bench)
  })
}

async function look(storage: Storage): Promise<CephObservation> {
  const seen = await storage.observe()
  if (seen === 'none') throw new Error('this bench has no Ceph')
  return seen
}

const idsOf = (seen: CephObservation, host: NodeName) => osdsOf(seen, host).map(({ id }) => id)

function questions(bench: () => StorageBench) {
  test('one look shows OSDs by host, pools, PGs, monitors and the active mgr', async () => {
    const { storage, host, otherHost } = bench()
    const seen = await look(storage)
    expect(seen.fsid).not.toBe('')
    expect(osdsOf(seen, host).length).toBeGreaterThan(0)
    expect(osdsOf(seen, otherHost).length).toBeGreaterThan(0)
    expect(seen.osds.every(({ up, in: isIn }) => up && isIn)).toBe(true)
    expect(seen.pools.length).toBeGreaterThan(0)
    expect(seen.pools.every(({ failureDomain, size }) => failureDomain === 'host' && size >= 2)).toBe(true)
    expect(seen.placementGroups.clean).toBe(seen.placementGroups.total)
    expect(seen.monitors.length).toBeGreaterThan(0)
    expect(seen.monitors.every(({ inQuorum }) => inQuorum)).toBe(true)
    expect(seen.activeMgrHost).toBeDefined()
    expect(seen.fullness).toBe('ok')
    expect(seen.slowOpsCount).toBe(0)
  })

  test('all OSDs of one host may stop together, those of two hosts may not, and it says why', async () => {
    const { storage, host, otherHost } = bench()
    const seen = await look(storage)
    const ofHost = idsOf(seen, host)
    const { asksForAllTogether = true } = bench()
    expect(await storage.okToStop(asksForAllTogether ? ofHost : ofHost.slice(0, 1))).toMatchObject({ ok: true })
    if (!asksForAllTogether) expect(await storage.okToStop(ofHost)).toMatchObject({ ok: false })
    const both = await storage.okToStop([...idsOf(seen, host), ...idsOf(seen, otherHost)])
    expect(both.ok).toBe(false)
    expect(both.text).not.toBe('')
  })

  test('OSDs that do not exist are not said to be ok to stop', async () => {
    expect((await bench().storage.okToStop([7077])).ok).toBe(false)
  })
}

function noout(bench: () => StorageBench) {
  test('noout is set as far as was said and no further, twice is once, and so it is cleared', async () => {
    const { storage, host, nooutScope = 'host' } = bench()
    expect(storage.nooutScope).toBe(nooutScope)
    for (const change of ['setNoout', 'setNoout', 'clearNoout', 'clearNoout'] as const) {
      await storage[change](host)
      const seen = await look(storage)
      const stands = change === 'setNoout'
      expect(seen.flags.includes('noout')).toBe(stands && nooutScope === 'cluster')
      expect(Object.entries(seen.hostFlags).filter(([, flags]) => flags.length > 0)).toEqual(
        stands && nooutScope === 'host' ? [[host, ['noout']]] : [],
      )
    }
  })

  test('noout on a host that Ceph does not know is an error that no retry heals, and sets nothing', async () => {
    const { storage, nooutScope } = bench()
    // Who sets it for all asks for no host's name, and says so.
    if (nooutScope === 'cluster') return expect(storage.nooutScope).toBe('cluster')
    const error = await storage.setNoout(nodeName('pve99')).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(DriverError)
    expect(error).toMatchObject({ retry: 'never' })
    expect((await look(storage)).hostFlags.pve99).toBeUndefined()
  })
}

function leases(bench: () => StorageBench) {
  test('a lease is read as it was written, its successor replaces it, and once deleted it is gone', async () => {
    const { storage, host, otherHost } = bench()
    const lease: NooutLease = {
      owner: 'coulisse@mad1',
      host,
      reason: 'FAN3: 4 "dropouts" in 31 h — l’été, 100 %',
      setAtMs: 1_795_334_000_123,
      expiresAtMs: 1_795_348_400_123,
      flagsBefore: ['noin'],
    }
    expect(await storage.readLease(host)).toBeUndefined()
    await storage.writeLease(lease)
    await storage.writeLease({ ...lease, host: otherHost, flagsBefore: [] })
    expect(await storage.readLease(host)).toEqual(lease)
    await storage.writeLease({ ...lease, expiresAtMs: lease.expiresAtMs + 1 })
    expect((await storage.readLease(host))?.expiresAtMs).toBe(lease.expiresAtMs + 1)
    await storage.deleteLease(host)
    await storage.deleteLease(host)
    expect(await storage.readLease(host)).toBeUndefined()
    expect((await storage.readLease(otherHost))?.host).toBe(otherHost)
    await storage.deleteLease(otherHost)
  })
}

function daemons(bench: () => StorageBench) {
  test('the active mgr leaves its host where another stands by; elsewhere nothing happens', async () => {
    const { storage, mgrStandsBy, host, otherHost } = bench()
    const before = (await look(storage)).activeMgrHost ?? host
    await storage.failMgr(before === host ? otherHost : host)
    expect((await look(storage)).activeMgrHost).toBe(before)
    const failing = storage.failMgr(before)
    if (mgrStandsBy) {
      await failing
      expect((await look(storage)).activeMgrHost).not.toBe(before)
    } else {
      await expect(failing).rejects.toMatchObject({ name: 'DriverError', retry: 'never' })
    }
  })

  test('OSDs stop in order where our rights reach so far, and are seen down; else we say that they do not', async () => {
    const { storage, host, mayStopOsds, hands } = bench()
    const ids = idsOf(await look(storage), host)
    const outcome = await storage.stopOsds(host, ids)
    expect(outcome).toBe(mayStopOsds ? 'stopped' : 'not-allowed')
    const seen = await look(storage)
    expect(osdsOf(seen, host).every(({ up }) => up !== mayStopOsds)).toBe(true)
    if (!mayStopOsds) return
    expect(seen.osds.filter((osd) => osd.host !== host).every(({ up }) => up)).toBe(true)
    expect(await storage.stopOsds(host, ids)).toBe('stopped')
    await hands.startOsds(host)
    expect((await look(storage)).osds.every(({ up }) => up)).toBe(true)
  })
}
