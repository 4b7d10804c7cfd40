/**
 * Precopy as QEMU and Proxmox do it: rounds over shared links until what is dirty fits the pause that is allowed, and that pause
 * doubles by itself while the rounds stop shrinking. Containers are stopped, moved and started.
 */
import type { NodeName } from '#domain/ids'
import { draw, drawBetween } from './draw.ts'
import { cancelEvents, schedule } from './events.ts'
import {
  endInterruption,
  guestOf,
  haltGuest,
  interrupt,
  isRunning,
  localDiskBytes,
  lockGuest,
  moveGuest,
  runGuest,
  unlockGuest,
} from './guests.ts'
import type { By, World, WorldGuest, WorldMigration, WorldTask } from './state.ts'
import { beginTask, endTask, logLine, renderBytes, renderDuration } from './tasks.ts'

/** What is left of a link for the stream: 8.8 of 10 Gbit/s (contracts). */
const STREAM_SHARE_OF_LINK = 0.88
/** What one stream alone carries, however fast its links: 1.1 GiB/s (field notes, 25 GbE). */
const STREAM_BITS_PER_SECOND = 1.1 * 2 ** 30 * 8
const ALLOWED_PAUSE_AT_FIRST_MS = 100
const ALLOWED_PAUSE_CEILING_MS = 2_000_000
/** Six polls of a second without progress (qemu-server). */
const DOUBLES_EVERY_MS = 6_000
/** A round that is not smaller than this share of the last made no progress. */
const PROGRESS_SHARE = 0.95
const FAILS_AT_SHARE = 0.4
const SWITCH_FROM_MS = 5
const SWITCH_TO_MS = 25
/** Switches relearn where the guest is: customers feel more than QEMU measures (field notes: 60 to 400 ms by ICMP). */
const RELEARN_FROM_MS = 20
const RELEARN_TO_MS = 120

const LOG_EVERY_S = 1
/** `timeout=` of a container's restart migration: it is not killed, the task fails. */
const STOP_LIMIT_S = 180
const KILO_BIT = 1000

export type RealMigration = {
  readonly guest: WorldGuest
  readonly to: NodeName
  readonly mode: WorldMigration['mode']
  readonly by: By
  readonly user: string
  readonly withLocalDisks: boolean
}

/** Begins the worker: its task, its lock and the first of its events. */
export function beginMigration(world: World, request: RealMigration): WorldMigration {
  const { guest, to, mode, by, user } = request
  const { vmid, kind } = guest.spec
  const type = kind === 'vm' ? 'qmigrate' : 'vzmigrate'
  const task = beginTask(world, { node: guest.node, type, id: String(vmid), user, by, guest: vmid })
  const local = localDiskBytes(world, guest)
  const migration: WorldMigration = {
    id: task.upid,
    guest: vmid,
    from: guest.node,
    to,
    mode,
    by,
    upid: task.upid,
    phase: 'starting',
    phaseSinceMs: world.nowMs,
    beganAtMs: world.nowMs,
    remainingBytes: 0,
    roundBytes: 0,
    roundBeganAtMs: world.nowMs,
    round: 0,
    transferredBytes: 0,
    totalBytes: (mode === 'live' ? guest.spec.residentBytes : 0) + local,
    bytesPerSecond: 0,
    settledAtMs: world.nowMs,
    allowedPauseMs: ALLOWED_PAUSE_AT_FIRST_MS,
  }
  if (local > 0 && mode === 'live' && !request.withLocalDisks) migration.willFail = 'before-copy'
  else if (guest.migrationFailures > 0) {
    guest.migrationFailures--
    migration.willFail = 'in-copy'
  }
  if (guest.nextTaskVanishes === true) {
    task.vanished = true
    delete guest.nextTaskVanishes
  }
  world.migrations[migration.id] = migration
  lockGuest(world, guest, 'migrate')
  logOpening(world, task, migration)
  schedule(world, world.nowMs + drawBetween(world, `migration/${vmid}`, 700, 1500), {
    kind: 'migration',
    id: migration.id,
  })
  return migration
}

