/** A node's own list of tasks, asked once for all who follow guests away from it. */
import type { z } from 'zod'
import type { NodeName, Vmid } from '#domain/ids'
import type { Clock } from '#ports/clock'
import { type ProxmoxClient, path } from './client.ts'
import * as wire from './wire.ts'

export type ListedTask = z.output<typeof wire.tasks>[number]

/** Whoever asks within this time after the list was asked for gets the same; never what was asked for before our own last act there. */
const SHARED_FOR_MS = 2_000
/** No migration lasts longer: further back in the list than this nobody looks. */
const LONGEST_MIGRATION_S = 86_400
const TASK_LIST_LIMIT = 500

export type TaskLists = {
  /** The guest's tasks on this node, newest first. HA's run as root@pam: seen with Sys.Audit only. */
  ofGuest(guest: Vmid, node: NodeName): Promise<readonly ListedTask[]>
  /** We act on this node now: what was seen before does not count. Called before and after the act. */
  acted(node: NodeName): void
}

export function taskLists(client: ProxmoxClient, clock: Clock): TaskLists {
  type Shared = { readonly askedAtMs: number; readonly tasks: Promise<readonly ListedTask[]> }
  const lists = new Map<NodeName, Shared>()

  async function ask(node: NodeName, nowMs: number, guest?: Vmid): Promise<readonly ListedTask[]> {
    const tasks = await client.get(wire.tasks, {
      doing: guest === undefined ? `list the tasks of ${node}` : `look for a migration of guest ${guest} on ${node}`,
      path: path`/nodes/${node}/tasks`,
      params: {
        source: 'all',
        // Proxmox compares whole seconds with the task's start.
        since: Math.max(0, Math.floor(nowMs / 1000) - LONGEST_MIGRATION_S),
        limit: TASK_LIST_LIMIT,
        ...(guest === undefined ? {} : { vmid: guest }),
      },
      avoid: node,
    })
    return [...tasks].sort((left, right) => right.starttime - left.starttime)
  }

  function shared(node: NodeName, nowMs: number): Promise<readonly ListedTask[]> {
    const known = lists.get(node)
    if (known !== undefined && known.askedAtMs <= nowMs && nowMs <= known.askedAtMs + SHARED_FOR_MS) return known.tasks
    const tasks = ask(node, nowMs)
    const list = { askedAtMs: nowMs, tasks }
    lists.set(node, list)
    // A failure is its askers' own: who comes later asks anew.
    tasks.catch(() => {
      if (lists.get(node) === list) lists.delete(node)
    })
    return tasks
  }

  return {
    async ofGuest(guest, node) {
      const nowMs = await clock.nowMs()
      const all = await shared(node, nowMs)
      // A list that was cut may lack the one.
      const tasks = all.length < TASK_LIST_LIMIT ? all : await ask(node, nowMs, guest)
      return tasks.filter((task) => task.id === String(guest))
    },
    acted: (node) => void lists.delete(node),
  }
}
