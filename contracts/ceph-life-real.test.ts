/** A real cluster through what a maintenance meets: the lease's whole life, other people's flags, a host, a monitor and a cable away. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lookAround } from '#app/watchdog/look'
import { type CephObservation, isNooutSet, type NooutLease, osdsOf } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import { maintenanceId, nodeName } from '#domain/ids'
import { cephStorage } from '#drivers/ceph/ceph-storage'
import { CEPHX_USER, cephxCaps } from '#drivers/ceph/cephx-caps'
import { examineCeph } from '#drivers/ceph/examine'
import { type Ran, run } from '#drivers/exec/run'
import { leaseBlockers } from '#isolate/decide'
import { MemoryJournal } from '#lab/memory-journal'
import { type RealCeph, startRealCeph } from '#lab/real/ceph-cluster'
import type { Storage } from '#ports/storage'
import { cephBlockers, nooutBlockers } from '#story/conditions/storage'
import { decide } from '#story/watchdog/decide'
import { releasable, releaseLease } from '#story/watchdog/release'
import { leftOut, whyNotReal } from './real.ts'

const HOSTS = ['pve1', 'pve2', 'pve3', 'pve4'].map(nodeName)
const [pve1, pve2, pve3, pve4] = HOSTS as [RealHost, RealHost, RealHost, RealHost]
type RealHost = ReturnType<typeof nodeName>
const OWNER = 'coulisse@mad1'
const NOW_MS = Date.UTC(2026, 10, 22)
const clock = { nowMs: async () => NOW_MS, sleepUntil: async () => undefined }
/** A call whose monitor was just cut off hangs for its deadline, and is asked again. */
const DEADLINE_MS = 15_000
const LOOKS_LIMIT = 240
const LOOKS_APART_MS = 500
const TEST_LIMIT_MS = 240_000

let real: RealCeph
let storage: Storage

const configOf = (more: { readonly name: string; readonly keyring: string }) => ({
  command: real.command,
  conf: real.conf,
  deadlineMs: DEADLINE_MS,
  clock,
  stopOsds: real.stopOsdCommand,
  ...more,
})
const ours = () => configOf({ name: real.clientName, keyring: real.clientKeyring })

async function look(): Promise<CephObservation> {
  const seen = await storage.observe()
  if (seen === 'none') throw new Error('this bench has no Ceph')
  return seen
}

async function until(what: string, holds: () => Promise<boolean>) {
  for (let looks = 1; looks <= LOOKS_LIMIT; looks++) {
    if (await holds()) return
    await sleep(LOOKS_APART_MS)
  }
  throw new Error(`waited in vain: ${what}`)
}

const idsOf = (host: RealHost) => real.osds.filter((osd) => osd.host === host).map(({ id }) => id)
const areUp = (seen: CephObservation, host: RealHost) => osdsOf(seen, host).filter(({ up }) => up).length

/** By our own eyes, for it is them that the story trusts. */
const whole = () =>
  until('the cluster is whole', async () => {
    const { placementGroups, osds, monitors } = await look()
    const isClean = placementGroups.clean === placementGroups.total
    return isClean && osds.every(({ up, in: isIn }) => up && isIn) && monitors.every(({ inQuorum }) => inQuorum)
  })

const ceph = (words: readonly string[], user = 'client.admin', keyring = real.adminKeyring): Promise<Ran> =>
  run({
    driver: 'test',
    doing: words.join(' '),
    command: [...real.command, '--conf', real.conf, '--name', user, '--keyring', keyring, ...words],
    deadlineMs: 60_000,
  })
/** Somebody else, with all rights. */
async function others(...words: string[]) {
  const ran = await ceph(words)
  if (ran.code !== 0) throw new Error(`${words.join(' ')}: ${ran.stderr}`)
  return ran.stdout
}

async function ofLease(nowMs = NOW_MS) {
  const [seen, lease] = [await look(), await storage.readLease(pve3)]
  return leaseBlockers({ node: pve3, nowMs, ceph: seen, lease, owner: OWNER }).map(({ kind }) => kind)
}
const kindsFor = async (host: RealHost) => cephBlockers(await look(), host, 2).map(({ kind }) => kind)