function logOpening(world: World, task: WorldTask, { guest, to, mode }: WorldMigration): void {
  const what = guestOf(world, guest)?.spec.kind === 'ct' ? 'CT' : 'VM'
  if (mode === 'live' && !world.cluster.conntrackStateOffered)
    logLine(world, task, 'conntrack state migration not supported or disabled, active connections might get dropped')
  logLine(world, task, `starting migration of ${what} ${guest} to node '${to}' (${world.nodes[to]?.address})`)
  if (mode === 'live') logLine(world, task, `starting VM ${guest} on remote node '${to}'`)
}

/** The next thing that is due in a migration. */
export function stepMigration(world: World, id: string) {
  const migration = world.migrations[id]
  const guest = migration && guestOf(world, migration.guest)
  if (!migration || !guest) return
  switch (migration.phase) {
    case 'ha-queued':
      return
    case 'starting':
      return afterStarting(world, migration, guest)
    case 'copying':
      return afterCopying(world, migration, guest)
    case 'blackout':
      return afterBlackout(world, migration, guest)
    case 'finishing':
      return finish(world, migration, guest)
  }
}

function afterStarting(world: World, migration: WorldMigration, guest: WorldGuest) {
  const task = taskOf(world, migration)
  if (migration.willFail === 'before-copy') {
    logLine(world, task, "ERROR: Problem found while scanning volumes - can't migrate VM - check log")
    logLine(world, task, 'aborting phase 1 - cleanup resources')
    return fail(world, migration, guest, 'migration aborted')
  }
  if (world.nodes[migration.to]?.state !== 'running') {
    logLine(world, task, 'ERROR: migration aborted: target node is not reachable')
    return fail(world, migration, guest, 'migration aborted')
  }
  if (migration.willFail === 'in-copy' && (migration.mode !== 'live' || migration.totalBytes === 0))
    return fail(world, migration, guest, 'migration problems')
  if (migration.mode === 'restart') return stopForMove(world, migration, guest)
  if (migration.totalBytes === 0) return beginFinishing(world, migration)
  enterPhase(world, migration, 'copying')
  migration.copyBeganAtMs = world.nowMs
  migration.round = 1
  migration.roundBytes = migration.totalBytes
  migration.remainingBytes = migration.totalBytes
  if (migration.mode === 'live') {
    logLine(world, task, `starting online/live migration on unix:/run/qemu-server/${migration.guest}.migrate`)
    logLine(world, task, 'set migration capabilities')
    logLine(world, task, `migration downtime limit: ${ALLOWED_PAUSE_AT_FIRST_MS} ms`)
    logLine(world, task, 'set migration parameters')
    logLine(world, task, `start migrate command to unix:/run/qemu-server/${migration.guest}.migrate`)
  } else logLine(world, task, 'copying local disk images')
  if (guest.real && migration.mode === 'live' && migration.willFail === undefined) migration.real = { is: 'wanted' }
  reshare(world)
}

/** Links are shared by the streams on them, so each stream's speed changes when another begins or ends. */
function reshare(world: World): void {
  // A real stream is on no simulated link.
  const streams = Object.values(world.migrations).filter(({ phase, real }) => phase === 'copying' && !real)
  for (const stream of streams) settle(world, stream)
  for (const stream of streams) {
    const out = streams.filter(({ from }) => from === stream.from).length
    const into = streams.filter(({ to }) => to === stream.to).length
    const share = Math.min(streamsGet(world, stream.from) / out, streamsGet(world, stream.to) / into)
    stream.bytesPerSecond = Math.min(STREAM_BITS_PER_SECOND, share) / 8
    scheduleCopying(world, stream)
  }
}

