/** Real guests: QEMU under TCG, one process a guest and node, disks on the real RBD, moved by immediate post-copy, probed from outside. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeName, Vmid } from '#domain/ids'
import type { Known } from '#domain/measured'
import { run } from '#drivers/exec/run'
import type { RealCeph } from '../ceph-cluster.ts'
import { type Daemons, daemonsIn, failed } from '../processes.ts'
import { type DiskNumbers, imageOf, makeDisk, readDisk } from './disk.ts'
import { makeInitramfs } from './initramfs.ts'
import { guestKernel } from './kernel.ts'
import { endGuestNet, type GuestNet, guestAddress, startGuestNet } from './net.ts'
import { movePostCopy, type PostCopy } from './post-copy.ts'
import { type Prober, startProber } from './prober.ts'
import { PYTHON, qemuCommand } from './qemu.ts'
import { openQmp, type Qmp } from './qmp.ts'

export type RealGuestsOptions = {
  /** The state folder of the guests; logs of every QEMU in `log/`. */
  readonly dir: string
  readonly cacheDir: string
  readonly ceph: RealCeph
  readonly nodes: readonly NodeName[]
  readonly guests: readonly { readonly vmid: Vmid; readonly node: NodeName }[]
  readonly log?: (line: string) => void
}

/** What a guest says of itself, asked from outside over HTTP. */
export type GuestWord = {
  readonly bootId: string
  readonly uptimeS: number
  /** Numbers that its writer has on the disk, one after the other, and how often that failed. */
  readonly written: number
  readonly failed: number
}

export type RealMove = {
  readonly guest: Vmid
  readonly from: NodeName
  readonly to: NodeName
  readonly beganAtMs: number
  readonly endedAtMs: number
  /** 'unknown': it did not answer. */
  readonly bootIdBefore: Known<string>
  readonly bootIdAfter: Known<string>
  /** By QEMU, in whole milliseconds. */
  readonly hypervisorPauseMs: Known<number>
  readonly hypervisorResolutionMs: number
  /** The longest time without an answer, by the prober. */
  readonly probeGapMs: number | 'unmeasured'
  readonly probeIntervalMs: number
  /** The gap is known to within this: the interval, or how late the prober itself was. */
  readonly probeResolutionMs: number | 'unmeasured'
  readonly probesLost: number | 'unmeasured'
  readonly transferredBytes: Known<number>
}

export type RealGuests = {
  readonly guests: readonly Vmid[]
  readonly net: GuestNet
  readonly prober: Prober
  addressOf(guest: Vmid): string
  /** Boots it anew on this node, from its disk. */
  boot(guest: Vmid, node: NodeName): Promise<void>
  /** Its process on this node is gone, as if the power were. */
  cut(guest: Vmid, node: NodeName): Promise<void>
  /** Guests with a living process there, whatever it does. */
  processesOn(node: NodeName): Promise<readonly Vmid[]>
  /** `outcome` as soon as QEMU knows it; `told` when the prober and the guest have been heard too. */
  move(move: MoveOptions): Promise<{ readonly outcome: PostCopy; readonly told: Promise<RealMove> }>
  /** @throws DriverError when it does not answer. */
  ask(guest: Vmid): Promise<GuestWord>
  readDisk(guest: Vmid): Promise<DiskNumbers>
  stop(): Promise<void>
}

export type MoveOptions = {
  readonly guest: Vmid
  readonly from: NodeName
  readonly to: NodeName
  readonly mayCommit?: () => boolean | Promise<boolean>
}

/** Four at once take 13 s alone on two cores. */
const BOOT_LIMIT_MS = 180_000
const BOOT_LOOKS_APART_MS = 250
const ASK_LIMIT_S = 4
/** Before a move it waits for this, after it nothing does. */
const ASK_BEFORE_LOOKS_LIMIT = 3
const ASK_AFTER_LOOKS_LIMIT = 15
const GET_URL =
  'import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=float(sys.argv[2])).read().decode())'
