/** What the doctor says of Ceph: reached, with the rights that we need and no more, and in a state in which a host may go. Changes nothing. */
import { z } from 'zod'
import type { CephObservation, NooutLease } from '#domain/ceph'
import type { Check } from '#domain/check'
import { DriverError } from '#domain/driver-error'
import { nodeName } from '#domain/ids'
import { statusAnswer } from './answers.ts'
import { type CephCli, cephCli } from './ceph-cli.ts'
import { type CephConfig, cephStorage } from './ceph-storage.ts'
import { CEPHX_USER, cephxChangeCommand, cephxCommand, LEASE_PREFIX } from './cephx-caps.ts'

const ADMIN = 'client.admin'
/** Of no host, daemon or user: what is asked about it is refused by its name, after the rights were found good. */
const NOBODY = 'coulisse-doctor-asks'
const EACCES = 13
const OLDEST_TRIED = 16
/** Sooner than this after a host is gone, its data is copied: a reboot may be enough to begin it. */
const DOWN_OUT_SHORT_S = 300

const check = (subject: string, outcome: Check['outcome'], text: string, more: Partial<Check> = {}): Check => ({
  area: 'ceph',
  subject,
  outcome,
  text,
  ...more,
})

/** @param nodes Proxmox's: noout is set by a node's name, so CRUSH must call its host the same. Never throws for what it finds. */
export async function examineCeph(config: CephConfig, nodes: readonly string[] = []): Promise<readonly Check[]> {
  try {
    const cli = cephCli(config)
    const storage = cephStorage(config)
    const ceph = await storage.observe()
    if (ceph === 'none') return [check('cluster', 'fine', 'there is no Ceph')]
    const leases = await Promise.all(Object.keys(ceph.hostFlags).map((host) => storage.readLease(nodeName(host))))
    const held = leases.filter((lease) => lease !== undefined)
    return [
      reached(ceph),
      await versions(cli),
      ...(await rights(cli, config, ceph)),
      ...hostNames(ceph, nodes),
      ...(await health(cli)),
      ...flags(ceph, held),
      await downOut(cli),
      ...stopping(config),
    ]
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    const mend = 'check that this machine reaches a monitor, and that conf, keyring and name are those of our user'
    return [check('cluster', 'missing', error.message, { stages: ['plan', 'isolate', 'verify'], mend })]
  }
}

function reached(ceph: CephObservation): Check {
  const inQuorum = ceph.monitors.filter((monitor) => monitor.inQuorum).length
  const up = ceph.osds.filter((osd) => osd.up).length
  const text = `${inQuorum} of ${ceph.monitors.length} monitors in quorum, ${up} of ${ceph.osds.length} OSDs up, ${ceph.placementGroups.clean} of ${ceph.placementGroups.total} PGs clean`
  const isWhole = inQuorum === ceph.monitors.length && up === ceph.osds.length
  return check(
    `cluster ${ceph.fsid}`,
    isWhole ? 'fine' : 'dangerous',
    text,
    isWhole ? {} : { mend: 'ceph health detail' },
  )
}

const versionsAnswer = z.object({ overall: z.record(z.string(), z.number()) })

async function versions(cli: CephCli): Promise<Check> {
  const { overall } = await cli.json('read the versions', ['versions'], versionsAnswer)
  const all = [...new Set(Object.keys(overall).map((text) => /ceph version (\d+)\.(\d+\.\d+)/.exec(text)))]
  const numbers = [...new Set(all.flatMap((match) => (match === null ? [] : [`${match[1]}.${match[2]}`])))]
  const majors = all.flatMap((match) => (match === null ? [] : [Number(match[1])]))
  if (numbers.length > 1) {
    return check('versions', 'dangerous', `Ceph ${numbers.join(' and ')} at once: an upgrade is under way`, {
      mend: 'end the upgrade: ceph versions',
    })
  }
  const isOld = majors.length === 0 || majors.some((major) => major < OLDEST_TRIED)
  const text = `Ceph ${numbers[0] ?? 'of an unknown version'}`
  return check('versions', isOld ? 'dangerous' : 'fine', isOld ? `${text}: nothing before 16 was ever tried` : text)
}

