/** The demo's launcher: PostgreSQL, lab and control plane as processes of their own, in one state folder that outlives them. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '#drivers/postgres/embedded'
import type { ReadyLine } from '../lab-server.ts'
import { type Child, forgetPid, livingPid, recordPid, startChild, stopChild } from './processes.ts'
import { endReal, prepareReal } from './real.ts'

export type DemoOptions = {
  readonly stateDir: string
  readonly seed: number
  readonly speed: number | 'max'
  readonly real: boolean
  readonly log: (text: string) => void
}

export type Demo = {
  readonly stateDir: string
  /** The lab's control URL: faults in, truth out. */
  readonly control: string
  /** The control plane's. */
  readonly url: string
  readonly pids: { readonly lab: number; readonly postgres: number; readonly controlPlane: number }
  /** How often this story was taken up again by a new start. */
  readonly resumed: number
  readonly ready: ReadyLine
  readonly isReal: boolean
  /** Settles when the lab or the control plane is gone without being asked. */
  readonly broken: Promise<string>
  stop(): Promise<void>
}

export const defaultStateDir = (real: boolean) =>
  join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'coulisse', real ? 'demo-real' : 'demo')

const MAIN = fileURLToPath(import.meta.resolve('../../surfaces/cli/main.ts'))
const SNAPSHOT = fileURLToPath(import.meta.resolve('./cluster.json'))
/** Another launcher on the same folder may be on its way out. */
const LOCK_LIMIT_MS = 20_000
const LOCK_LOOK_EVERY_MS = 100

/** Starts what does not run, goes on where the last start was. Throws when another launcher holds the folder. */
export async function launchDemo(options: DemoOptions): Promise<Demo> {
  const { stateDir, log } = options
  mkdirSync(stateDir, { recursive: true })
  await takeLock(stateDir)
  // A launcher that was killed leaves its children behind for a moment.
  for (const name of ['control-plane', 'lab'] as const) await stopChild(stateDir, name)
  // A real Ceph is gone with its lab: such a story does not go on, it begins anew.
  if (options.real || existsSync(join(stateDir, 'finished'))) await forget(stateDir)
  if (options.real) await prepareReal(stateDir, log)
  const resumed = countStart(stateDir)
  log(resumed === 0 ? 'starting PostgreSQL, the lab and the control plane' : 'going on where the last start was')
  const postgres = await startEmbeddedPostgres({ stateDir, log: () => {} })
  recordPid(stateDir, 'postgres', postgres.pid)
  const lab = await startLab(options)
  const ready = lab.ready as unknown as ReadyLine
  const configPath = writeConfig(stateDir, ready, postgres.url)
  const controlPlane = await startChild({
    name: 'control-plane',
    argv: [execPath, MAIN, 'serve', '--config', configPath],
    stateDir,
    env: { COULISSE_LAB_CONTROL: ready.control },
  })
  return {
    stateDir,
    control: ready.control,
    url: String(controlPlane.ready.url),
    pids: { lab: lab.pid, postgres: postgres.pid, controlPlane: controlPlane.pid },
    resumed,
    ready,
    isReal: options.real,
    broken: Promise.race([whenGone(lab), whenGone(controlPlane)]),
    stop: async () => {
      await stopChild(stateDir, 'control-plane')
      await stopChild(stateDir, 'lab')
      await postgres.stop()
      forgetPid(stateDir, 'postgres')
      forgetPid(stateDir, 'launcher')
    },
  }
}

const whenGone = async (child: Child) => {
  await child.gone
  return child.name
}

async function takeLock(stateDir: string): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += LOCK_LOOK_EVERY_MS) {
    const other = livingPid(stateDir, 'launcher')
    if (other === undefined || other === process.pid) break
    if (waitedMs >= LOCK_LIMIT_MS)
      throw new Error(`another demo runs on ${stateDir} (launcher ${other}); end it, or name another --state`)
    await sleep(LOCK_LOOK_EVERY_MS)
  }
  recordPid(stateDir, 'launcher', process.pid)
}

