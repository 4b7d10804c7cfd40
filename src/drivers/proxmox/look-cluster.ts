/** The cluster-wide half of a look: quorum, votes, HA, options, tasks, rights. */

import { z } from 'zod'
import type { ClusterObservation, PveTask } from '#domain/cluster'
import { type NodeName, nodeName, vmid } from '#domain/ids'
import type { ProxmoxClient } from './client.ts'
import { type HaView, haView, rulesOfGroups, rulesOfHa } from './ha.ts'
import { property, sharesCorosync } from './look-network.ts'
import { lacking, needsOf, type Permissions } from './rights.ts'
import type { Refusal } from './schema.ts'
import { notOffered, type Sight } from './sight.ts'
import * as wire from './wire.ts'

export type Member = { readonly name: NodeName; readonly online: boolean; readonly address: string | undefined }
export type ClusterFacts = Pick<
  ClusterObservation,
  | 'pveVersion'
  | 'quorate'
  | 'votes'
  | 'qdeviceVotes'
  | 'qdeviceUp'
  | 'rules'
  | 'tasks'
  | 'migrationNetworkIsCorosyncLink'
  | 'shutdownPolicy'
> & {
  readonly name: string
  readonly members: readonly Member[]
  readonly resources: readonly wire.Resource[]
  readonly ha: HaView
  readonly options: wire.Options
}

const NO_OPTIONS: wire.Options = { migration: undefined, ha: undefined, 'next-id': undefined }
const NO_MANAGER = { manager_status: undefined, lrm_status: undefined }

/** Without these two there is no look at all; the rest may be missing, and is then said. */
export async function lookAtCluster(client: ProxmoxClient, sight: Sight, avoid?: string): Promise<ClusterFacts> {
  const through = avoid === undefined ? {} : { avoid }
  const [status, resources] = await Promise.all([
    client.get(wire.clusterStatus, { doing: 'read the cluster status', path: '/cluster/status', ...through }),
    client.get(wire.resources, { doing: 'list the cluster resources', path: '/cluster/resources', ...through }),
  ])
  const [version, configNodes, qdevice, options, tasks, permissions] = await Promise.all([
    sight.see(wire.version, { doing: 'read the version', path: '/version' }, undefined),
    sight.see(wire.configNodes, { doing: 'read the votes', path: '/cluster/config/nodes' }, []),
    sight.seeUnless(notOffered, wire.qdevice, { doing: 'read the QDevice', path: '/cluster/config/qdevice' }, {}),
    sight.see(wire.options, { doing: 'read the cluster options', path: '/cluster/options' }, NO_OPTIONS),
    sight.see(wire.tasks, { doing: 'list the running tasks', path: '/cluster/tasks' }, []),
    sight.see(wire.permissions, { doing: "read the token's rights", path: '/access/permissions' }, undefined),
  ])
  const { ha, rules } = await lookAtHa(sight, Number.parseInt(version?.version ?? '9', 10))
  if (permissions !== undefined) sayMissingRights(sight, permissions)
  const members = membersOf(status)
  const cluster = status.find((item) => item.type === 'cluster')
  return {
    // A node that never joined a cluster has no entry for one, and needs no votes but its own.
    name: cluster?.name ?? members[0]?.name ?? '',
    quorate: cluster === undefined ? true : cluster.quorate === true,
    members,
    resources,
    ha,
    rules,
    options,
    ...(version === undefined ? {} : { pveVersion: version.version }),
    votes: Object.fromEntries(configNodes.map((node) => [node.node, node.quorum_votes ?? 1])),
    ...qdeviceOf(qdevice, members.length),
    tasks: runningTasks(tasks),
    migrationNetworkIsCorosyncLink: sharesCorosync(options, configNodes, members),
    shutdownPolicy: shutdownPolicyOf(options),
  }
}

export function membersOf(status: z.output<typeof wire.clusterStatus>): readonly Member[] {
  return status
    .filter((item) => item.type === 'node')
    .map((item) => ({ name: nodeName(item.name), online: item.online === true, address: item.ip }))
    .sort((left, right) => left.name.localeCompare(right.name))
}

