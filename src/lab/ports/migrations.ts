/** Following a migration: by its task, or, where HA queues, by the task that HA begins later. */
import type { NodeName, Vmid } from '#domain/ids'
import { nodeName, vmid as vmidOf } from '#domain/ids'
import * as commands from '#lab/world/commands'
import { guestOf } from '#lab/world/guests'
import type { LabWorld } from '#lab/world/lab-world'
import { migrationNow, migrationOf, reachable } from '#lab/world/queries'
import type { World, WorldTask } from '#lab/world/state'
import type { Answer } from '#lab/world/surface'
import type { MigrationProgress } from '#ports/hypervisor'
import { ask } from './ask.ts'

type Query = { readonly guest: Vmid; readonly from: NodeName; readonly sinceMs: number }

/** HA that has not begun within this time has dropped the wish. */
const HA_BEGINS_LIMIT_MS = 120_000

/** 'ha:101:pve3:1795333280000': the wait for a task that does not exist yet. */
export const haHandle = ({ guest, from, sinceMs }: Query) => `ha:${guest}:${from}:${sinceMs}`

function parseHaHandle(handle: string): Query | undefined {
  const [mark, guest, from, since] = handle.split(':')
  if (mark !== 'ha' || from === undefined) return undefined
  return { guest: vmidOf(Number(guest)), from: nodeName(from), sinceMs: Number(since) }
}

/** A task's start is known to the second. */
const secondOf = (ms: number) => Math.floor(ms / 1000)

/** The newest real migration of this guest that its source tells of. */
function realTask(world: World, { guest, from, sinceMs }: Query): WorldTask | undefined {
  return Object.values(world.tasks).findLast(
    (task) =>
      task.guest === guest &&
      task.node === from &&
      (task.type === 'qmigrate' || task.type === 'vzmigrate') &&
      !task.vanished &&
      (task.status === 'running' || secondOf(task.startedAtMs) >= secondOf(sinceMs)),
  )
}

export function findMigration(lab: LabWorld, query: Query): string | undefined {
  const world = lab.state
  const { guest, from } = query
  const call = { api: 'proxmox', method: 'GET', path: `/nodes/${from}/tasks` } as const
  return ask<string | undefined>(lab, { ...call, doing: `look for migrations of guest ${guest}` }, () => {
    const answer = reachable(world, from)
    if (answer.is === 'refused') return answer
    const queued = migrationOf(world, guest)
    if (queued?.phase === 'ha-queued' && queued.from === from)
      return { is: 'done', value: haHandle({ guest, from, sinceMs: queued.beganAtMs }) }
    return { is: 'done', value: realTask(world, query)?.upid }
  })
}

export function follow(lab: LabWorld, handle: string): MigrationProgress {
  const world = lab.state
  const waiting = parseHaHandle(handle)
  const call = { api: 'proxmox', path: `/tasks/${handle}/status`, doing: `follow ${handle}` } as const
  return ask(lab, { ...call, method: 'GET' }, () => {
    const task = waiting ? realTask(world, waiting) : world.tasks[handle]
    const node = task?.node ?? waiting?.from
    const answer = node === undefined ? undefined : unreachable(world, node)
    if (answer) return answer
    if (task && !task.vanished) return { is: 'done', value: progressOf(world, task) }
    return { is: 'done', value: waiting ? progressOfWaiting(world, waiting) : unknown('no such task') }
  })
}

/** A node that quorum has given up will not tell any more; one that is merely silent may. */
function unreachable(world: World, node: NodeName): Answer<MigrationProgress> | undefined {
  const answer = reachable(world, node)
  if (answer.is === 'done') return undefined
  if (world.nodes[node]?.online === false)
    return { is: 'done', value: unknown(`${node} is offline: its tasks are lost`) }
  return answer
}

const unknown = (text: string): MigrationProgress => ({ is: 'ended', outcome: 'unknown', text })
const underWay: MigrationProgress = {
  is: 'running',
  transferredBytes: 'unknown',
  totalBytes: 'unknown',
  allowedPauseMs: 'unknown',
}

function progressOfWaiting(world: World, { guest, from, sinceMs }: Query): MigrationProgress {
  if (migrationOf(world, guest)) return underWay
  if (guestOf(world, guest)?.node !== from) return unknown('the guest is elsewhere, and no task tells of its move')
  if (world.nowMs - sinceMs < HA_BEGINS_LIMIT_MS) return underWay
  return { is: 'ended', outcome: 'failed', text: 'HA took the wish and never began' }
}

function progressOf(world: World, task: WorldTask): MigrationProgress {
  if (task.status === 'running') return running(world, task)
  if (task.exitStatus === 'OK' || task.exitStatus?.startsWith('WARNINGS')) return endedWell(task)
  const text = task.exitStatus ?? 'unexpected status'
  if (text !== 'unexpected status') return { is: 'ended', outcome: 'failed', text }
  return task.log.some((line) => line.endsWith('migrate_cancel'))
    ? { is: 'ended', outcome: 'cancelled', text }
    : unknown(text)
}

function running(world: World, task: WorldTask): MigrationProgress {
  const migration = migrationNow(world, task.upid)
  if (!migration) return underWay
  const { transferredBytes, totalBytes, allowedPauseMs, mode } = migration
  return {
    is: 'running',
    transferredBytes: Math.round(transferredBytes),
    totalBytes: Math.round(totalBytes),
    allowedPauseMs: mode === 'live' ? allowedPauseMs : 'unknown',
  }
}

const UNIT_BYTES: Record<string, number> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

/** Progress and evidence stand only in the task's log. */
function endedWell(task: WorldTask): MigrationProgress {
  const found = task.log
    .map((line) => /average migration speed: ([\d.]+) (\w+)\/s - downtime (\d+) ms/.exec(line))
    .findLast((match) => match !== null)
  const told = task.log.map((line) => /to node '([^']+)'/.exec(line)?.[1]).find((name) => name !== undefined)
  const target = told === undefined ? 'unknown' : nodeName(told)
  if (!found) return { is: 'ended', outcome: 'ok', blackout: 'unmeasured', bytesPerSecond: 'unknown', target }
  const [, speed, unit, pause] = found
  return {
    is: 'ended',
    outcome: 'ok',
    blackout: { blackoutMs: Number(pause) },
    bytesPerSecond: Math.round(Number(speed) * (UNIT_BYTES[unit ?? 'B'] ?? 1)),
    target,
  }
}

export function cancelMigration(lab: LabWorld, handle: string): void {
  const world = lab.state
  const waiting = parseHaHandle(handle)
  const task = waiting ? realTask(world, waiting) : world.tasks[handle]
  const call = { api: 'proxmox', method: 'DELETE', path: `/tasks/${handle}`, doing: `cancel ${handle}` } as const
  ask(lab, call, () => {
    if (!task) return { is: 'refused', status: 504, text: 'HA has not begun: there is nothing to cancel yet' }
    return commands.cancelTask(world, task.upid, 'us')
  })
}