type Probe = { readonly right: string; readonly args: readonly string[]; readonly input?: string }

/** Each is refused or has no effect, whatever our rights are; EACCES says that the right is missing. */
function probesOf(osd: number | undefined, keyBytesLimit: number): readonly Probe[] {
  const key = `${LEASE_PREFIX}${NOBODY}`
  return [
    { right: 'osd set-group', args: ['osd', 'set-group', 'noout', NOBODY] },
    { right: 'osd unset-group', args: ['osd', 'unset-group', 'noout', NOBODY] },
    { right: 'config-key get', args: ['config-key', 'get', key] },
    { right: 'config-key rm', args: ['config-key', 'rm', key] },
    // One byte more than any key may hold: EFBIG.
    {
      right: 'config-key set',
      args: ['config-key', 'set', key, '--in-file', '-'],
      input: ' '.repeat(keyBytesLimit + 1),
    },
    { right: 'mgr fail', args: ['mgr', 'fail', NOBODY] },
    ...(osd === undefined ? [] : [{ right: 'osd ok-to-stop', args: ['osd', 'ok-to-stop', String(osd)] }]),
  ]
}

/** What our user must not be able to do. */
const FORBIDDEN: readonly Probe[] = [
  { right: 'read keys of others', args: ['auth', 'get-key', `client.${NOBODY}`] },
  { right: 'set other flags', args: ['osd', 'set-group', 'nodown', NOBODY] },
  { right: 'read other people’s config keys', args: ['config-key', 'get', `${NOBODY}/key`] },
]

async function rights(cli: CephCli, config: CephConfig, ceph: CephObservation): Promise<readonly Check[]> {
  const user = config.ssh === undefined ? (config.name ?? ADMIN) : CEPHX_USER
  const isAllowed = async ({ right, args, input }: Probe) =>
    (await cli.ask(`try whether we may ${right}`, args, input)).code !== EACCES
  const limit = await settingOf(cli, 'mon_config_key_max_entry_size')
  const needed = probesOf(ceph.osds[0]?.id, limit === 'unknown' ? 65_536 : limit)
  const [piped, together] = [({ input }: Probe) => input !== undefined, ({ input }: Probe) => input === undefined]
  const lacking: string[] = []
  const isRefusedOne = (await refusals(cli, needed.filter(together))) !== 0
  for (const probe of isRefusedOne ? needed : needed.filter(piped)) {
    if (!(await isAllowed(probe))) lacking.push(probe.right)
  }
  const tooWide: string[] = []
  if ((await refusals(cli, FORBIDDEN)) !== FORBIDDEN.length) {
    for (const probe of FORBIDDEN) if (await isAllowed(probe)) tooWide.push(probe.right)
  }
  const mend = { mend: user === ADMIN ? cephxCommand : cephxChangeCommand(user) }
  if (lacking.length > 0) {
    const stages = { stages: ['plan', 'isolate', 'reintegrate'] } as const
    return [check(user, 'missing', `it has no right to ${lacking.join(', ')}`, { ...stages, ...mend })]
  }
  if (tooWide.length === 0) return [check(user, 'fine', 'it has the rights that we need, and not those of others')]
  return [check(user, 'dangerous', `it may do more than we need: ${tooWide.join(', ')}`, mend)]
}

/** Of all of them in one process: the start of each costs seconds on a busy machine. Undefined: it does not say, ask one by one. */
async function refusals(cli: CephCli, probes: readonly Probe[]): Promise<number | undefined> {
  const questions = probes.map(({ args }) => `${args.join(' ')}\n`).join('')
  const ran = await cli.ask('try what we may do', ['--format', 'json'], questions)
  return ran.code === 0 ? ran.stderr.split('\n').filter((line) => line.includes('EACCES')).length : undefined
}

