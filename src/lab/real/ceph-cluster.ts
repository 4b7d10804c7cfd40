/** A real mini Ceph on loopback addresses: monitors, managers and OSDs of Debian's packages, in about 12 s. */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { NodeName } from '#domain/ids'
import { run } from '#drivers/exec/run'
import {
  type CephxUser,
  cephConf,
  cephxKey,
  entities,
  GUESTS_USER,
  keyringText,
  type MiniCeph,
  OSD_BYTES,
  VERIFY_USER,
} from './ceph-conf.ts'
import { type CephNet, type CephNetKind, makeCephNet } from './ceph-net.ts'
import { type Daemons, daemonsIn, failed } from './processes.ts'

export type RealCephOptions = {
  /** The state folder; must not be there yet, or be one of ours. */
  readonly dir: string
  readonly hosts: readonly NodeName[]
  readonly client: CephxUser
  /** Default: two a host, numbered from 0. */
  readonly osds?: readonly { readonly id: number; readonly host: NodeName }[]
  readonly pools?: readonly string[]
  /** Default: loopback. In namespaces (root) cables can be pulled, and clients run behind `command`. */
  readonly network?: CephNetKind
  readonly log?: (line: string) => void
}

export type RealCeph = {
  readonly fsid: string
  /** `ceph`, from where the cluster is reached. */
  readonly command: readonly string[]
  readonly conf: string
  readonly adminKeyring: string
  /** Of the client that was asked for. */
  readonly clientKeyring: string
  readonly clientName: string
  readonly verifyKeyring: string
  readonly verifyName: string
  /** For the disks of real guests; its key is in the cluster's own keyring. */
  readonly guestsName: string
  readonly pools: readonly string[]
  readonly osds: readonly { readonly id: number; readonly host: NodeName }[]
  /** For the driver's `stopOsds`: stops one OSD in order, as `systemctl stop ceph-osd@N` on its node would. */
  readonly stopOsdCommand: readonly string[]
  /** From nothing to HEALTH_OK. */
  readonly startedInMs: number
  startOsds(host: NodeName): Promise<void>
  /** In order (SIGTERM). */
  stopOsds(host: NodeName): Promise<void>
  /** Monitor and manager too: the whole node comes up, is shut down, or loses its power. */
  startHost(host: NodeName): Promise<void>
  stopHost(host: NodeName, how: 'in-order' | 'power-cut'): Promise<void>
  /** Of the whole host: its daemons go on, and nobody hears them. */
  pullCable(host: NodeName): Promise<void>
  plugIn(host: NodeName): Promise<void>
  /** Its monitor alone, at once; a lone monitor comes back by startHost. */
  killMonitor(host: NodeName): Promise<void>
  /** Every OSD up and in, and every PG active+clean. */
  isWhole(): Promise<boolean>
  isUp(host: NodeName): Promise<boolean>
  stop(): Promise<void>
}

const MONS_LIMIT = 3
const MGRS_LIMIT = 2
const CALL_LIMIT_MS = 30_000
const WHOLE_LOOKS_LIMIT = 600
const WHOLE_LOOKS_APART_MS = 100
const PGS_A_POOL = '32'
const STORES = '/dev/shm'

type Cluster = {
  readonly mini: MiniCeph
  readonly net: CephNet
  readonly daemons: Daemons
  readonly env: Readonly<Record<string, string>>
  readonly admin: (doing: string, args: readonly string[]) => Promise<string>
}

export async function startRealCeph(options: RealCephOptions): Promise<RealCeph> {
  const startedAt = performance.now()
  const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(1)
  const log = (what: string) => options.log?.(`${seconds()} s: ${what}`)
  const cluster = await prepare(options)
  const { mini, net, daemons, env, admin } = cluster
  const store = storeOf(mini.dir)
  try {
    await makeFileSystems(cluster, store)
    log(`${mini.monHosts.length} monitors and ${mini.osds.length} OSDs have their stores`)
    for (const host of mini.mgrHosts) await startMgr(cluster, host)
    await startAllOsds(cluster)
    log('OSDs started')
    await waitFor('see all OSDs up', async () => (await upCount(admin)) === mini.osds.length)
    const pools = options.pools ?? ['vm']
    for (const pool of pools) {
      await admin(`make pool ${pool}`, ['osd', 'pool', 'create', pool, PGS_A_POOL, PGS_A_POOL])
      await admin(`name the use of pool ${pool}`, ['osd', 'pool', 'application', 'enable', pool, 'rbd'])
    }
    await waitFor('see the cluster whole', () => isWhole(admin, mini.osds.length))
    log('HEALTH_OK')
    return handle(cluster, pools, performance.now() - startedAt)
  } catch (error) {
    await daemons.endAll()
    await net.end()
    await rm(store, { recursive: true, force: true })
    throw failed(`start a real Ceph (logs in ${join(mini.dir, 'log')}, ${Object.keys(env).length} settings)`, error)
  }
}