/** The prober's window around a move: what a switch that learns late costs is part of it. */
const BEFORE_MS = 500
const AFTER_MS = 1_500
const PROBED_LOOKS_LIMIT = 100
const PROBED_LOOKS_APART_MS = 100
const STDERR_LINES = 5
/** QEMU tells its pause in whole milliseconds. */
const QMP_RESOLUTION_MS = 1

/** Unix sockets have short names only, so they do not lie in the state folder. */
const socketsOf = (dir: string) => `/run/coulisse-${createHash('sha256').update(dir).digest('hex').slice(0, 12)}`
const daemonName = (guest: Vmid, node: NodeName) => `${guest}.${node}`

type Parts = {
  readonly options: RealGuestsOptions
  readonly daemons: Daemons
  readonly net: GuestNet
  readonly prober: Prober
  readonly kernel: string
  readonly initramfs: string
  readonly sockets: string
  readonly qmps: Map<string, Qmp>
  /** What is being done with processes: nothing new is begun once it stops. */
  readonly work: Set<Promise<unknown>>
  isStopping: boolean
}

export async function startRealGuests(options: RealGuestsOptions): Promise<RealGuests> {
  const { dir, guests, log = () => undefined } = options
  await endRealGuests(dir)
  await rm(dir, { recursive: true, force: true })
  const sockets = socketsOf(dir)
  await mkdir(join(dir, 'log'), { recursive: true })
  await mkdir(sockets, { recursive: true, mode: 0o700 })
  try {
    const kernel = await guestKernel(options.cacheDir, log)
    const net = await startGuestNet(
      dir,
      options.nodes,
      guests.map(({ vmid }) => vmid),
    )
    const initramfs = await makeInitramfs(dir, kernel)
    for (const { vmid } of guests) await makeDisk(options.ceph, vmid)
    const prober = await startProber({
      namespace: net.clientNamespace,
      addresses: guests.map((_, index) => guestAddress(index)),
      yardstick: net.yardstick,
      logFile: join(dir, 'log', 'prober.log'),
    })
    const parts: Parts = {
      options,
      daemons: daemonsIn(dir),
      net,
      prober,
      kernel: kernel.image,
      initramfs,
      sockets,
      qmps: new Map(),
      work: new Set(),
      isStopping: false,
    }
    await Promise.all(guests.map(({ vmid, node }) => boot(parts, vmid, node)))
    log(`${guests.length} guests have booted`)
    await Promise.all(guests.map(({ vmid }) => probedLongEnough(parts, vmid)))
    return handle(parts)
  } catch (error) {
    await endRealGuests(dir)
    throw error
  }
}

/** Ends what a killed lab left of them; their disks go with their Ceph. */
export async function endRealGuests(dir: string): Promise<void> {
  await daemonsIn(dir).endAll()
  await endGuestNet(dir)
  await rm(socketsOf(dir), { recursive: true, force: true })
}

function handle(parts: Parts): RealGuests {
  const { options, daemons, net, prober, qmps } = parts
  return {
    guests: options.guests.map(({ vmid }) => vmid),
    net,
    prober,
    addressOf: (guest) => addressOf(parts, guest),
    boot: (guest, node) => tracked(parts, boot(parts, guest, node)),
    cut: (guest, node) => end(parts, guest, node, 'SIGKILL'),
    processesOn: async (node) => {
      const alive: Vmid[] = []
      for (const { vmid } of options.guests) if (await daemons.isUp(daemonName(vmid, node))) alive.push(vmid)
      return alive
    },
    move: (move) => tracked(parts, moveGuest(parts, move)),
    ask: (guest) => askGuest(parts, guest),
    readDisk: (guest) => readDisk(options.ceph, guest, join(options.dir, `${imageOf(guest)}.raw`)),
    stop: async () => {
      parts.isStopping = true
      for (const qmp of qmps.values()) qmp.close()
      await daemons.endAll()
      // What was under way has lost its QEMU and comes to its end; what it may have started meanwhile is ended after it.
      await Promise.allSettled(parts.work)
      await prober.stop()
      await endRealGuests(options.dir)
    },
  }
}