function hostNames(ceph: CephObservation, nodes: readonly string[]): readonly Check[] {
  if (nodes.length === 0) return []
  const strangers = [...new Set(ceph.osds.map(({ host }) => host))].filter((host) => !nodes.includes(host))
  if (strangers.length === 0) return []
  const text = `CRUSH hosts ${strangers.join(', ')} bear the name of no node: their noout could not be set by a node’s name`
  return [check('CRUSH hosts', 'dangerous', text, { mend: 'ceph osd crush rename-bucket HOST NODE' })]
}

const NEAR_FULL = /^(OSD|POOL)_(NEARFULL|BACKFILLFULL|FULL)$/

/** What would hold a maintenance, or endanger it; the rest of Ceph's health is Ceph's own to tell. */
async function health(cli: CephCli): Promise<readonly Check[]> {
  const { health } = await cli.json('read the status', ['status'], statusAnswer)
  const found = Object.entries(health.checks).flatMap(([name, { summary }]): readonly Check[] => {
    const say = (what: string, mend: string) => [check(name, 'dangerous', `${what}: ${summary.message}`, { mend })]
    if (name === 'MON_CLOCK_SKEW') return say('clocks of the monitors differ', 'chronyc tracking, on each of them')
    if (name.startsWith('OSD_SLOW_PING_TIME')) return say('heartbeats between OSDs are slow', 'ceph health detail')
    if (NEAR_FULL.test(name)) return say('no room to lose a host', 'free space, or add OSDs: ceph osd df tree')
    if (name === 'SLOW_OPS') return say('operations hang', 'ceph health detail')
    if (name === 'PG_DAMAGED' || name === 'OSD_SCRUB_ERRORS') return say('copies differ', 'ceph pg repair')
    return []
  })
  return found.length > 0 ? found : [check('health', 'fine', 'clocks agree, heartbeats are quick, and there is room')]
}

function flags(ceph: CephObservation, leases: readonly NooutLease[]): readonly Check[] {
  const ofCluster = ceph.flags.map((flag) =>
    check(`flag ${flag}`, 'dangerous', `somebody set ${flag} for the whole cluster`, {
      mend: `whoever set it: ceph osd unset ${flag}`,
    }),
  )
  const ofHosts = Object.entries(ceph.hostFlags).flatMap(([host, set]) => {
    if (set.length === 0) return []
    const lease = leases.find((one) => one.host === host)
    if (lease !== undefined) {
      return [check(`flags of ${host}`, 'fine', `${set.join(', ')}: held by ${lease.owner}, ${lease.reason}`)]
    }
    const mend = `whoever set it: ${set.map((flag) => `ceph osd unset-group ${flag} ${host}`).join('; ')}`
    return [check(`flags of ${host}`, 'dangerous', `somebody set ${set.join(', ')}, and no lease says why`, { mend })]
  })
  return [...ofCluster, ...ofHosts]
}

async function downOut(cli: CephCli): Promise<Check> {
  const name = 'mon_osd_down_out_interval'
  const seconds = await settingOf(cli, name)
  if (seconds === 'unknown')
    return check(name, 'dangerous', 'Ceph does not say after how long it copies a lost host’s data')
  if (seconds === 0) return check(name, 'fine', 'OSDs that are down are never marked out by themselves')
  const text = `the data of a host that is down is copied elsewhere after ${seconds} s, unless noout stands`
  if (seconds >= DOWN_OUT_SHORT_S) return check(name, 'fine', text)
  return check(name, 'dangerous', text, { mend: `ceph config set mon ${name} 600` })
}

/** By the cluster's own configuration database; a ceph.conf of one daemon is not seen there. */
async function settingOf(cli: CephCli, name: string): Promise<number | 'unknown'> {
  const ran = await cli.ask(`read ${name}`, ['config', 'get', 'mon', name])
  const value = ran.stdout.trim()
  return ran.code === 0 && /^\d+$/.test(value) ? Number(value) : 'unknown'
}

function stopping({ stopOsds }: CephConfig): readonly Check[] {
  if (stopOsds !== undefined) return []
  const text = 'no way to stop OSDs in order: the node’s own shutdown stops them, and clients wait some seconds longer'
  const mend = 'give our ssh key the right stop-osd, and set ceph.stopOsds'
  return [check('stopOsds', 'missing', text, { stages: ['isolate'], mend })]
}