/** Where the OSDs of a state folder keep their data. */
export const storeOf = (dir: string) =>
  join(STORES, `coulisse-${createHash('sha256').update(dir).digest('hex').slice(0, 12)}`)

async function prepare({ dir, hosts, osds, client, network = 'loopback' }: RealCephOptions): Promise<Cluster> {
  const daemons = daemonsIn(dir)
  // What an earlier run left behind is ended first: by its pid files, and only if it is ours.
  await daemons.endAll()
  await rm(dir, { recursive: true, force: true })
  await rm(storeOf(dir), { recursive: true, force: true })
  for (const folder of ['run', 'log', 'mon', 'mgr', 'osd', 'crash']) await mkdir(join(dir, folder), { recursive: true })
  const net = await makeCephNet(network, dir, hosts)
  const mini: MiniCeph = {
    dir,
    fsid: randomUUID(),
    addresses: net.addresses,
    monHosts: hosts.slice(0, MONS_LIMIT),
    mgrHosts: hosts.slice(0, MGRS_LIMIT),
    osds: osds ?? hosts.flatMap((host, index) => [2 * index, 2 * index + 1].map((id) => ({ id, host }))),
    client,
  }
  const env = { CEPH_CONF: join(dir, 'ceph.conf') }
  await writeFile(env.CEPH_CONF, cephConf(mini))
  const all = entities(mini, () => cephxKey(Date.now(), randomBytes(16)))
  await writeFile(join(dir, 'keyring'), keyringText(all), { mode: 0o600 })
  for (const user of ['client.admin', client.name, VERIFY_USER]) {
    const own = all.filter(({ name }) => name === user)
    await writeFile(join(dir, `${user}.keyring`), keyringText(own), { mode: 0o600 })
  }
  const admin = (doing: string, args: readonly string[]) =>
    call(env, doing, [...net.inHost(undefined), 'ceph', ...args])
  return { mini, net, daemons, env, admin }
}

async function call(env: Readonly<Record<string, string>>, doing: string, command: readonly string[]): Promise<string> {
  const ran = await run({ driver: 'real lab', doing, command, env, deadlineMs: CALL_LIMIT_MS })
  if (ran.code !== 0) throw failed(doing, new Error(ran.stderr.trim().split('\n').at(-1)))
  return ran.stdout
}

/** OSDs need no monitor to make their stores: they do it while the monitors elect. */
async function makeFileSystems(cluster: Cluster, store: string): Promise<void> {
  const { mini, env, admin } = cluster
  const { dir } = mini
  const monmap = join(dir, 'monmap')
  const monAddresses = mini.monHosts.flatMap((host) => {
    const address = mini.addresses.get(host) ?? ''
    return ['--addv', host, `[v2:${address}:3300,v1:${address}:6789]`]
  })
  await call(env, 'make the monitors’ map', ['monmaptool', '--create', '--fsid', mini.fsid, ...monAddresses, monmap])
  await Promise.all(
    mini.monHosts.map(async (host) => {
      await mkdir(join(dir, 'mon', host))
      const keyring = join(dir, 'keyring')
      await call(env, `make monitor ${host}`, [
        'ceph-mon',
        '-i',
        host,
        '--mkfs',
        '--monmap',
        monmap,
        '--keyring',
        keyring,
      ])
    }),
  )
  for (const host of mini.monHosts) await startMon(cluster, host)
  await mkdir(store)
  const uuids = mini.osds.map(({ id }) => ({ id, uuid: randomUUID() }))
  await Promise.all(uuids.map(({ id, uuid }) => makeOsd(cluster, { id, uuid, store })))
  // Else the mgr makes a pool of its own some time after the start, and for seconds nobody knows the state of its PG.
  await admin('leave out the mgr’s own pool', [
    'config',
    'set',
    'mgr',
    'mgr/devicehealth/enable_monitoring',
    'false',
    '--force',
  ])
  await Promise.all(uuids.map(({ id, uuid }) => admin(`register osd.${id}`, ['osd', 'new', uuid, String(id)])))
}

async function makeOsd(
  { mini, env }: Cluster,
  osd: { readonly id: number; readonly uuid: string; readonly store: string },
) {
  const data = join(mini.dir, 'osd', String(osd.id))
  const file = join(osd.store, `osd.${osd.id}`)
  await mkdir(data)
  await writeFile(file, '')
  await truncate(file, OSD_BYTES)
  await symlink(file, join(data, 'block'))
  const make = ['ceph-osd', '--no-mon-config', '-i', String(osd.id), '--mkfs', '--osd-uuid', osd.uuid]
  await call(env, `make osd.${osd.id}`, make)
}

const startMon = ({ daemons, env, net }: Cluster, host: string) =>
  daemons.start(`mon.${host}`, [...net.inHost(host), 'ceph-mon', '-f', '-i', host], env)