function tracked<T>({ work }: Parts, doing: Promise<T>): Promise<T> {
  const one = doing.finally(() => work.delete(one))
  work.add(one)
  return one
}

function addressOf({ options }: Parts, guest: Vmid): string {
  return guestAddress(options.guests.findIndex(({ vmid }) => vmid === guest))
}

/** Starts its process there, to boot or to wait for its state, and takes hold of its control socket. */
async function start(parts: Parts, guest: Vmid, node: NodeName, incoming?: string): Promise<Qmp> {
  const { options, daemons, net, kernel, initramfs, sockets, qmps } = parts
  if (parts.isStopping) throw failed(`start guest ${guest} on ${node}`, new Error('the lab is being stopped'))
  const name = daemonName(guest, node)
  await end(parts, guest, node, 'SIGTERM')
  const { ceph } = options
  const qmpSocket = join(sockets, `${name}.qmp`)
  const disk = {
    pool: ceph.pools[0] ?? '',
    image: imageOf(guest),
    conf: ceph.conf,
    user: ceph.guestsName.replace('client.', ''),
  }
  const common = { vmid: guest, address: addressOf(parts, guest), namespace: net.namespaceOf(node) }
  const command = qemuCommand({ ...common, kernel, initramfs, disk, qmpSocket, ...(incoming && { incoming }) })
  await daemons.start(name, command)
  const qmp = await openQmp(name, qmpSocket, () => daemons.isUp(name)).catch(async (cause: unknown) => {
    throw failed(`start guest ${guest} on ${node}: ${await lastWords(parts, guest, node)}`, cause)
  })
  qmps.set(name, qmp)
  return qmp
}

/** In order QEMU gives its disk's lock back; after a power cut the next one waits until the lock's watch has run out. */
async function end({ daemons, sockets, qmps }: Parts, guest: Vmid, node: NodeName, by: 'SIGTERM' | 'SIGKILL') {
  const name = daemonName(guest, node)
  qmps.get(name)?.close()
  qmps.delete(name)
  await daemons.end(name, by)
  await rm(join(sockets, `${name}.qmp`), { force: true })
}

async function boot(parts: Parts, guest: Vmid, node: NodeName): Promise<void> {
  // An earlier boot on this node has left its words in the same file.
  const said = (await consoleOf(parts, guest, node)).length
  await start(parts, guest, node)
  for (let waitedMs = 0; waitedMs < BOOT_LIMIT_MS; waitedMs += BOOT_LOOKS_APART_MS) {
    if ((await consoleOf(parts, guest, node)).includes('GUEST-UP', said)) return
    if (!(await parts.daemons.isUp(daemonName(guest, node)))) break
    await sleep(BOOT_LOOKS_APART_MS)
  }
  throw failed(`boot guest ${guest} on ${node}`, new Error(await lastWords(parts, guest, node)))
}

const consoleOf = ({ options }: Parts, guest: Vmid, node: NodeName) =>
  readFile(join(options.dir, 'log', `${daemonName(guest, node)}.log`), 'utf8').catch(() => '')

/** QEMU's standard error and the guest's console, which share one file. */
async function lastWords(parts: Parts, guest: Vmid, node: NodeName): Promise<string> {
  return (await consoleOf(parts, guest, node)).trimEnd().split('\n').slice(-STDERR_LINES).join(' / ')
}

async function moveGuest(parts: Parts, asked: MoveOptions) {
  const { guest, from, to } = asked
  const bootIdBefore = await bootIdOf(parts, guest, ASK_BEFORE_LOOKS_LIMIT)
  const beganAtMs = Date.now()
  const outcome = await attempt(parts, asked)
  // The source is ended only when the target has been seen running; an attempt that came to nothing leaves no target behind.
  if (outcome.is === 'moved') await end(parts, guest, from, 'SIGTERM')
  else {
    const words = await lastWords(parts, guest, to)
    parts.options.log?.(`guest ${guest} did not move to ${to}: ${outcome.text}; its target's last words: ${words}`)
    await end(parts, guest, to, 'SIGTERM')
  }
  const told = tell(parts, { guest, from, to, beganAtMs, endedAtMs: Date.now(), bootIdBefore }, outcome)
  return { outcome, told }
}