async function lookAtHa(sight: Sight, major: number) {
  const [resources, current, manager] = await Promise.all([
    sight.see(wire.haResources, { doing: 'list the HA resources', path: '/cluster/ha/resources' }, []),
    sight.see(wire.haCurrent, { doing: 'read the HA status', path: '/cluster/ha/status/current' }, []),
    sight.see(
      wire.managerStatus,
      { doing: 'read the HA manager', path: '/cluster/ha/status/manager_status' },
      NO_MANAGER,
    ),
  ])
  // 9.x has rules, and answers 500 for groups; 8.x has groups and does not know rules.
  const rules =
    major >= 9
      ? rulesOfHa(await sight.see(wire.haRules, { doing: 'list the HA rules', path: '/cluster/ha/rules' }, []))
      : rulesOfGroups(
          await sight.see(wire.haGroups, { doing: 'list the HA groups', path: '/cluster/ha/groups' }, []),
          resources,
        )
  return { ha: haView({ resources, current, manager }), rules }
}

/** What is missing leaves things out in silence; the other rights that are missing are told by what they refuse. */
const HIDES: Readonly<Record<string, string>> = {
  'VM.Audit': 'guests may be hidden: the token lacks VM.Audit on /vms',
  'Sys.Audit': 'tasks of others may be hidden: the token lacks Sys.Audit on /nodes',
  'Datastore.Audit': 'storages may be hidden: the token lacks Datastore.Audit on /storage',
}

/** A token without rights gets 200 and silently fewer guests: the rights are asked, not the list believed. */
function sayMissingRights(sight: Sight, permissions: Permissions): void {
  for (const { path, right } of lacking(permissions, needsOf(false))) {
    const text = HIDES[right]
    if (text !== undefined && path !== '/') sight.say(text)
  }
}

function runningTasks(tasks: z.output<typeof wire.tasks>): readonly PveTask[] {
  return tasks
    .filter((task) => task.endtime === undefined && (task.status === undefined || task.status === 'RUNNING'))
    .map((task) => ({
      id: task.upid,
      node: nodeName(task.node ?? task.upid.split(':')[1] ?? ''),
      type: task.type,
      ...(/^\d+$/.test(task.id ?? '') ? { guest: vmid(Number(task.id)) } : {}),
      startedAtMs: task.starttime * 1000,
    }))
}

/** The daemon's own words: {"State": "Connected", "Algorithm": "Fifty-Fifty split", …}; empty where there is none. */
function qdeviceOf(told: z.output<typeof wire.qdevice>, nodeCount: number) {
  const text = JSON.stringify(told)
  if (Object.keys(told).length === 0) return { qdeviceVotes: 0, qdeviceUp: false }
  const lastManStanding = /"Algorithm":"(LMS|Last Man Standing)/i.test(text)
  return { qdeviceVotes: lastManStanding ? nodeCount - 1 : 1, qdeviceUp: /"State":"Connected/i.test(text) }
}

function shutdownPolicyOf(options: wire.Options): ClusterObservation['shutdownPolicy'] {
  const told = property(options.ha, 'shutdown_policy')
  return told === 'freeze' || told === 'failover' || told === 'migrate' ? told : 'conditional'
}

/** Recorded: 500 "pveceph configuration not initialized - missing '/etc/pve/ceph.conf' …". */
export const saysNoCeph = ({ text }: Refusal): boolean => /not initialized|not installed|not fully installed/.test(text)

const fsidOf = z.looseObject({ fsid: z.string().optional() })

/** Of the Ceph under this cluster; undefined where there is none. */
export async function cephFsid(sight: Sight): Promise<string | undefined> {
  const call = { doing: 'ask which Ceph this is', path: '/cluster/ceph/status' }
  return (await sight.seeUnless(saysNoCeph, fsidOf, call, undefined))?.fsid
}
