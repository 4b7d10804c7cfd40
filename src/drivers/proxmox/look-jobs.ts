/** What the cluster is busy with, and what will begin by itself: tasks, replication under way, backups that are due. */
import type { ClusterObservation, PveTask } from '#domain/cluster'
import { nodeName, vmid } from '#domain/ids'
import { path } from './client.ts'
import type { Sight } from './sight.ts'
import * as wire from './wire.ts'

export const runningTasks = (tasks: readonly wire.Task[]): readonly PveTask[] =>
  tasks
    .filter((task) => task.endtime === undefined && (task.status === undefined || task.status === 'RUNNING'))
    .map((task) => ({
      id: task.upid,
      node: nodeName(task.node ?? task.upid.split(':')[1] ?? ''),
      type: task.type,
      ...(/^\d+$/.test(task.id ?? '') ? { guest: vmid(Number(task.id)) } : {}),
      startedAtMs: task.starttime * 1000,
    }))

/** Replication is no task: a node tells of its own jobs, one with `pid` runs. Only nodes that send are asked. */
export async function runningReplication(
  sight: Sight,
  jobs: readonly wire.ReplicationJob[],
  online: ReadonlySet<string>,
): Promise<readonly PveTask[]> {
  const sources = new Set(
    jobs.flatMap(({ source, disable }) => (source === undefined || disable === true ? [] : source)),
  )
  const lists = await Promise.all(
    [...sources]
      .filter((node) => online.has(node))
      .map(async (node) => {
        const call = { doing: `ask ${node} for its replication`, path: path`/nodes/${node}/replication` }
        const told = await sight.see(wire.replicationStates, call, [])
        return told.filter(({ pid }) => pid !== undefined).map((job) => ({ ...job, node: nodeName(node) }))
      }),
  )
  return lists.flat().map((job) => ({
    id: `replication ${job.id} on ${job.node}`,
    node: job.node,
    type: 'replication',
    ...(job.guest === undefined ? {} : { guest: vmid(job.guest) }),
    startedAtMs: (job.last_try ?? 0) * 1000,
  }))
}

export const replicationJobs = (sight: Sight): Promise<readonly wire.ReplicationJob[] | undefined> =>
  sight.see(wire.replicationJobs, { doing: 'list the replication jobs', path: '/cluster/replication' }, undefined)

/** Backups lock their guests for hours: when the next of each job begins. */
export async function backupJobs(sight: Sight): Promise<ClusterObservation['backupsAhead']> {
  const jobs = await sight.see(wire.backupJobs, { doing: 'list the backup jobs', path: '/cluster/backup' }, undefined)
  return jobs
    ?.filter((job) => job.enabled !== false && job['next-run'] !== undefined)
    .map((job) => ({
      id: job.id,
      atMs: (job['next-run'] ?? 0) * 1000,
      ...(job.node === undefined ? {} : { node: nodeName(job.node) }),
    }))
    .sort((left, right) => left.atMs - right.atMs)
}