async function attempt(parts: Parts, { guest, from, to, mayCommit = () => true }: MoveOptions): Promise<PostCopy> {
  const source = parts.qmps.get(daemonName(guest, from))
  if (source === undefined) return { is: 'lost', text: `it has no process on ${from}` }
  const uri = `unix:${join(parts.sockets, `${guest}.migrate`)}`
  try {
    const target = await start(parts, guest, to, uri)
    return await movePostCopy({ source, target, uri, mayCommit })
  } catch (error) {
    return { is: 'stayed', text: error instanceof Error ? error.message : String(error) }
  }
}

/** A move right after the boot wants a window that begins before it. */
async function probedLongEnough(parts: Parts, guest: Vmid): Promise<void> {
  for (let look = 1; look <= PROBED_LOOKS_LIMIT; look++) {
    const nowMs = Date.now()
    const seen = await parts.prober.read(addressOf(parts, guest), { fromMs: nowMs - BEFORE_MS, toMs: nowMs })
    if (seen !== 'unmeasured') return
    await sleep(PROBED_LOOKS_APART_MS)
  }
  throw failed(`probe guest ${guest}`, new Error('it answers HTTP, and the prober has seen no answer of it'))
}

type Move = Pick<RealMove, 'guest' | 'from' | 'to' | 'beganAtMs' | 'endedAtMs' | 'bootIdBefore'>

async function tell(parts: Parts, move: Move, outcome: PostCopy): Promise<RealMove> {
  const { prober } = parts
  const window = { fromMs: move.beganAtMs - BEFORE_MS, toMs: move.endedAtMs + AFTER_MS }
  const probe = await prober.read(addressOf(parts, move.guest), window)
  const seen = probe === 'unmeasured' ? undefined : probe
  return {
    ...move,
    bootIdAfter: await bootIdOf(parts, move.guest, ASK_AFTER_LOOKS_LIMIT),
    hypervisorPauseMs: outcome.is === 'moved' ? outcome.downtimeMs : 'unknown',
    hypervisorResolutionMs: QMP_RESOLUTION_MS,
    probeGapMs: seen === undefined ? 'unmeasured' : Math.round(seen.longestGapMs),
    probeIntervalMs: prober.intervalMs,
    probeResolutionMs: seen?.resolutionMs ?? 'unmeasured',
    probesLost: seen?.lostCount ?? 'unmeasured',
    transferredBytes: outcome.is === 'moved' ? outcome.transferredBytes : 'unknown',
  }
}

async function bootIdOf(parts: Parts, guest: Vmid, looksLimit: number): Promise<Known<string>> {
  for (let look = 1; look <= looksLimit && !parts.isStopping; look++) {
    const word = await askGuest(parts, guest).catch(() => undefined)
    if (word !== undefined) return word.bootId
  }
  return 'unknown'
}

async function askGuest(parts: Parts, guest: Vmid): Promise<GuestWord> {
  const doing = `ask guest ${guest} which boot it is`
  const url = `http://${addressOf(parts, guest)}/cgi-bin/boot`
  const within = ['ip', 'netns', 'exec', parts.net.clientNamespace]
  // Busybox's static wget breaks on some machines, and curl is not everywhere; Python is what tap-exec.py needs anyway.
  const command = [...within, PYTHON, '-c', GET_URL, url, String(ASK_LIMIT_S)]
  const ran = await run({ driver: 'real lab', doing, command, deadlineMs: 2 * 1000 * ASK_LIMIT_S })
  if (ran.code !== 0) throw failed(doing, new Error(ran.stderr.trim().split('\n').at(-1)))
  return JSON.parse(ran.stdout) as GuestWord
}
