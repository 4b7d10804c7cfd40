/** Moves followed to their real end. HA's task only queues; the real one comes later, as root@pam on the source. */

import { DriverError } from '#domain/driver-error'
import { nodeName, vmid } from '#domain/ids'
import type { Clock } from '#ports/clock'
import type { MigrationHandle, MigrationProgress } from '#ports/hypervisor'
import type { ProxmoxClient } from './client.ts'
import type { TaskLists } from './task-lists.ts'
import { type MigrationLog, outcomeOf } from './task-log.ts'
import type { TaskReader } from './task-reader.ts'
import { MIGRATION_TYPES, parseUpid, type Upid, upidOf } from './upid.ts'
import { locate, readMembers } from './whereabouts.ts'
import * as wire from './wire.ts'

/** HA's manager works every 10 s, its LRM moves four at once: a queued move that has not begun by then was dropped. */
const HA_START_LIMIT_MS = 900_000
/** HA answers the wish with OK even where a rule forbids it, and drops it then: within some rounds its manager shows which. */
const HA_TAKES_UP_LIMIT_MS = 60_000
const REAL_TASKS_LIMIT = 1_000

export type Follower = {
  follow(handle: MigrationHandle): Promise<MigrationProgress>
  /** What HA made of a wish; undefined: nothing yet. */
  realTaskOf(queued: Upid): Promise<Upid | undefined>
}

export function follower(parts: {
  readonly client: ProxmoxClient
  readonly lists: TaskLists
  readonly reader: TaskReader
  readonly clock: Clock
}): Follower {
  const { client, lists, reader, clock } = parts
  const realTasks = new Map<string, Upid>()

  async function followTask(upid: Upid): Promise<MigrationProgress> {
    const doing = `follow the migration of guest ${upid.id} on ${upid.node}`
    const state = await reader.read(upid, doing).catch((error) => ifNodeIsDead(client, upid, error))
    if (state === 'node-is-dead') return unknownEnd(`${upid.node} is offline: its tasks cannot be read`)
    if (state.is === 'gone') return unknownEnd(`the task is gone: ${state.text}`)
    if (state.is === 'ended') return endOf(state.exitStatus, state.log)
    const { transferredBytes, totalBytes, allowedPauseMs } = state.log
    return { is: 'running', transferredBytes, totalBytes, allowedPauseMs }
  }

  async function realTaskOf(queued: Upid): Promise<Upid | undefined> {
    const known = realTasks.get(queued.text)
    if (known !== undefined) return known
    const tasks = await lists.ofGuest(vmid(Number(queued.id)), nodeName(queued.node))
    const real = tasks.find((task) => MIGRATION_TYPES.has(task.type) && task.starttime * 1000 >= queued.startedAtMs)
    const upid = real === undefined ? undefined : parseUpid(real.upid)
    if (realTasks.size >= REAL_TASKS_LIMIT) realTasks.clear()
    if (upid !== undefined) realTasks.set(queued.text, upid)
    return upid
  }

  async function followQueued(queued: Upid): Promise<MigrationProgress> {
    const real = await realTaskOf(queued).catch((error) => ifNodeIsDead(client, queued, error))
    if (real === 'node-is-dead') return unknownEnd(`${queued.node} is offline: what HA did there cannot be read`)
    if (real !== undefined) return followTask(real)
    const at = await locate(client, vmid(Number(queued.id)), nodeName(queued.node))
    if (at.is === 'at' && at.node !== queued.node && at.lock === undefined) {
      return { is: 'ended', outcome: 'ok', blackout: 'unmeasured', bytesPerSecond: 'unknown', target: at.node }
    }
    const waitedMs = (await clock.nowMs()) - queued.startedAtMs
    if (waitedMs > HA_TAKES_UP_LIMIT_MS && at.is === 'at' && !(await haMoves(client, queued))) {
      const text = `HA took the wish and did not begin: a rule may forbid it (waited ${Math.round(waitedMs / 1000)} s)`
      return { is: 'ended', outcome: 'failed', text }
    }
    if (waitedMs > HA_START_LIMIT_MS) {
      return unknownEnd(`HA has not begun to move it within ${HA_START_LIMIT_MS / 1000} s`)
    }
    return { is: 'running', transferredBytes: 'unknown', totalBytes: 'unknown', allowedPauseMs: 'unknown' }
  }

  return {
    realTaskOf,
    async follow(handle) {
      const upid = upidOf(handle, 'follow a migration')
      return upid.type === 'hamigrate' ? followQueued(upid) : followTask(upid)
    },
  }
}

const unknownEnd = (text: string): MigrationProgress => ({ is: 'ended', outcome: 'unknown', text })

function endOf(exitStatus: string, log: MigrationLog): MigrationProgress {
  const outcome = outcomeOf(exitStatus, log)
  if (outcome === 'ok') {
    const { blackoutMs, bytesPerSecond } = log
    return {
      is: 'ended',
      outcome,
      blackout: blackoutMs === 'unknown' ? 'unmeasured' : { blackoutMs },
      bytesPerSecond,
      target: log.target === undefined ? 'unknown' : nodeName(log.target),
    }
  }
  const text = exitStatus === '' ? 'the task ended without a status' : exitStatus
  return { is: 'ended', outcome, text: log.lastError === undefined ? text : `${text}: ${log.lastError}` }
}

/** Recorded: `service_status: {"vm:102": {"state": "migrate", "target": "pve1", …}}` from the wish to the end of the move. */
async function haMoves(client: ProxmoxClient, queued: Upid): Promise<boolean> {
  const told = await client.get(wire.managerStatus, {
    doing: `ask HA whether it moves guest ${queued.id}`,
    path: '/cluster/ha/status/manager_status',
    avoid: queued.node,
  })
  const services = Object.entries(told.manager_status?.service_status ?? {})
  const state = services.find(([sid]) => sid.split(':')[1] === queued.id)?.[1].state
  return state === 'migrate' || state === 'relocate'
}

/** A dead node's tasks cannot be read (595): then the worker died with it, and only the guest's whereabouts count. */
async function ifNodeIsDead(client: ProxmoxClient, upid: Upid, error: unknown) {
  if (!(error instanceof DriverError)) throw error
  const members = await readMembers(client, nodeName(upid.node))
  const member = members.find((item) => item.name === upid.node)
  if (member?.online !== false) throw error
  return 'node-is-dead' as const
}
