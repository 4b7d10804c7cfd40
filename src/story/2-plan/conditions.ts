/** Everything that must hold before a maintenance begins, asked together so that the operator reads all of it at once. Pure. */
import type { Blocker } from '#domain/blocker'
import type { CephObservation } from '#domain/ceph'
import { type ClusterObservation, guestsOn, nodeOf } from '#domain/cluster'
import type { NodeName } from '#domain/ids'
import type { StoryPolicy } from '#domain/policy'
import { brakeBlockers, busyBlockers } from '../conditions/quorum.ts'
import {
  cephBlockers,
  type ElsewhereFlag,
  elsewhereFlagBlockers,
  nooutBlockers,
  type OkToStop,
  okToStopBlockers,
} from '../conditions/storage.ts'
import { type IdentityProof, identityBlockers, nodeBlockers } from '../conditions/who.ts'

export type Facts = {
  readonly node: NodeName
  readonly nowMs: number
  readonly policy: StoryPolicy
  readonly cluster: ClusterObservation
  readonly ceph: CephObservation | 'none'
  readonly identity: IdentityProof
  readonly maintenanceMode: 'on' | 'off' | 'unavailable'
  readonly nooutScope: 'host' | 'cluster'
  readonly okToStop: OkToStop
  /** A lease of ours stands on the host: an earlier run of ours, or this one. */
  readonly leaseIsOurs: boolean
  readonly elsewhere: readonly ElsewhereFlag[]
}

export function conditionsToBegin(facts: Facts): readonly Blocker[] {
  const { node, cluster, ceph, policy } = facts
  const whoIsWho = nodeBlockers(cluster, node)
  if (whoIsWho.some((blocker) => blocker.kind === 'node-unknown')) return whoIsWho
  return [
    ...whoIsWho,
    ...identityBlockers(node, facts.identity),
    ...brakeBlockers(cluster, node),
    ...busyBlockers(cluster, node),
    ...maintenanceModeBlockers(facts),
    ...windowBlockers(policy, facts.nowMs),
    ...(ceph === 'none' ? [] : cephBlockers(ceph, node, policy.monitorsLeftAtLeast)),
    ...(ceph === 'none' ? [] : nooutBlockers(ceph, node, facts.leaseIsOurs)),
    ...(ceph === 'none' ? [] : scopeBlockers(facts)),
    ...elsewhereFlagBlockers(facts.elsewhere, cluster),
    ...okToStopBlockers(node, facts.okToStop),
  ]
}

function scopeBlockers({ nooutScope, node }: Facts): readonly Blocker[] {
  if (nooutScope === 'host') return []
  const text = `noout can only be set for the whole cluster here, not for ${node} alone`
  const lifts = 'configure the ceph CLI with its narrow user, or an approver lifts it'
  return [{ kind: 'noout-cluster-wide', node, text, lifts }]
}

/** Without maintenance mode, failback pulls HA guests onto hardware that nobody has proven yet. */
function maintenanceModeBlockers({ maintenanceMode, cluster, node }: Facts): readonly Blocker[] {
  const count = guestsOn(cluster, node).filter((guest) => guest.ha.managed).length
  if (maintenanceMode !== 'unavailable' || count === 0) return []
  const text = `${count} HA guests on ${node}, and HA maintenance mode cannot be set`
  const lifts = 'configure the ha-manager key, or an approver lifts it: failback would pull them onto unproven hardware'
  return [{ kind: 'maintenance-mode-unavailable', node, text, lifts }]
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Day 0 of the epoch was a Thursday. */
const weekdayOf = (atMs: number) => (Math.floor(atMs / DAY_MS) + 4) % 7

function windowBlockers(policy: StoryPolicy, nowMs: number): readonly Blocker[] {
  const { window } = policy
  if (window === undefined) return []
  const hour = Math.floor((nowMs % DAY_MS) / HOUR_MS)
  const weekday = weekdayOf(nowMs)
  const isOpen = hour >= window.fromHour && hour < window.toHour
  const isDay = !window.weekdaysOnly || (weekday >= 1 && weekday <= 5)
  if (isOpen && isDay) return []
  const text = `it is ${hour}:00 UTC; the window is ${window.fromHour}:00 to ${window.toHour}:00${window.weekdaysOnly ? ', Monday to Friday' : ''}`
  return [{ kind: 'outside-window', text, lifts: 'the window opens, or an approver lifts it' }]
}

/** A drain takes minutes, a repair hours: what begins later than this is for another day. */
const BACKUP_IS_SOON_MS = 4 * HOUR_MS
const isSoon = ({ atMs }: { readonly atMs: number }, nowMs: number) => atMs >= nowMs && atMs < nowMs + BACKUP_IS_SOON_MS

/** What the operator should know before he approves, and nothing that stops the plan. */
export function remarks({
  cluster,
  ceph,
  node,
  nowMs,
}: Pick<Facts, 'cluster' | 'ceph' | 'node' | 'nowMs'>): readonly string[] {
  const said: string[] = []
  const here = nodeOf(cluster, node)
  if (cluster.crmMaster === node) said.push(`${node} is the HA master: another node takes over`)
  if (ceph !== 'none' && ceph.activeMgrHost === node)
    said.push(`the active Ceph mgr is on ${node}: it is failed over first`)
  if (here?.versions.pendingKernel !== undefined) {
    said.push(`kernel ${here.versions.pendingKernel} is installed and not running: ${node} comes back on it`)
  }
  if (cluster.migrationNetworkIsCorosyncLink === 'unknown') {
    said.push(
      'whether migrations share a network with corosync is not known: its addresses are names, or were not read',
    )
  }
  for (const { id, atMs } of (cluster.backupsAhead ?? []).filter((job) => isSoon(job, nowMs))) {
    said.push(`backup job ${id} begins in ${Math.ceil((atMs - nowMs) / 60_000)} min and locks its guests`)
  }
  if (!cluster.conntrackStateOffered)
    said.push('connection tracking is not carried over: firewalled guests may lose sessions')
  said.push(
    `shutdown_policy is ${cluster.shutdownPolicy}${cluster.shutdownPolicy === 'migrate' ? ': HA moves its guests off by itself' : ''}`,
  )
  return said
}
