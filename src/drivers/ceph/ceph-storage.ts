/** Ceph by its own command line: whole-host questions, noout on one host, and every change read back. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { CephObservation, NooutLease } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import { canonicalJson } from '#domain/json'
import { run } from '#drivers/exec/run'
import { runOnNode, type SshNodes, targetsOf } from '#drivers/exec/ssh'
import type { Clock } from '#ports/clock'
import type { Storage } from '#ports/storage'
import { hostFlagsOf, mgrStatAnswer, osdDumpAnswer } from './answers.ts'
import { type CephCli, type CephCliConfig, cephCli, cephError } from './ceph-cli.ts'
import { LEASE_PREFIX } from './cephx-caps.ts'
import { LOOK, readLeaseText, readLook, readOkToStop } from './read.ts'

export type CephConfig = CephCliConfig & {
  readonly clock: Clock
  /** Stops one OSD in order, on its node: by its forced command, or by a command with `{host}` and `{osd}`. Absent: not our right. */
  readonly stopOsds?: { readonly ssh: SshNodes } | readonly string[]
}

/** A change shows in the map at once; a look that crosses an election sees it some seconds later. */
const READ_BACK_LIMIT = 10
const READ_BACK_APART_MS = 500
/** An OSD told to stop is down within 0.1 s by its own word, within the heartbeat grace (20 s by default) by others'. */
const OSD_DOWN_LIMIT = 60

const ENOENT = 2
/** ok-to-stop's "I cannot say yet": PG statistics lag behind a new pool or another active mgr by some seconds. */
const EAGAIN = 11
const UNSURE_LIMIT = 20

export function cephStorage(config: CephConfig): Storage {
  const cli = cephCli(config)
  const osdDump = () => cli.json('read the OSD map', ['osd', 'dump'], osdDumpAnswer)
  const flagsOfHost = async (host: NodeName) => hostFlagsOf(await osdDump())[host] ?? []
  async function setGroup(verb: 'set-group' | 'unset-group', host: NodeName) {
    const doing = `${verb === 'set-group' ? 'set' : 'clear'} noout on ${host}`
    const ran = await cli.ask(doing, ['osd', verb, 'noout', host])
    // Read back whatever the answer was: a change may have been made although its answer got lost.
    const wanted = verb === 'set-group'
    const looks = ran.code === 0 ? READ_BACK_LIMIT : 1
    const made = await eventually(looks, async () => (await flagsOfHost(host)).includes('noout') === wanted)
    if (!made && ran.code !== 0) throw cephError(doing, ran)
    if (!made) throw new DriverError('ceph', doing, { retry: 'later', text: 'the OSD map does not show it' })
  }
  return {
    nooutScope: 'host',
    observe: () => observe(cli, config.clock),
    okToStop: (osds) => okToStop(cli, osds),
    setNoout: (host) => setGroup('set-group', host),
    clearNoout: (host) => setGroup('unset-group', host),
    readLease: (host) => readLease(cli, host),
    writeLease: (lease) => writeLease(cli, lease),
    deleteLease: (host) => deleteLease(cli, host),
    failMgr: (host) => failMgr(cli, config.clock, host),
    stopOsds: (host, osds) => stopOsds(config, osdDump, { host, osds }),
  }
}

async function observe(cli: CephCli, clock: Clock): Promise<CephObservation> {
  // The time of the question: an observation is never younger than it says.
  const observedAtMs = await clock.nowMs()
  return readLook(await cli.looks('look at the cluster', LOOK), observedAtMs)
}

async function okToStop(cli: CephCli, osds: readonly number[]) {
  const doing = `ask whether OSDs ${osds.join(', ')} may stop together`
  if (osds.length === 0) return { ok: true, text: 'no OSDs to stop' }
  // Ceph says yes to OSDs that it does not know (seen: `ok-to-stop 77` of 8 OSDs).
  const known = new Set(await cli.json('list the OSDs', ['osd', 'ls'], z.array(z.number())))
  const strangers = osds.filter((osd) => !known.has(osd))
  if (strangers.length > 0) return { ok: false, text: `Ceph does not know OSD ${strangers.join(', ')}` }
  const ask = () => cli.ask(doing, ['osd', 'ok-to-stop', ...osds.map(String), '--format', 'json'])
  let ran = await ask()
  await eventually(UNSURE_LIMIT, async () => {
    if (ran.code === EAGAIN) ran = await ask()
    return ran.code !== EAGAIN
  })
  return readOkToStop(doing, osds, ran)
}

const leaseKey = (host: NodeName) => `${LEASE_PREFIX}${host}`

