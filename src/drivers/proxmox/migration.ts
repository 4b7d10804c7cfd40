/** Moves of guests: begun once, found again, stopped. How they end is follow.ts's business. */

import { z } from 'zod'
import { DriverError } from '#domain/driver-error'
import type { NodeName, Vmid } from '#domain/ids'
import { nodeName } from '#domain/ids'
import type { MigrationHandle, MigrationProgress, MoveRequest } from '#ports/hypervisor'
import { type ProxmoxClient, path } from './client.ts'
import type { ProxmoxConfig } from './config.ts'
import { follower } from './follow.ts'
import type { KindMemory } from './kinds.ts'
import { SUBPATH } from './look-node.ts'
import { nothing } from './schema.ts'
import { type TaskLists, taskLists } from './task-lists.ts'
import { type TaskReader, taskReader } from './task-reader.ts'
import { MIGRATION_TYPES, type Upid, upidOf } from './upid.ts'
import { guestAt } from './whereabouts.ts'
import * as wire from './wire.ts'

/** A container that does not stop in time is not killed: its task fails, and somebody must look. */
const CONTAINER_STOP_LIMIT_S = 180

type Query = { readonly guest: Vmid; readonly from: NodeName; readonly sinceMs: number }

export type Migrations = {
  migrate(move: MoveRequest): Promise<MigrationHandle>
  findMigration(query: Query): Promise<MigrationHandle | undefined>
  follow(handle: MigrationHandle): Promise<MigrationProgress>
  cancelMigration(handle: MigrationHandle): Promise<void>
}

export type MigrationParts = {
  readonly client: ProxmoxClient
  /** What nodes offer is not asked for each guest. */
  readonly facts: ProxmoxClient
  readonly kinds: KindMemory
  readonly config: Pick<ProxmoxConfig, 'clock'>
}

export function migrations(parts: MigrationParts): Migrations {
  const { client } = parts
  const { clock } = parts.config
  const lists = taskLists(client, clock)
  const reader = taskReader(client, clock)
  const { follow, realTaskOf } = follower({ client, lists, reader, clock })
  /** Moves whose answer was lost, and since when: the next wish for the same guest looks for the task first. */
  const inDoubt = new Map<Vmid, number>()
  const stopsInDoubt = new Set<string>()

  async function migrate(move: MoveRequest): Promise<MigrationHandle> {
    const { guest, from } = move
    const sinceMs = await clock.nowMs()
    const doubtMs = inDoubt.get(guest)
    if (doubtMs !== undefined) {
      const found = await findTask(lists, { guest, from, sinceMs: doubtMs - CLOCKS_DIFFER_MS })
      inDoubt.delete(guest)
      if (found !== undefined) return found
    }
    lists.acted(from)
    try {
      return await startMove(parts, move)
    } catch (error) {
      if (error instanceof DriverError && error.retry !== 'never') inDoubt.set(guest, sinceMs)
      throw error
    } finally {
      lists.acted(from)
    }
  }

  return {
    migrate,
    findMigration: (query) => findTask(lists, query),
    follow,
    cancelMigration: (handle) => stopMove({ client, lists, reader, realTaskOf, stopsInDoubt }, handle),
  }
}

type StopParts = {
  readonly client: ProxmoxClient
  readonly lists: TaskLists
  readonly reader: TaskReader
  readonly realTaskOf: (queued: Upid) => Promise<Upid | undefined>
  /** Tasks whose stop we sent and never heard of. */
  readonly stopsInDoubt: Set<string>
}

async function stopMove(parts: StopParts, handle: MigrationHandle): Promise<void> {
  const { client, lists, reader, realTaskOf, stopsInDoubt } = parts
  const upid = upidOf(handle, 'cancel a migration')
  const doing = `cancel the migration of guest ${upid.id} on ${upid.node}`
  const real = upid.type === 'hamigrate' ? await realTaskOf(upid) : upid
  if (real === undefined) {
    const text = 'HA has queued it and not begun: there is no task to stop'
    throw new DriverError('proxmox', doing, { retry: 'later', text })
  }
  reader.wasStopped(real)
  if (stopsInDoubt.delete(real.text) && (await reader.read(real, doing)).is !== 'running') return
  lists.acted(nodeName(real.node))
  try {
    await client.write('DELETE', nothing, {
      doing,
      path: path`/nodes/${real.node}/tasks/${real.text}`,
      avoid: real.node,
    })
  } catch (error) {
    if (error instanceof DriverError && error.retry !== 'never') stopsInDoubt.add(real.text)
    throw error
  } finally {
    lists.acted(nodeName(real.node))
  }
}

/** A node's clock may be a little behind ours: its task would seem older than our wish. */
const CLOCKS_DIFFER_MS = 30_000

async function startMove(parts: MigrationParts, move: MoveRequest): Promise<MigrationHandle> {
  const { client, kinds } = parts
  const { guest, from, to } = move
  const doing = `migrate guest ${guest} from ${from} to ${to}`
  const kind = kinds.of(guest) ?? (await guestAt(client, { guest, node: from, avoid: from }))?.kind
  if (kind === undefined) throw new DriverError('proxmox', doing, { retry: 'never', text: `it is not on ${from}` })
  const upid = await client.write('POST', z.string().startsWith('UPID:'), {
    doing,
    path: path`/nodes/${from}/${SUBPATH[kind]}/${guest}/migrate`,
    params: { target: to, ...(await migrateParams(parts.facts, move, kind)) },
    avoid: from,
  })
  return upidOf(upid, doing).text
}

async function migrateParams(facts: ProxmoxClient, move: MoveRequest, kind: 'vm' | 'ct') {
  if (kind === 'ct') return move.mode === 'restart' ? { restart: true, timeout: CONTAINER_STOP_LIMIT_S } : {}
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
    ...(online && (await bothCarrySessions(facts, move)) ? { 'with-conntrack-state': true } : {}),
  }
}

/** Both ends must have the helper; releases before 9 know neither the question (501) nor the parameter. */
async function bothCarrySessions(facts: ProxmoxClient, { from, to }: MoveRequest): Promise<boolean> {
  const answers = await Promise.all(
    [from, to].map((node) =>
      facts.ask(wire.migrationCapabilities, {
        doing: `ask what ${node} can migrate`,
        path: path`/nodes/${node}/capabilities/qemu/migration`,
        avoid: from,
      }),
    ),
  )
  return answers.every((answer) => answer.is === 'data' && answer.data['has-dbus-vmstate'] === true)
}

/** Under way, or ended since then; else HA's wish that nothing came of yet: its handle waits for the real task. */
async function findTask(lists: TaskLists, { guest, from, sinceMs }: Query): Promise<MigrationHandle | undefined> {
  const since = Math.floor(sinceMs / 1000)
  const tasks = await lists.ofGuest(guest, from)
  const recent = tasks.filter((task) => task.endtime === undefined || task.endtime >= since)
  const real = recent.find((task) => MIGRATION_TYPES.has(task.type))
  return (real ?? recent.find((task) => task.type === 'hamigrate' && task.starttime >= since))?.upid
}