const LEASE: NooutLease = {
  owner: OWNER,
  host: pve3,
  reason: 'FAN3 fails',
  setAtMs: NOW_MS,
  expiresAtMs: NOW_MS + 3_600_000,
  flagsBefore: [],
}

async function hold() {
  await storage.writeLease(LEASE)
  await storage.setNoout(pve3)
}
async function giveBack() {
  await storage.clearNoout(pve3)
  await storage.deleteLease(pve3)
}

const notReal = (await whyNotReal()) ?? (process.getuid?.() === 0 ? undefined : 'only root makes network namespaces')

describe.runIf(notReal === undefined)('a real Ceph through a maintenance', () => {
  beforeAll(async () => {
    const dir = `/tmp/coulisse-real-life-${process.pid}`
    const client = { name: CEPHX_USER, caps: cephxCaps }
    real = await startRealCeph({ dir, hosts: HOSTS, client, network: 'namespaces' })
    console.log(`a real Ceph whose cables can be pulled: whole after ${(real.startedInMs / 1000).toFixed(1)} s`)
    storage = cephStorage(ours())
  }, TEST_LIMIT_MS)
  afterAll(() => real?.stop(), TEST_LIMIT_MS)

  test(
    'the narrow user may do what the driver does, and nothing beside it',
    async () => {
      const forbidden = [
        ['osd', 'set', 'noout'],
        ['osd', 'set-group', 'nodown', 'pve3'],
        ['osd', 'out', '4'],
        ['config-key', 'get', 'mgr/x'],
        ['config-key', 'set', 'coulisse-not-ours', 'x'],
        ['auth', 'ls'],
        ['osd', 'pool', 'delete', 'vm', 'vm', '--yes-i-really-really-mean-it'],
      ]
      for (const words of forbidden) {
        const ran = await ceph(words, real.clientName, real.clientKeyring)
        expect([words.join(' '), ran.code]).toEqual([words.join(' '), 13])
      }
    },
    TEST_LIMIT_MS,
  )

  test(
    'doctor finds our user fine, the admin too mighty and half a user wanting, and changes nothing',
    async () => {
      const before = await others('osd', 'dump', '--format', 'json')
      const outcomes = async (config: ReturnType<typeof configOf>) =>
        (await examineCeph(config, HOSTS)).filter((one) => one.outcome !== 'fine').map((one) => [one.outcome, one.text])
      expect(await outcomes(ours())).toEqual([])
      const admin = configOf({ name: 'client.admin', keyring: real.adminKeyring })
      expect(await outcomes(admin)).toEqual([['dangerous', expect.stringContaining('read keys of others')]])
      const keyring = `${real.conf}.half`
      await others('auth', 'get-or-create', 'client.half', 'mon', 'allow r', '-o', keyring)
      expect(await outcomes(configOf({ name: 'client.half', keyring }))).toEqual([
        [
          'missing',
          expect.stringMatching(
            /osd set-group, osd unset-group, config-key get, config-key rm, config-key set, mgr fail, osd ok-to-stop/,
          ),
        ],
      ])
      const wrongKey = await outcomes(configOf({ name: 'client.half', keyring: real.clientKeyring }))
      expect(wrongKey).toMatchObject([['missing', expect.any(String)]])
      const flagsAndOsds = (dump: string) => {
        const { crush_node_flags, flags_set, osds } = JSON.parse(dump) as Record<string, unknown[]>
        return [crush_node_flags, flags_set, osds?.length]
      }
      expect(flagsAndOsds(await others('osd', 'dump', '--format', 'json'))).toEqual(flagsAndOsds(before))
      expect(await others('config-key', 'ls', '--format', 'json')).not.toContain('coulisse')
    },
    TEST_LIMIT_MS,
  )

  test(
    'the watchdog sees a lease that ran out, leaves it while OSDs of its host are down, and gives it back when all are up and in',
    async () => {
      await storage.writeLease({ ...LEASE, owner: 'coulisse/pve3-gone' })
      await storage.setNoout(pve3)
      const policy = { graceMs: 0, mayRelease: true, leaseMs: 4 * 3_600_000 }
      const late = { ...clock, nowMs: async () => LEASE.expiresAtMs + 60_000 }
      const lookNow = () =>
        lookAround({
          clock: late,
          nodes: HOSTS,
          storage,
          hypervisor: { maintenanceMode: async () => 'unavailable' as const },
          database: async () => ({ maintenances: [], workers: 0 }),
          health: undefined,
        })
      await real.stopOsds(pve3)
      await until('the OSDs of pve3 are down', async () => areUp(await look(), pve3) === 0)
      const down = await lookNow()
      const expired = decide(down, policy).alerts.filter(({ kind }) => kind === 'lease-expired')
      expect(expired).toMatchObject([{ subject: 'pve3', text: expect.stringMatching(/osd\.\d+.* not up and in/) }])
      expect(releasable(down, policy)).toEqual([])
      await real.startOsds(pve3)
      await whole()
      const [lease, ...others] = releasable(await lookNow(), policy)
      expect([lease?.host, others]).toEqual(['pve3', []])
      const journal = new MemoryJournal(late)
      if (lease === undefined) return
      expect(await releaseLease({ storage, journal }, lease, { look: lookNow, policy })).toMatchObject({
        is: 'released',
      })
      expect(isNooutSet(await look(), pve3)).toBe(false)
      expect(await storage.readLease(pve3)).toBeUndefined()
      const rows = await journal.read(maintenanceId('pve3-gone'))
      expect(rows.map(({ event }) => event.kind)).toEqual([
        'said',
        'intends',
        'did',
        'intends',
        'did',
        'lease-released',
      ])
      expect(decide(await lookNow(), policy).alerts.filter(({ kind }) => kind.startsWith('lease'))).toEqual([])
    },
    TEST_LIMIT_MS,
  )

  test(
    'the lease through its whole life: written, set, renewed, run out, and given back when the host is whole',
    async () => {
      expect(await ofLease()).toEqual(['lease-not-held'])
      await storage.writeLease(LEASE)
      expect(await ofLease()).toEqual(['lease-not-held'])
      await storage.setNoout(pve3)
      expect(await ofLease()).toEqual([])
      const renewed = { ...LEASE, expiresAtMs: LEASE.expiresAtMs + 3_600_000 }
      await storage.writeLease(renewed)
      expect(await storage.readLease(pve3)).toEqual(renewed)

      expect(await storage.stopOsds(pve3, idsOf(pve3))).toBe('stopped')
      await until('the PGs of the host are seen degraded', async () => (await look()).placementGroups.degraded > 0)
      // Past its end: it is said, and nothing in the cluster clears it.
      expect(await ofLease(renewed.expiresAtMs + 1)).toEqual(['lease-expired'])
      const away = await look()
      expect(isNooutSet(away, pve3)).toBe(true)
      expect(osdsOf(away, pve3).every(({ in: isIn }) => isIn)).toBe(true)
      expect(away.placementGroups.recovering).toBe(0)

      await real.startOsds(pve3)
      await whole()
      await giveBack()
      expect(isNooutSet(await look(), pve3)).toBe(false)
      expect(await ofLease()).toEqual(['lease-not-held'])
    },
    TEST_LIMIT_MS,
  )

  test(
    'a flag that somebody else clears or sets is seen at the next look',
    async () => {
      await hold()
      await others('osd', 'unset-group', 'noout', pve3)
      expect(await ofLease()).toEqual(['lease-not-held'])
      await storage.setNoout(pve3)
      await others('config-key', 'rm', `coulisse/lease/${pve3}`)
      expect(await ofLease()).toEqual(['lease-not-held'])
      await giveBack()

      await others('osd', 'set-group', 'noout', pve2)
      expect(nooutBlockers(await look(), pve2, false).map(({ kind }) => kind)).toEqual(['noout-by-others'])
      const said = (await examineCeph(ours())).filter((one) => one.outcome !== 'fine')
      expect(said).toMatchObject([
        { subject: 'flags of pve2', mend: expect.stringContaining('unset-group noout pve2') },
      ])
      await others('osd', 'unset-group', 'noout', pve2)
      for (const flag of ['norebalance', 'pause']) {
        await others('osd', 'set', flag)
        expect(await kindsFor(pve3)).toEqual(['ceph-flags-by-others'])
        const said = (await examineCeph(ours())).filter((one) => one.outcome !== 'fine').map(({ subject }) => subject)
        expect(said).toContain(`flag ${flag}`)
        await others('osd', 'unset', flag)
      }
      expect(await kindsFor(pve3)).toEqual([])
    },
    TEST_LIMIT_MS,
  )

  test(
    'while another host is down no host may go',
    async () => {
      await real.stopOsds(pve4)
      await until('the other host is seen down', async () => areUp(await look(), pve4) === 0)
      await until('its PGs are seen degraded', async () => (await look()).placementGroups.degraded > 0)
      expect((await storage.okToStop(idsOf(pve3))).ok).toBe(false)
      expect(await kindsFor(pve3)).toEqual(['placement-groups-not-clean', 'osd-down-elsewhere'])
      await real.startOsds(pve4)
      await whole()
      // The counts come from the monitors, this answer from the mgr: for some seconds one of them is ahead.
      const answers: string[] = []
      await until('Ceph lets pve3 go', async () => {
        const { ok, text } = await storage.okToStop(idsOf(pve3))
        answers.push(text)
        return ok
      })
      console.log(`asked whether pve3 may stop, once all was whole: ${answers.join('; ')}`)
    },
    TEST_LIMIT_MS,
  )

  test(
    'a killed monitor is survived, seen, and counted as Ceph itself counts',
    async () => {
      await real.killMonitor(pve1)
      await until('it is out of quorum', async () => (await look()).monitors.some(({ inQuorum }) => !inQuorum))
      expect(await storage.readLease(pve3)).toBeUndefined()
      expect(await kindsFor(pve3)).toEqual(['monitors-too-few'])
      // pve4 has no monitor: with it two of three are left.
      expect(await kindsFor(pve4)).toEqual([])
      const asked = await ceph(['mon', 'ok-to-stop', pve3], real.clientName, real.clientKeyring)
      expect(asked.code).toBe(16)
      await real.startHost(pve1)
      await whole()
      expect((await ceph(['mon', 'ok-to-stop', pve3], real.clientName, real.clientKeyring)).code).toBe(0)
    },
    TEST_LIMIT_MS,
  )

  test(
    'a cut cable takes monitor and OSDs of the host; we go on, hold the lease, and let no other host go',
    async () => {
      await hold()
      await real.pullCable(pve3)
      await until('the host is seen down', async () => areUp(await look(), pve3) === 0)
      await storage.writeLease({ ...LEASE, expiresAtMs: LEASE.expiresAtMs + 1 })
      expect(await ofLease()).toEqual([])
      expect((await storage.okToStop(idsOf(pve2))).ok).toBe(false)
      expect(await kindsFor(pve2)).toEqual(expect.arrayContaining(['osd-down-elsewhere', 'monitors-too-few']))
      expect(osdsOf(await look(), pve3).every(({ in: isIn }) => isIn)).toBe(true)
      await real.plugIn(pve3)
      await whole()
      await giveBack()
      expect(await kindsFor(pve2)).toEqual([])
    },
    TEST_LIMIT_MS,
  )

  test(
    'a cluster without quorum answers nobody: an error for later within our own time, and fine again afterwards',
    async () => {
      await real.pullCable(pve1)
      await real.pullCable(pve2)
      const impatient = cephStorage({ ...ours(), deadlineMs: 3_000 })
      const retryOf = () =>
        impatient.readLease(pve3).then(
          () => 'answered',
          (error: unknown) => (error instanceof DriverError ? error.retry : 'crashed'),
        )
      // The monitor that is left answers for as long as its own lease lasts (2 s here).
      await until('nobody answers', async () => (await retryOf()) !== 'answered')
      const startedAt = performance.now()
      expect(await retryOf()).toBe('later')
      expect(performance.now() - startedAt).toBeLessThan(30_000)
      await real.plugIn(pve1)
      await real.plugIn(pve2)
      await until('it answers again', () =>
        impatient.readLease(pve3).then(
          () => true,
          () => false,
        ),
      )
      await whole()
    },
    TEST_LIMIT_MS,
  )
})

if (notReal !== undefined) leftOut('a real Ceph through a maintenance', notReal)