/** Bits a second of the node's link, for all streams on it together. */
function streamsGet(world: World, name: NodeName): number {
  const node = world.nodes[name]
  return (node?.linkBitsPerSecond ?? KILO_BIT) * (node?.linkShare ?? STREAM_SHARE_OF_LINK)
}

export function settle(world: World, migration: WorldMigration): void {
  const bytes = Math.min(
    migration.remainingBytes,
    (migration.bytesPerSecond * (world.nowMs - migration.settledAtMs)) / 1000,
  )
  migration.remainingBytes -= bytes
  migration.transferredBytes += bytes
  migration.settledAtMs = world.nowMs
}

function scheduleCopying(world: World, migration: WorldMigration): void {
  cancelMigrationEvents(world, migration.id)
  const failing = migration.willFail === 'in-copy' ? migration.roundBytes * (1 - FAILS_AT_SHARE) : 0
  const left = Math.max(0, migration.remainingBytes - failing)
  const endsAtMs = world.nowMs + Math.ceil((left / migration.bytesPerSecond) * 1000)
  const atMs = migration.doublesAtMs === undefined ? endsAtMs : Math.min(endsAtMs, migration.doublesAtMs)
  schedule(world, atMs, { kind: 'migration', id: migration.id })
}

const cancelMigrationEvents = (world: World, id: string) =>
  cancelEvents(world, (event) => event.kind === 'migration' && event.id === id)

function afterCopying(world: World, migration: WorldMigration, guest: WorldGuest) {
  if (migration.real !== undefined) return afterRealCopy(world, migration, guest)
  settle(world, migration)
  const task = taskOf(world, migration)
  if (migration.willFail === 'in-copy') {
    logLine(world, task, 'ERROR: online migrate failure - aborting')
    logLine(world, task, 'aborting phase 2 - cleanup resources')
    logLine(world, task, 'migrate_cancel')
    return fail(world, migration, guest, 'migration problems')
  }
  if (migration.doublesAtMs !== undefined && migration.doublesAtMs <= world.nowMs) doubleAllowed(world, migration)
  if (migration.remainingBytes > 1) return scheduleCopying(world, migration)
  if (migration.mode === 'offline') return beginFinishing(world, migration)
  nextRound(world, migration, guest)
}

function doubleAllowed(world: World, migration: WorldMigration): void {
  migration.allowedPauseMs = Math.min(migration.allowedPauseMs * 2, ALLOWED_PAUSE_CEILING_MS)
  migration.doublesAtMs = world.nowMs + DOUBLES_EVERY_MS
  const text = `auto-increased downtime to continue migration: ${migration.allowedPauseMs} ms`
  logLine(world, taskOf(world, migration), text)
}

/** What the guest dirtied while this round was copied is the next round; it saturates at the writable working set. */
function nextRound(world: World, migration: WorldMigration, guest: WorldGuest) {
  const lastedS = (world.nowMs - migration.roundBeganAtMs) / 1000
  const dirty = Math.min(guest.writableWorkingSetBytes, guest.dirtyBytesPerSecond * lastedS)
  const pauseMs = (dirty / migration.bytesPerSecond) * 1000
  const task = taskOf(world, migration)
  const sent = renderBytes(migration.transferredBytes)
  const text = `migration active, transferred ${sent} of ${renderBytes(migration.totalBytes)} VM-state`
  if (lastedS >= LOG_EVERY_S) logLine(world, task, `${text}, ${renderBytes(migration.bytesPerSecond)}/s`)
  if (pauseMs <= migration.allowedPauseMs) return beginBlackout(world, migration, guest, pauseMs)
  const stalls = migration.round > 1 && dirty >= PROGRESS_SHARE * migration.roundBytes
  if (!stalls) delete migration.doublesAtMs
  else migration.doublesAtMs ??= world.nowMs + DOUBLES_EVERY_MS
  migration.round++
  migration.roundBytes = dirty
  migration.remainingBytes = dirty
  migration.roundBeganAtMs = world.nowMs
  scheduleCopying(world, migration)
}

