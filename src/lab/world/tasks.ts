/** PVE tasks: UPIDs, their logs and how they end, in the form of the recordings. */
import type { NodeName, Vmid } from '#domain/ids'
import type { By, World, WorldTask } from './state.ts'

export const OUR_USER = 'coulisse@pve!coulisse'
export const HA_USER = 'root@pam'

type NewTask = {
  readonly node: NodeName
  readonly type: string
  readonly id: string
  readonly user: string
  readonly by: By
  readonly guest?: Vmid
}

export function beginTask(world: World, { node, type, id, user, by, guest }: NewTask): WorldTask {
  const counter = `pid/${node}`
  const taken = world.draws[counter] ?? 0
  world.draws[counter] = taken + 1
  const pid = 0x400 + taken * 7
  const bootedAtMs = world.nodes[node]?.bootedAtMs ?? world.startedAtMs
  const pstart = Math.floor((world.nowMs - bootedAtMs) / 10)
  const started = Math.floor(world.nowMs / 1000)
  const upid = `UPID:${node}:${hex8(pid)}:${hex8(pstart)}:${hex8(started)}:${type}:${id}:${user}:`
  const task: WorldTask = {
    upid,
    node,
    pid,
    pstart,
    type,
    id,
    user,
    ...(guest === undefined ? {} : { guest }),
    by,
    startedAtMs: world.nowMs,
    status: 'running',
    log: [],
    vanished: false,
  }
  world.tasks[upid] = task
  return task
}

const hex8 = (value: number) => value.toString(16).toUpperCase().padStart(8, '0')

/** 'unexpected status' is what is left of a worker that was killed or whose node died: its log has no last line. */
export function endTask(world: World, task: WorldTask, exitStatus: string): void {
  if (task.status === 'stopped') return
  task.status = 'stopped'
  task.exitStatus = exitStatus
  task.endedAtMs = world.nowMs
  if (exitStatus === 'OK') task.log.push('TASK OK')
  else if (exitStatus.startsWith('WARNINGS')) task.log.push(`TASK ${exitStatus}`)
  else if (exitStatus !== 'unexpected status') task.log.push(`TASK ERROR: ${exitStatus}`)
}

/** '2026-11-22 07:41:24 …', as migration logs stamp their lines (the lab's nodes keep UTC). */
export function logLine(world: World, task: WorldTask | undefined, text: string): void {
  task?.log.push(`${new Date(world.nowMs).toISOString().slice(0, 19).replace('T', ' ')} ${text}`)
}

/** '144.8 MiB', as Proxmox renders bytes. */
export function renderBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${Math.round(value)} B` : `${value.toFixed(1)} ${units[unit]}`
}

/** '00:01:22'. */
export function renderDuration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return parts.map((part) => String(part).padStart(2, '0')).join(':')
}
