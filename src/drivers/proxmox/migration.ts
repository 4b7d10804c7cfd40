/** Moves of guests: begun once, found again, followed to their real end. HA's task only queues; the real one comes later. */

import { z } from 'zod'
import { DriverError } from '#domain/driver-error'
import { type NodeName, nodeName, type Vmid, vmid } from '#domain/ids'
import type { MigrationHandle, MigrationProgress, MoveRequest } from '#ports/hypervisor'
import { type ProxmoxClient, path, refused } from './client.ts'
import type { ProxmoxConfig } from './config.ts'
import { SUBPATH } from './look-node.ts'
import { nothing } from './schema.ts'
import { EMPTY_LOG, type MigrationLog, outcomeOf, readLogLine } from './task-log.ts'
import { MIGRATION_TYPES, parseUpid, type Upid } from './upid.ts'
import { type GuestAt, guestAt, locate, readMembers } from './whereabouts.ts'
import * as wire from './wire.ts'

/** A container that does not stop in time is not killed: its task fails, and somebody must look. */
const CONTAINER_STOP_LIMIT_S = 180
/** HA's manager works every 10 s, its LRM moves four at once: a queued move that has not begun by then was dropped. */
const HA_START_LIMIT_MS = 900_000
/** HA answers the wish with OK even where a rule forbids it, and drops it then: within some rounds its manager shows which. */
const HA_TAKES_UP_LIMIT_MS = 60_000
const LOG_PAGE_LINES = 500
const LOG_PAGES_LIMIT = 40
const TASK_LIST_LIMIT = 100
const LOGS_KEPT_LIMIT = 500

type Query = { readonly guest: Vmid; readonly from: NodeName; readonly sinceMs: number }

export type Migrations = {
  migrate(move: MoveRequest): Promise<MigrationHandle>
  findMigration(query: Query): Promise<MigrationHandle | undefined>
  follow(handle: MigrationHandle): Promise<MigrationProgress>
  cancelMigration(handle: MigrationHandle): Promise<void>
}

/** Recorded: 400 {"upid":"no such task"}. */
const NO_SUCH_TASK = /no such task/

/** A handle is a UPID of qmigrate, vzmigrate, or of hamigrate: that one stands for the task that HA will start. */
function upidOf(handle: MigrationHandle, doing: string): Upid {
  const upid = parseUpid(handle)
  if (upid !== undefined) return upid
  throw new DriverError('proxmox', doing, { retry: 'never', text: `'${handle}' is not a task of Proxmox` })
}