function beginBlackout(world: World, migration: WorldMigration, guest: WorldGuest, pauseMs: number): void {
  const subject = `migration/${migration.guest}`
  migration.blackoutMs = Math.max(1, Math.round(pauseMs + drawBetween(world, subject, SWITCH_FROM_MS, SWITCH_TO_MS)))
  migration.transferredBytes += migration.bytesPerSecond * (pauseMs / 1000)
  interrupt(world, guest, 'blackout', migration.by)
  enterPhase(world, migration, 'blackout')
  schedule(world, world.nowMs + migration.blackoutMs, { kind: 'migration', id: migration.id })
  reshare(world)
}

function stopForMove(world: World, migration: WorldMigration, guest: WorldGuest): void {
  const subject = `migration/${migration.guest}`
  if ((guest.stopS ?? 0) > STOP_LIMIT_S) {
    migration.willFail = 'in-copy'
    enterPhase(world, migration, 'blackout')
    schedule(world, world.nowMs + 1000 * STOP_LIMIT_S, { kind: 'migration', id: migration.id })
    return
  }
  if (isRunning(guest)) haltGuest(world, guest, 'restart', migration.by)
  const stopMs = 1000 * (guest.stopS ?? drawBetween(world, subject, 2, 8))
  const copyMs = (1000 * migration.totalBytes * 8) / streamsGet(world, migration.from)
  enterPhase(world, migration, 'blackout')
  schedule(world, world.nowMs + stopMs + copyMs + drawBetween(world, subject, 1500, 3000), {
    kind: 'migration',
    id: migration.id,
  })
}

function afterBlackout(world: World, migration: WorldMigration, guest: WorldGuest) {
  const task = taskOf(world, migration)
  if (migration.willFail === 'in-copy') {
    logLine(world, task, 'ERROR: migration aborted: CT did not stop in time')
    return fail(world, migration, guest, 'migration aborted')
  }
  moveGuest(world, { guest, to: migration.to, by: migration.by })
  if (migration.mode === 'restart') {
    runGuest(world, guest, migration.to)
    logLine(world, task, `start container on target node`)
  } else {
    const relearnMs = drawBetween(world, `relearn/${migration.guest}`, RELEARN_FROM_MS, RELEARN_TO_MS)
    endInterruption(world, guest, relearnMs)
    logMoved(world, migration, world.nowMs - (migration.copyBeganAtMs ?? world.nowMs))
  }
  beginFinishing(world, migration)
}

/** What nobody measured stands in no log. */
function logMoved(world: World, migration: WorldMigration, copiedMs: number): void {
  const task = taskOf(world, migration)
  const { transferredBytes, blackoutMs } = migration
  const speed = renderBytes(transferredBytes / (Math.max(1, copiedMs) / 1000))
  if (blackoutMs !== undefined) logLine(world, task, `average migration speed: ${speed}/s - downtime ${blackoutMs} ms`)
  logLine(world, task, `migration completed, transferred ${renderBytes(transferredBytes)} VM-state`)
  logLine(world, task, 'migration status: completed')
}

/** Woken by whoever moves the process; until then nothing is due. */
function afterRealCopy(world: World, migration: WorldMigration, guest: WorldGuest) {
  const { real, by } = migration
  if (real?.is === 'failed') {
    logLine(world, taskOf(world, migration), `ERROR: online migrate failure - ${real.text}`)
    logLine(world, taskOf(world, migration), 'aborting phase 2 - cleanup resources')
    return fail(world, migration, guest, 'migration problems')
  }
  if (real?.is !== 'moved') return
  if (real.transferredBytes !== 'unknown') migration.transferredBytes = real.transferredBytes
  if (real.blackoutMs !== 'unknown') {
    migration.blackoutMs = real.blackoutMs
    guest.interruptions.push({ fromMs: world.nowMs - real.blackoutMs, toMs: world.nowMs, why: 'blackout', by })
  }
  moveGuest(world, { guest, to: migration.to, by })
  logMoved(world, migration, real.tookMs)
  beginFinishing(world, migration)
}

