/** Ceph under the guests: placement groups follow the OSDs, the mgr's figures follow some seconds later, data moves after 600 s. */
import type { NodeName } from '#domain/ids'
import { drawBetween } from './draw.ts'
import { cancelEvents, schedule } from './events.ts'
import type { By, PgCounts, World, WorldCeph, WorldOsd } from './state.ts'

const REPORT_FROM_MS = 3_000
const REPORT_TO_MS = 8_000
/** Cut without a word, OSDs are found down by their peers after the grace. */
export const DOWN_GRACE_MS = 20_000
const RECOVERY_AT_LEAST_MS = 4_000
/** Recovery of what was written meanwhile: longer the longer the OSDs were away. */
const RECOVERY_SHARE_OF_ABSENCE = 0.01
const RECOVERY_AT_MOST_MS = 300_000
const BACKFILL_MS = 1_200_000
const OBJECTS_PER_OSD = 40_000

export function cephOf(world: World): WorldCeph | undefined {
  return world.ceph === 'none' ? undefined : world.ceph
}

/** What the placement groups really are now. */
function countPlacementGroups(world: World, ceph: WorldCeph): PgCounts {
  const { total } = ceph.placementGroups
  const inside = ceph.osds.filter((osd) => osd.in)
  const down = inside.filter((osd) => !osd.up).length
  const out = ceph.osds.filter((osd) => osd.autoOut).length
  const copies = Math.max(1, ...ceph.pools.map(({ size }) => size))
  const share = (count: number) => Math.min(total, Math.ceil((total * copies * count) / Math.max(1, ceph.osds.length)))
  const recovers = ceph.recoveryUntilMs !== undefined && ceph.recoveryUntilMs > world.nowMs
  const recovering = recovers ? Math.max(1, Math.ceil(total / 10)) : 0
  const degraded = Math.max(down > 0 ? share(down) : 0, recovering, ceph.degradedByFault)
  const misplaced = out > 0 && recovers ? share(out) : 0
  const inconsistent = ceph.inconsistentByFault
  const clean = total - Math.min(total, Math.max(degraded, misplaced, inconsistent))
  return { total, clean, degraded, misplaced, recovering, inconsistent }
}

/** To be called after every change: the truth now, the report some seconds later. */
export function refreshPlacementGroups(world: World): void {
  const ceph = cephOf(world)
  if (!ceph) return
  ceph.placementGroups = countPlacementGroups(world, ceph)
  if (ceph.reportPending) return
  ceph.reportPending = true
  schedule(world, world.nowMs + drawBetween(world, 'pg-report', REPORT_FROM_MS, REPORT_TO_MS), { kind: 'pg-report' })
}

export function reportPlacementGroups(world: World): void {
  const ceph = cephOf(world)
  if (!ceph) return
  ceph.reportPending = false
  ceph.placementGroups = countPlacementGroups(world, ceph)
  ceph.reported = { ...ceph.placementGroups }
}

export const osdsOn = (ceph: WorldCeph, host: NodeName) => ceph.osds.filter((osd) => osd.host === host)

export function downOsds(world: World, ids: readonly number[]): void {
  const ceph = cephOf(world)
  if (!ceph) return
  for (const osd of ceph.osds) {
    if (!osd.up || !ids.includes(osd.id)) continue
    osd.up = false
    osd.downSinceMs = world.nowMs
    schedule(world, world.nowMs + ceph.downOutIntervalMs, { kind: 'down-out', osd: osd.id })
  }
  refreshPlacementGroups(world)
}

export function upOsds(world: World, host: NodeName): void {
  const ceph = cephOf(world)
  if (!ceph) return
  let awayMs = 0
  let backfills = false
  for (const osd of osdsOn(ceph, host)) {
    if (osd.up || osd.broken || !hasDisk(world, osd)) continue
    awayMs = Math.max(awayMs, world.nowMs - (osd.downSinceMs ?? world.nowMs))
    backfills ||= osd.autoOut
    osd.up = true
    delete osd.downSinceMs
    if (osd.autoOut) osd.in = true
    osd.autoOut = false
    cancelEvents(world, (event) => event.kind === 'down-out' && event.osd === osd.id)
  }
  const lasts = Math.min(RECOVERY_AT_LEAST_MS + awayMs * RECOVERY_SHARE_OF_ABSENCE, RECOVERY_AT_MOST_MS)
  recoverFor(world, ceph, backfills ? BACKFILL_MS : lasts)
}

/** A disk that the repair left unplugged. */
function hasDisk(world: World, { host, serial }: WorldOsd): boolean {
  const disks = world.nodes[host]?.hardware.disks
  return disks === undefined || disks === 'unknown' || disks.some((disk) => disk.serial === serial)
}

function recoverFor(world: World, ceph: WorldCeph, lastsMs: number): void {
  ceph.recoveryUntilMs = Math.max(ceph.recoveryUntilMs ?? 0, world.nowMs + Math.round(lastsMs))
  schedule(world, ceph.recoveryUntilMs, { kind: 'recovered' })
  refreshPlacementGroups(world)
}