const startOsd = ({ daemons, env, net, mini }: Cluster, id: number) =>
  daemons.start(`osd.${id}`, [...net.inHost(hostOf(mini, id)), 'ceph-osd', '-f', '-i', String(id)], env)
const hostOf = ({ osds }: MiniCeph, id: number) => osds.find((osd) => osd.id === id)?.host

async function startMgr({ daemons, env, mini, net }: Cluster, host: string): Promise<void> {
  await mkdir(join(mini.dir, 'mgr', host), { recursive: true })
  await daemons.start(`mgr.${host}`, [...net.inHost(host), 'ceph-mgr', '-f', '-i', host], env)
}

async function startAllOsds(cluster: Cluster): Promise<void> {
  for (const { id } of cluster.mini.osds) await startOsd(cluster, id)
}

async function waitFor(doing: string, holds: () => Promise<boolean>): Promise<void> {
  for (let look = 1; look <= WHOLE_LOOKS_LIMIT; look++) {
    if (await holds()) return
    await sleep(WHOLE_LOOKS_APART_MS)
  }
  throw failed(doing, new Error('it took too long'))
}

type Status = {
  readonly health: { readonly status: string }
  readonly osdmap: { readonly num_up_osds: number; readonly num_in_osds: number }
  readonly pgmap: {
    readonly num_pgs: number
    readonly pgs_by_state?: readonly { readonly state_name: string; readonly count: number }[]
  }
}

const readStatus = async (admin: Cluster['admin']) =>
  JSON.parse(await admin('read the status', ['status', '--format', 'json'])) as Status

const upCount = async (admin: Cluster['admin']) => (await readStatus(admin)).osdmap.num_up_osds

async function isWhole(admin: Cluster['admin'], osdCount: number): Promise<boolean> {
  const { osdmap, pgmap } = await readStatus(admin)
  // A PG that is being scrubbed is whole all the same: active+clean+scrubbing.
  const isClean = (state: string) => /(^|\+)active\+clean(\+|$)/.test(state) && !state.includes('inconsistent')
  const clean = (pgmap.pgs_by_state ?? []).reduce((sum, one) => sum + (isClean(one.state_name) ? one.count : 0), 0)
  const allUp = osdmap.num_up_osds === osdCount && osdmap.num_in_osds === osdCount
  return allUp && pgmap.num_pgs > 0 && clean === pgmap.num_pgs
}

function handle(cluster: Cluster, pools: readonly string[], startedInMs: number): RealCeph {
  const { mini, net, daemons, env, admin } = cluster
  const osdsOf = (host: NodeName) => mini.osds.filter((osd) => osd.host === host)
  const startOsds = async (host: NodeName) => {
    for (const { id } of osdsOf(host)) await startOsd(cluster, id)
  }
  const endOsds = async (host: NodeName, by: 'SIGTERM' | 'SIGKILL') => {
    await Promise.all(osdsOf(host).map(({ id }) => daemons.end(`osd.${id}`, by)))
  }
  const keyring = (user: string) => join(mini.dir, `${user}.keyring`)
  return {
    fsid: mini.fsid,
    command: [...net.inHost(undefined), 'ceph'],
    conf: env.CEPH_CONF ?? '',
    adminKeyring: keyring('client.admin'),
    clientKeyring: keyring(mini.client.name),
    clientName: mini.client.name,
    verifyKeyring: keyring(VERIFY_USER),
    verifyName: VERIFY_USER,
    guestsName: GUESTS_USER,
    pools,
    osds: mini.osds as RealCeph['osds'],
    stopOsdCommand: [process.execPath, fileURLToPath(new URL('stop-osd.ts', import.meta.url)), mini.dir, '{osd}'],
    startedInMs,
    startOsds,
    stopOsds: (host) => endOsds(host, 'SIGTERM'),
    startHost: async (host) => {
      if (mini.monHosts.includes(host)) await startMon(cluster, host)
      if (mini.mgrHosts.includes(host)) await startMgr(cluster, host)
      await startOsds(host)
    },
    stopHost: async (host, how) => {
      const by = how === 'in-order' ? 'SIGTERM' : 'SIGKILL'
      await endOsds(host, by)
      await Promise.all([daemons.end(`mgr.${host}`, by), daemons.end(`mon.${host}`, by)])
    },
    pullCable: (host) => net.cable(host, false),
    plugIn: (host) => net.cable(host, true),
    killMonitor: (host) => daemons.end(`mon.${host}`, 'SIGKILL'),
    isWhole: () => isWhole(admin, mini.osds.length),
    isUp: async (host) => (await Promise.all(osdsOf(host).map(({ id }) => daemons.isUp(`osd.${id}`)))).every(Boolean),
    stop: async () => {
      await daemons.endAll()
      await net.end()
      await rm(storeOf(mini.dir), { recursive: true, force: true })
      await rm(mini.dir, { recursive: true, force: true })
    },
  }
}