function beginFinishing(world: World, migration: WorldMigration): void {
  enterPhase(world, migration, 'finishing')
  schedule(world, world.nowMs + 300 + 700 * draw(world, `migration/${migration.guest}`), {
    kind: 'migration',
    id: migration.id,
  })
  reshare(world)
}

function finish(world: World, migration: WorldMigration, guest: WorldGuest): void {
  if (migration.mode === 'offline') moveGuest(world, { guest, to: migration.to, by: migration.by })
  const task = taskOf(world, migration)
  const duration = renderDuration(world.nowMs - migration.beganAtMs)
  logLine(world, task, `migration finished successfully (duration ${duration})`)
  if (task) endTask(world, task, 'OK')
  forget(world, migration, guest)
}

function fail(world: World, migration: WorldMigration, guest: WorldGuest, exitStatus: string): void {
  const task = taskOf(world, migration)
  if (task) endTask(world, task, exitStatus)
  forget(world, migration, guest)
}

/** Nothing of it goes on: the guest is where its configuration says, without a lock. */
function forget(world: World, migration: WorldMigration, guest: WorldGuest): void {
  delete world.migrations[migration.id]
  cancelMigrationEvents(world, migration.id)
  if (guest.lock === 'migrate') unlockGuest(world, guest)
  reshare(world)
}

/** A worker that is killed: before the switch the guest stays where it is; afterwards it is too late. */
export function cancelMigration(world: World, migration: WorldMigration): boolean {
  const guest = guestOf(world, migration.guest)
  const hasSwitched = migration.real !== undefined && migration.real.is !== 'wanted'
  if (!guest || hasSwitched || migration.phase === 'finishing') return false
  if (migration.phase === 'blackout' && migration.mode === 'live') return false
  const task = taskOf(world, migration)
  logLine(world, task, 'ERROR: online migrate failure - remote command failed with exit code -1')
  logLine(world, task, 'aborting phase 2 - cleanup resources')
  logLine(world, task, 'migrate_cancel')
  if (migration.mode === 'restart' && migration.phase === 'blackout' && !isRunning(guest))
    runGuest(world, guest, migration.from)
  fail(world, migration, guest, 'unexpected status')
  return true
}

/** One of its nodes is gone. */
export function breakMigrations(world: World, node: NodeName): void {
  for (const migration of Object.values(world.migrations)) {
    if (migration.from !== node && migration.to !== node) continue
    const guest = guestOf(world, migration.guest)
    if (!guest) continue
    if (migration.from === node) fail(world, migration, guest, 'unexpected status')
    else breakTowardsDead(world, migration, guest)
  }
}

function breakTowardsDead(world: World, migration: WorldMigration, guest: WorldGuest) {
  if (migration.phase === 'finishing') return fail(world, migration, guest, 'migration problems')
  logLine(world, taskOf(world, migration), 'ERROR: online migrate failure - lost the connection to the target')
  if (migration.phase === 'blackout' && migration.mode === 'live') endInterruption(world, guest)
  if (migration.phase === 'blackout' && migration.mode === 'restart') runGuest(world, guest, migration.from)
  fail(world, migration, guest, 'migration problems')
}

const taskOf = (world: World, migration: WorldMigration) =>
  migration.upid === undefined ? undefined : world.tasks[migration.upid]

function enterPhase(world: World, migration: WorldMigration, phase: WorldMigration['phase']): void {
  migration.phase = phase
  migration.phaseSinceMs = world.nowMs
  migration.settledAtMs = world.nowMs
  migration.roundBeganAtMs = world.nowMs
  delete migration.doublesAtMs
  cancelMigrationEvents(world, migration.id)
}