export function endRecovery(world: World): void {
  const ceph = cephOf(world)
  if (!ceph || (ceph.recoveryUntilMs ?? 0) > world.nowMs) return
  delete ceph.recoveryUntilMs
  refreshPlacementGroups(world)
}

const isHeld = (ceph: WorldCeph, osd: WorldOsd) =>
  ceph.flags.includes('noout') || ceph.hostFlags[osd.host]?.includes('noout') === true

/** mon_osd_down_out_interval has passed: without noout the data of the OSD is copied elsewhere. */
export function markOut(world: World, id: number): void {
  const ceph = cephOf(world)
  const osd = ceph?.osds.find((one) => one.id === id)
  if (!ceph || !osd || osd.up || !osd.in || isHeld(ceph, osd)) return
  if (world.nowMs - (osd.downSinceMs ?? world.nowMs) < ceph.downOutIntervalMs) return
  osd.in = false
  osd.autoOut = true
  if (world.nodes[osd.host]?.downBy === 'us') ceph.objectsMovedByUs += OBJECTS_PER_OSD
  recoverFor(world, ceph, BACKFILL_MS)
}

/** A noout that is taken off finds OSDs that are down too long already. */
function markOverdueOut(world: World, ceph: WorldCeph): void {
  for (const osd of ceph.osds) markOut(world, osd.id)
}

type Flag = { readonly name: string; readonly host?: NodeName }

const keyOf = ({ name, host }: Flag) => `${host ?? 'cluster'}/${name}`
export const flagsAt = (ceph: WorldCeph, host: NodeName | undefined): readonly string[] =>
  host === undefined ? ceph.flags : (ceph.hostFlags[host] ?? [])

export function raiseFlag(world: World, ceph: WorldCeph, flag: Flag, by: By): void {
  const before = flagsAt(ceph, flag.host)
  if (before.includes(flag.name)) return
  if (flag.host === undefined) ceph.flags.push(flag.name)
  else ceph.hostFlags[flag.host] = [...before, flag.name]
  ceph.flagSetBy[keyOf(flag)] = { by, atMs: world.nowMs }
}

export function lowerFlag(world: World, ceph: WorldCeph, flag: Flag): void {
  const without = flagsAt(ceph, flag.host).filter((name) => name !== flag.name)
  if (flag.host === undefined) ceph.flags = without
  else if (without.length === 0) delete ceph.hostFlags[flag.host]
  else ceph.hostFlags[flag.host] = without
  delete ceph.flagSetBy[keyOf(flag)]
  if (flag.name === 'noout') markOverdueOut(world, ceph)
}

export function refreshMonitors(world: World): void {
  const ceph = cephOf(world)
  if (!ceph) return
  for (const monitor of ceph.monitors) {
    monitor.inQuorum = monitor.broken !== true && world.nodes[monitor.host]?.online === true
  }
  for (const mgr of ceph.mgrs) mgr.up = world.nodes[mgr.host]?.online === true
  const active = ceph.mgrs.find(({ host }) => host === ceph.activeMgrHost)
  if (active?.up !== true) passMgr(ceph)
}

/** The active mgr steps down; a standby takes over. Alone, it comes back by itself. */
export function passMgr(ceph: WorldCeph): void {
  const next = ceph.mgrs.find(({ host, up }) => up && host !== ceph.activeMgrHost)
  if (next) ceph.activeMgrHost = next.host
}

export type OkToStop = { readonly ok: boolean; readonly badPgs: number; readonly okPgs: number; readonly text: string }

/**
 * Ceph's own answer, which is about availability alone: a pool of size 2 / min_size 1 says yes. Worst case over the hosts: with
 * hundreds of placement groups some group lies on any set of them.
 */
export function askOkToStop(world: World, ids: readonly number[]): OkToStop {
  const ceph = cephOf(world)
  if (!ceph) return { ok: false, badPgs: 0, okPgs: 0, text: 'there is no Ceph' }
  const unknown = ids.find((id) => !ceph.osds.some((osd) => osd.id === id))
  if (unknown !== undefined) return { ok: false, badPgs: 0, okPgs: 0, text: `osd.${unknown} does not exist` }
  const gone = ceph.osds.filter((osd) => !osd.autoOut && (!osd.up || ids.includes(osd.id)))
  const hosts = new Set(gone.map(({ host }) => host)).size
  const bad = ceph.pools.filter((pool) => {
    const lost = Math.min(pool.size, pool.failureDomain === 'osd' ? gone.length : hosts)
    return pool.size - lost < pool.minSize
  })
  const { total } = ceph.placementGroups
  const badPgs = Math.ceil((total * bad.length) / Math.max(1, ceph.pools.length) / 2)
  const ok = bad.length === 0
  const text = ok
    ? `all ${total} PGs stay available`
    : `${badPgs} PGs would become inactive (pools ${bad.map(({ name }) => name).join(', ')})`
  return { ok, badPgs, okPgs: total - badPgs, text }
}