/** Starts of this story before this one. */
function countStart(stateDir: string): number {
  const path = join(stateDir, 'starts')
  const before = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0
  writeFileSync(path, `${before + 1}\n`)
  return before
}

function startLab({ stateDir, seed, speed, real }: DemoOptions): Promise<Child> {
  const world = join(stateDir, 'lab')
  return startChild({
    name: 'lab',
    argv: [
      execPath,
      MAIN,
      'lab',
      'serve',
      '--snapshot',
      SNAPSHOT,
      '--seed',
      String(seed),
      '--speed',
      String(speed),
      '--state',
      world,
      '--follow',
      ...(real ? ['--real'] : []),
    ],
    stateDir,
  })
}

/** What an operator would write by hand for his own cluster; secrets in files of their own that only he may read. */
function writeConfig(stateDir: string, ready: ReadyLine, databaseUrl: string): string {
  const secrets = join(stateDir, 'secrets')
  mkdirSync(secrets, { recursive: true, mode: 0o700 })
  const secret = (name: string, value: string) => {
    const path = join(secrets, name)
    writeFileSync(path, value)
    chmodSync(path, 0o600)
    return { file: path }
  }
  const tokenSecret = secret('proxmox-token', ready.proxmox[0]?.tokenSecret ?? '')
  const nodes: Record<string, unknown> = {}
  for (const { node, url, user, password, fingerprint256 } of ready.redfish) {
    const place = ready.nodes[node] as Record<string, unknown>
    nodes[node] = {
      ...place,
      bmc: { kind: 'redfish', url, user, password: secret(`bmc-${node}`, password), fingerprint256 },
    }
  }
  for (const { node, password, ...bmc } of ready.ipmi ?? []) {
    const place = ready.nodes[node] as Record<string, unknown>
    nodes[node] = { ...place, bmc: { kind: 'ipmi', ...bmc, password: secret(`bmc-${node}`, password) } }
  }
  const [host = '127.0.0.1', port = '25'] = ready.smtp.split(':')
  const config = {
    cluster: ready.cluster,
    hoster: 'Coulisse Lab Hosting',
    stateDir,
    listen: '127.0.0.1:0',
    database: { url: databaseUrl },
    proxmox: {
      entryPoints: ready.proxmox.map(({ node, url, tokenId, fingerprint256 }) => ({
        node,
        url,
        tokenId,
        tokenSecret,
        fingerprint256,
      })),
      haManager: ready.haManager.command,
    },
    ceph: ready.ceph,
    nodes,
    customers: ready.customers,
    smtp: { host, port: Number(port), from: 'care@hoster.example' },
    operatorMail: ready.operatorMail,
    technicianMail: ready.technicianMail,
    watch: { everyS: WATCH_EVERY_S },
    lab: { control: ready.control },
  }
  const path = join(stateDir, 'config.yaml')
  writeFileSync(path, stringify(JSON.parse(JSON.stringify(config))))
  return path
}

const WATCH_EVERY_S = 300

/** The next start begins a new story. */
export function markFinished(stateDir: string): void {
  writeFileSync(join(stateDir, 'finished'), '')
}

/** Ends what runs on the folder and removes all that the demo wrote there. */
export async function cleanDemo(stateDir: string): Promise<void> {
  for (const name of ['launcher', 'control-plane', 'lab'] as const) await stopChild(stateDir, name)
  await forget(stateDir)
}

const OURS = [
  'lab',
  'logs',
  'reports',
  'secrets',
  'postgres',
  'config.yaml',
  'finished',
  'starts',
  'summary.json',
  'journal.json',
]

async function forget(stateDir: string): Promise<void> {
  await endReal(stateDir)
  await removeEmbeddedPostgres(stateDir)
  forgetPid(stateDir, 'postgres')
  for (const name of OURS) rmSync(join(stateDir, name), { recursive: true, force: true })
}
