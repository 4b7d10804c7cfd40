/** The Ceph cluster under the guests, as its monitors tell of it. */
import type { NodeName } from './ids.ts'

export type Osd = { readonly id: number; readonly host: NodeName; readonly up: boolean; readonly in: boolean }

export type Pool = {
  readonly name: string
  readonly size: number
  readonly minSize: number
  readonly failureDomain: string
}

export type PlacementGroups = {
  readonly total: number
  /** In state active+clean (scrubbing counts as clean). */
  readonly clean: number
  readonly degraded: number
  readonly misplaced: number
  readonly recovering: number
  readonly inconsistent: number
}

export type CephService = {
  readonly kind: string
  readonly host: NodeName
  /** Of a metadata server, where Ceph says so: whether a file system works by it, or it waits to take over. */
  readonly role?: 'active' | 'standby'
}

export type CephObservation = {
  readonly observedAtMs: number
  readonly fsid: string
  readonly osds: readonly Osd[]
  readonly pools: readonly Pool[]
  readonly placementGroups: PlacementGroups
  readonly monitors: readonly { readonly host: NodeName; readonly inQuorum: boolean }[]
  readonly activeMgrHost?: NodeName
  /** Metadata servers and gateways by host: 'mds', 'rgw', 'nfs', 'iscsi'. */
  readonly services: readonly CephService[]
  /** Cluster-wide flags: noout, norebalance, noup … */
  readonly flags: readonly string[]
  readonly hostFlags: Readonly<Record<string, readonly string[]>>
  readonly fullness: 'ok' | 'nearfull' | 'backfillfull' | 'full'
  readonly slowOpsCount: number
}

/** Who set noout on a host, why, until when, and what stood there before. Kept in the cluster itself besides our journal. */
export type NooutLease = {
  readonly owner: string
  readonly host: NodeName
  readonly reason: string
  readonly setAtMs: number
  readonly expiresAtMs: number
  /** The host's flags before ours: not ours to clear. */
  readonly flagsBefore: readonly string[]
}

export const osdsOf = (ceph: CephObservation, host: NodeName) => ceph.osds.filter((osd) => osd.host === host)

/** By the host's own flag or by the cluster's: either keeps the host's data where it is. */
export const isNooutSet = (ceph: CephObservation, host: NodeName) =>
  (ceph.hostFlags[host] ?? []).includes('noout') || ceph.flags.includes('noout')
