/** A node's orderly shutdown: answered before it acts, and without a task of its own to follow. */
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { Clock } from '#ports/clock'
import { type ProxmoxClient, path } from './client.ts'
import { nothing } from './schema.ts'
import { nodeOnline } from './whereabouts.ts'
import * as wire from './wire.ts'

/** A node's clock may be a little behind ours. */
const CLOCKS_DIFFER_MS = 30_000
const TASK_LIST_LIMIT = 50

/** After a lost answer it looks whether the node goes down already before it says so again. */
export function shutdowns(client: ProxmoxClient, clock: Clock): (node: NodeName) => Promise<void> {
  const inDoubt = new Map<NodeName, number>()

  /** Gone from the cluster, or at the first thing that a shutdown does: it stops its guests, as root@pam. */
  async function hasBegun(node: NodeName, sinceMs: number): Promise<boolean> {
    if (!(await nodeOnline(client, node))) return true
    const tasks = await client.get(wire.tasks, {
      doing: `look whether ${node} shuts down`,
      path: path`/nodes/${node}/tasks`,
      params: { source: 'all', since: Math.floor((sinceMs - CLOCKS_DIFFER_MS) / 1000), limit: TASK_LIST_LIMIT },
      avoid: node,
    })
    return tasks.some((task) => task.type === 'stopall')
  }

  return async (node) => {
    const doubtMs = inDoubt.get(node)
    if (doubtMs !== undefined && (await hasBegun(node, doubtMs))) {
      inDoubt.delete(node)
      return
    }
    const sentAtMs = await clock.nowMs()
    try {
      await client.write('POST', nothing, {
        doing: `shut ${node} down`,
        path: path`/nodes/${node}/status`,
        params: { command: 'shutdown' },
        avoid: node,
      })
      inDoubt.delete(node)
    } catch (error) {
      if (error instanceof DriverError && error.retry !== 'never') inDoubt.set(node, sentAtMs)
      throw error
    }
  }
}
