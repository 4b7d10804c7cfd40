/** The cluster-wide half of a look: quorum, votes, HA, options, tasks, rights. */

import { z } from 'zod'
import type { ClusterObservation } from '#domain/cluster'
import { type NodeName, nodeName } from '#domain/ids'
import type { ProxmoxClient } from './client.ts'
import { type HaView, haView, rulesOfGroups, rulesOfHa } from './ha.ts'
import { backupJobs, replicationJobs, runningReplication, runningTasks } from './look-jobs.ts'
import { property, sharesCorosync } from './look-network.ts'
import { shortMemory } from './memory.ts'
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
  | 'backupsAhead'
> & {
  readonly name: string
  readonly members: readonly Member[]
  readonly resources: readonly wire.Resource[]
  readonly ha: HaView
  readonly options: wire.Options
  readonly recentTasks: readonly wire.Task[]
}

const NO_OPTIONS: wire.Options = { migration: undefined, ha: undefined, 'next-id': undefined }
const NO_MANAGER = { manager_status: undefined, lrm_status: undefined }

/** Settings, rights and jobs change by people's hands: a look within the same minute does not ask for them again. */
const SETTINGS_KEPT_MS = 60_000

export function clusterMemory() {
  const kept = <T>() => shortMemory<T>(SETTINGS_KEPT_MS, 1)
  return {
    version: kept<z.output<typeof wire.version>>(),
    configNodes: kept<z.output<typeof wire.configNodes>>(),
    options: kept<wire.Options>(),
    permissions: kept<Permissions>(),
    groups: kept<z.output<typeof wire.haGroups>>(),
    replication: kept<readonly wire.ReplicationJob[]>(),
    backups: kept<NonNullable<ClusterObservation['backupsAhead']>>(),
  }
}
export type ClusterMemory = ReturnType<typeof clusterMemory>
type Look = { readonly sight: Sight; readonly kept: ClusterMemory; readonly nowMs: number }

/** The first two are all of a look that must be had; the rest may be missing, and is then said. */
export async function lookAtCluster(
  client: ProxmoxClient,
  look: Look & { readonly avoid?: string | undefined },
): Promise<ClusterFacts> {
  const { sight, kept, nowMs, avoid } = look
  const through = avoid === undefined ? {} : { avoid }
  const [status, resources] = await Promise.all([
    client.get(wire.clusterStatus, { doing: 'read the cluster status', path: '/cluster/status', ...through }),
    client.get(wire.resources, { doing: 'list the cluster resources', path: '/cluster/resources', ...through }),
  ])
  const once = { key: '', nowMs, mark: undefined }
  const [version, configNodes = [], qdevice, options = NO_OPTIONS, tasks, permissions, replication = [], backupsAhead] =
    await Promise.all([
      kept.version.get(once, () => sight.see(wire.version, VERSION, undefined)),
      kept.configNodes.get(once, () => sight.see(wire.configNodes, VOTES, undefined)),
      sight.seeUnless(notOffered, wire.qdevice, { doing: 'read the QDevice', path: '/cluster/config/qdevice' }, {}),
      kept.options.get(once, () => sight.see(wire.options, OPTIONS, undefined)),
      sight.see(wire.tasks, { doing: 'list the running tasks', path: '/cluster/tasks' }, []),
      kept.permissions.get(once, () => sight.see(wire.permissions, PERMISSIONS, undefined)),
      kept.replication.get(once, () => replicationJobs(sight)),
      kept.backups.get(once, () => backupJobs(sight)),
    ])
  const { ha, rules } = await lookAtHa(look, majorOf(version?.version))
  if (permissions !== undefined) sayMissingRights(sight, permissions)
  const members = membersOf(status)
  const cluster = status.find((item) => item.type === 'cluster')
  const online = new Set<string>(members.filter((member) => member.online).map(({ name }) => name))
  return {
    // A node that never joined a cluster has no entry for one, and needs no votes but its own.
    name: cluster?.name ?? members[0]?.name ?? '',
    quorate: cluster === undefined ? true : cluster.quorate === true,
    members,
    resources,
    ha,
    rules,
    options,
    recentTasks: tasks,
    ...(version === undefined ? {} : { pveVersion: version.version }),
    votes: Object.fromEntries(configNodes.map((node) => [node.node, node.quorum_votes ?? 1])),
    ...qdeviceOf(qdevice, members.length),
    tasks: [...runningTasks(tasks), ...(await runningReplication(sight, replication, online))],
    ...(backupsAhead === undefined ? {} : { backupsAhead }),
    migrationNetworkIsCorosyncLink: sharesCorosync(options, configNodes, members),
    shutdownPolicy: shutdownPolicyOf(options),
  }
}

const VERSION = { doing: 'read the version', path: '/version' }
const VOTES = { doing: 'read the votes', path: '/cluster/config/nodes' }
const OPTIONS = { doing: 'read the cluster options', path: '/cluster/options' }
const PERMISSIONS = { doing: "read the token's rights", path: '/access/permissions' }

/** Where the version cannot be read, the newer release is taken: its paths are 501 on the older. */
const majorOf = (version: string | undefined) => Number.parseInt(version ?? '9', 10)

export function membersOf(status: z.output<typeof wire.clusterStatus>): readonly Member[] {
  return status
    .filter((item) => item.type === 'node')
    .map((item) => ({ name: nodeName(item.name), online: item.online === true, address: item.ip }))
    .sort((left, right) => left.name.localeCompare(right.name))
}

async function lookAtHa({ sight, kept, nowMs }: Look, major: number) {
  const [current, manager] = await Promise.all([
    sight.see(wire.haCurrent, { doing: 'read the HA status', path: '/cluster/ha/status/current' }, []),
    sight.see(
      wire.managerStatus,
      { doing: 'read the HA manager', path: '/cluster/ha/status/manager_status' },
      NO_MANAGER,
    ),
  ])
  const listResources = () =>
    sight.see(wire.haResources, { doing: 'list the HA resources', path: '/cluster/ha/resources' }, [])
  // 9.x has rules; a cluster that is half upgraded still has groups, and one that is not answers 501 for rules.
  const told = major >= 9 ? await sight.seeOr(notOffered, [], { schema: wire.haRules, call: RULES }) : undefined
  const once = { key: '', nowMs, mark: undefined }
  const groups = (await kept.groups.get(once, () => sight.seeOr(saysNoGroups, [], GROUPS))) ?? []
  const resources = groups.length > 0 || major < 9 ? await listResources() : servicesOf(current)
  return {
    ha: haView({ resources, current, manager }),
    rules: [...rulesOfHa(told ?? []), ...rulesOfGroups(groups, resources)],
  }
}

const RULES = { doing: 'list the HA rules', path: '/cluster/ha/rules' }
const GROUPS = { schema: wire.haGroups, call: { doing: 'list the HA groups', path: '/cluster/ha/groups' } }

/** Recorded on 9.2: 500 "cannot index groups: ha groups have been migrated to rules". */
const saysNoGroups = ({ status, text }: Refusal): boolean => status === 501 || /migrated to rules/.test(text)

/** What is under HA stands in its status too, but for the group: a call less. */
const servicesOf = (current: z.output<typeof wire.haCurrent>): z.output<typeof wire.haResources> =>
  current.flatMap(({ type, sid, request_state: state }) =>
    type === 'service' && sid !== undefined ? [{ sid, state, group: undefined }] : [],
  )

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