async function readLease(cli: CephCli, host: NodeName): Promise<NooutLease | undefined> {
  const doing = `read the noout lease of ${host}`
  const ran = await cli.ask(doing, ['config-key', 'get', leaseKey(host)])
  if (ran.code === ENOENT) return undefined
  if (ran.code !== 0) throw cephError(doing, ran)
  return readLeaseText(doing, ran.stdout)
}

async function writeLease(cli: CephCli, lease: NooutLease): Promise<void> {
  const doing = `write the noout lease of ${lease.host}`
  const args = ['config-key', 'set', leaseKey(lease.host), '--in-file', '-']
  const ran = await cli.ask(doing, args, canonicalJson(lease))
  const written = await readLease(cli, lease.host)
  if (canonicalJson(written) === canonicalJson(lease)) return
  if (ran.code !== 0) throw cephError(doing, ran)
  throw new DriverError('ceph', doing, { retry: 'later', text: 'read back, it is another' })
}

async function deleteLease(cli: CephCli, host: NodeName): Promise<void> {
  const doing = `delete the noout lease of ${host}`
  const ran = await cli.ask(doing, ['config-key', 'rm', leaseKey(host)])
  if ((await readLease(cli, host)) === undefined) return
  if (ran.code !== 0) throw cephError(doing, ran)
  throw new DriverError('ceph', doing, { retry: 'later', text: 'it is still there' })
}

/** Hands the mgr's work to a standby elsewhere. Nothing to do where the active mgr does not live on `host`. */
async function failMgr(cli: CephCli, clock: Clock, host: NodeName): Promise<void> {
  const doing = `hand the active mgr over from ${host}`
  if ((await observe(cli, clock)).activeMgrHost !== host) return
  const before = await cli.json(doing, ['mgr', 'stat'], mgrStatAnswer)
  if (before.num_standby === 0) throw new DriverError('ceph', doing, { retry: 'never', text: 'no mgr stands by' })
  const ran = await cli.ask(doing, ['mgr', 'fail', before.active_name])
  const handedOver = await eventually(READ_BACK_LIMIT, async () => {
    const now = await cli.json(doing, ['mgr', 'stat'], mgrStatAnswer)
    return now.available && now.active_name !== before.active_name
  })
  if (handedOver) return
  if (ran.code !== 0) throw cephError(doing, ran)
  throw new DriverError('ceph', doing, { retry: 'later', text: `${before.active_name} is still active` })
}

async function stopOsds(
  config: CephConfig,
  osdDump: () => Promise<z.infer<typeof osdDumpAnswer>>,
  { host, osds }: { readonly host: NodeName; readonly osds: readonly number[] },
): Promise<'stopped' | 'not-allowed'> {
  const stop = stopper(config, host)
  if (stop === undefined) return 'not-allowed'
  const stillUp = async () => (await osdDump()).osds.filter(({ osd, up }) => osds.includes(osd) && up === 1)
  for (const { osd } of await stillUp()) {
    const doing = `stop osd.${osd} on ${host}`
    const ran = await stop(doing, osd)
    if (NO_RIGHT.test(ran.stderr)) return 'not-allowed'
    if (ran.code !== 0) throw cephError(doing, ran)
  }
  if (await eventually(OSD_DOWN_LIMIT, async () => (await stillUp()).length === 0)) return 'stopped'
  throw new DriverError('ceph', `stop the OSDs of ${host}`, { retry: 'later', text: 'Ceph still sees some of them up' })
}

/** `systemctl stop` returns when the OSD has ended; systemd itself loses patience after 90 s. */
const STOP_DEADLINE_MS = 95_000
/** The forced command's word: authorized_keys does not give our key this right. */
const NO_RIGHT = /has no right 'stop-osd'/

/** Undefined: nobody gave us a way to that host. */
function stopper({ stopOsds: way, env = {} }: CephConfig, host: NodeName) {
  if (way === undefined) return undefined
  const asked = { driver: 'ceph', deadlineMs: STOP_DEADLINE_MS }
  if (!('ssh' in way)) {
    const filled = (osd: number) => way.map((word) => word.replaceAll('{host}', host).replaceAll('{osd}', String(osd)))
    return (doing: string, osd: number) => run({ ...asked, doing, command: filled(osd), env })
  }
  const target = targetsOf(way.ssh).find(({ node }) => node === host)
  if (target === undefined) return undefined
  return (doing: string, osd: number) => runOnNode({ ...asked, doing, words: ['stop-osd', String(osd)] }, target)
}

/** Looks until it holds, at most `looksLimit` times. These are real seconds of a real cluster, so no virtual clock counts them. */
async function eventually(looksLimit: number, holds: () => Promise<boolean>): Promise<boolean> {
  for (let look = 1; look <= looksLimit; look++) {
    if (await holds()) return true
    if (look < looksLimit) await sleep(READ_BACK_APART_MS)
  }
  return false
}