export function migrations(client: ProxmoxClient, config: Pick<ProxmoxConfig, 'clock'>): Migrations {
  const logs = logReader(client)

  async function followTask(upid: Upid): Promise<MigrationProgress> {
    const doing = `follow the migration of guest ${upid.id} on ${upid.node}`
    const call = { doing, path: path`/nodes/${upid.node}/tasks/${upid.text}/status`, avoid: upid.node }
    const reply = await client.ask(wire.taskStatus, call).catch((error) => ifNodeIsDead(client, upid, error))
    if (reply === 'node-is-dead') return unknownEnd(`${upid.node} is offline: its tasks cannot be read`)
    if (reply.is === 'refused') {
      // Its node was reinstalled, or the task list was lost with it.
      if (NO_SUCH_TASK.test(reply.text)) return unknownEnd(`the task is gone: ${reply.text}`)
      throw refused(call, reply)
    }
    // At its end the whole log is read again: it is the evidence, and a node that was reinstalled may have begun it anew.
    if (reply.data.status !== 'running') logs.forget(upid)
    const log = await logs.read(upid, doing)
    if (reply.data.status === 'running') {
      const { transferredBytes, totalBytes, allowedPauseMs } = log
      return { is: 'running', transferredBytes, totalBytes, allowedPauseMs }
    }
    logs.forget(upid)
    return endOf(reply.data.exitstatus ?? '', log)
  }

  async function realTaskOf(queued: Upid): Promise<Upid | undefined> {
    const query = { guest: vmid(Number(queued.id)), from: nodeName(queued.node), sinceMs: queued.startedAtMs }
    const tasks = await tasksOfGuest(client, query)
    const real = tasks.find((task) => MIGRATION_TYPES.has(task.type) && task.starttime * 1000 >= queued.startedAtMs)
    return real === undefined ? undefined : parseUpid(real.upid)
  }

  async function followQueued(queued: Upid): Promise<MigrationProgress> {
    const real = await realTaskOf(queued).catch((error) => ifNodeIsDead(client, queued, error))
    if (real === 'node-is-dead') return unknownEnd(`${queued.node} is offline: what HA did there cannot be read`)
    if (real !== undefined) return followTask(real)
    const at = await locate(client, vmid(Number(queued.id)))
    if (at.is === 'at' && at.node !== queued.node && at.lock === undefined) {
      return { is: 'ended', outcome: 'ok', blackout: 'unmeasured', bytesPerSecond: 'unknown' }
    }
    const waitedMs = (await config.clock.nowMs()) - queued.startedAtMs
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
    migrate: (move) => startMove(client, move),
    findMigration: (query) => findTask(client, query),
    async follow(handle) {
      const upid = upidOf(handle, 'follow a migration')
      return upid.type === 'hamigrate' ? followQueued(upid) : followTask(upid)
    },
    async cancelMigration(handle) {
      const upid = upidOf(handle, 'cancel a migration')
      const doing = `cancel the migration of guest ${upid.id} on ${upid.node}`
      const real = upid.type === 'hamigrate' ? await realTaskOf(upid) : upid
      if (real === undefined) {
        throw new DriverError('proxmox', doing, {
          retry: 'later',
          text: 'HA has queued it and not begun: there is no task to stop',
        })
      }
      await client.write('DELETE', nothing, {
        doing,
        path: path`/nodes/${real.node}/tasks/${real.text}`,
        avoid: real.node,
      })
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

async function startMove(client: ProxmoxClient, move: MoveRequest): Promise<MigrationHandle> {
  const { guest, from, to } = move
  const doing = `migrate guest ${guest} from ${from} to ${to}`
  const at = await guestAt(client, { guest, node: from, avoid: from })
  if (at === undefined) throw new DriverError('proxmox', doing, { retry: 'never', text: `it is not on ${from}` })
  const upid = await client.write('POST', z.string().startsWith('UPID:'), {
    doing,
    path: path`/nodes/${from}/${SUBPATH[at.kind]}/${guest}/migrate`,
    params: { target: to, ...(await migrateParams(client, move, at)) },
    avoid: from,
  })
  return upidOf(upid, doing).text
}

async function migrateParams(client: ProxmoxClient, move: MoveRequest, at: GuestAt) {
  if (at.kind === 'ct') return move.mode === 'restart' ? { restart: true, timeout: CONTAINER_STOP_LIMIT_S } : {}
  if (move.mode === 'restart') {
    throw new DriverError('proxmox', `migrate guest ${move.guest}`, {
      retry: 'never',
      text: 'only containers are moved by restart; this is a virtual machine',
    })
  }
  const online = move.mode === 'live'
  return {
    ...(online ? { online } : {}),
    ...(move.withLocalDisks && online ? { 'with-local-disks': true } : {}),
    ...(online && (await bothCarrySessions(client, move)) ? { 'with-conntrack-state': true } : {}),
  }
}

/** Both ends must have the helper; releases before 9 know neither the question (501) nor the parameter. */
async function bothCarrySessions(client: ProxmoxClient, { from, to }: MoveRequest): Promise<boolean> {
  const answers = await Promise.all(
    [from, to].map((node) =>
      client.ask(wire.migrationCapabilities, {
        doing: `ask what ${node} can migrate`,
        path: path`/nodes/${node}/capabilities/qemu/migration`,
        avoid: from,
      }),
    ),
  )
  return answers.every((answer) => answer.is === 'data' && answer.data['has-dbus-vmstate'] === true)
}

/** No migration lasts longer: further back in the list than this nobody looks. */
const LONGEST_MIGRATION_S = 86_400

/** The guest's tasks on its source, newest first. HA's run as root@pam: seen with Sys.Audit only. */
async function tasksOfGuest(client: ProxmoxClient, { guest, from, sinceMs }: Query) {
  const tasks = await client.get(wire.tasks, {
    doing: `look for a migration of guest ${guest} on ${from}`,
    path: path`/nodes/${from}/tasks`,
    // Proxmox compares whole seconds with the task's start.
    params: {
      source: 'all',
      vmid: guest,
      since: Math.max(0, inSeconds(sinceMs) - LONGEST_MIGRATION_S),
      limit: TASK_LIST_LIMIT,
    },
    avoid: from,
  })
  return [...tasks].sort((left, right) => right.starttime - left.starttime)
}

/** Under way, or ended since then; else HA's wish that nothing came of yet: its handle waits for the real task. */
async function findTask(client: ProxmoxClient, query: Query): Promise<MigrationHandle | undefined> {
  const since = inSeconds(query.sinceMs)
  const tasks = await tasksOfGuest(client, query)
  const recent = tasks.filter((task) => task.endtime === undefined || task.endtime >= since)
  const real = recent.find((task) => MIGRATION_TYPES.has(task.type))
  return (real ?? recent.find((task) => task.type === 'hamigrate' && task.starttime >= since))?.upid
}

const inSeconds = (ms: number) => Math.floor(ms / 1000)

type KeptLog = { readonly linesRead: number; readonly lastLine: string; readonly log: MigrationLog }
const UNREAD: KeptLog = { linesRead: 0, lastLine: '', log: EMPTY_LOG }

/** Reads on where the last look ended; a log whose known end is not there any more (node reinstalled) is read anew. */
function logReader(client: ProxmoxClient) {
  const keptLogs = new Map<string, KeptLog>()

  /** Begins with the last line that is known, so that a log which began anew shows. */
  async function readOn(upid: Upid, known: KeptLog, doing: string): Promise<KeptLog | 'began-anew'> {
    const start = Math.max(0, known.linesRead - 1)
    const page = await client.get(wire.taskLog, {
      doing,
      path: path`/nodes/${upid.node}/tasks/${upid.text}/log`,
      params: { start, limit: LOG_PAGE_LINES },
      avoid: upid.node,
    })
    const lines = page.map((line) => line.t ?? '')
    if (known.linesRead > 0 && lines[0] !== known.lastLine) return 'began-anew'
    const fresh = known.linesRead > 0 ? lines.slice(1) : lines
    return {
      linesRead: known.linesRead + fresh.length,
      lastLine: lines.at(-1) ?? known.lastLine,
      log: fresh.reduce(readLogLine, known.log),
    }
  }

  return {
    forget: (upid: Upid) => void keptLogs.delete(upid.text),
    async read(upid: Upid, doing: string): Promise<MigrationLog> {
      let kept = keptLogs.get(upid.text) ?? UNREAD
      try {
        for (let page = 0; page < LOG_PAGES_LIMIT; page++) {
          const next = await readOn(upid, kept, doing)
          const grown = next === 'began-anew' ? LOG_PAGE_LINES : next.linesRead - kept.linesRead
          kept = next === 'began-anew' ? UNREAD : next
          if (grown < LOG_PAGE_LINES - 1) break
        }
      } catch (error) {
        // The log is evidence; that the task ended is the fact. Without it the figures stay unmeasured.
        if (!(error instanceof DriverError)) throw error
      }
      if (keptLogs.size >= LOGS_KEPT_LIMIT) keptLogs.delete(keptLogs.keys().next().value ?? upid.text)
      keptLogs.set(upid.text, kept)
      return kept.log
    },
  }
}
