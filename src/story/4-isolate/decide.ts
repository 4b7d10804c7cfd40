/** What must hold before the power of a node may go. Pure; safety.md's list, every condition a blocker with a name. */
import type { Blocker } from '#domain/blocker'
import { type CephObservation, isNooutSet, type NooutLease, osdsOf } from '#domain/ceph'
import type { ClusterObservation } from '#domain/cluster'
import type { NodeName } from '#domain/ids'
import { lrmBlockers, othersAwayBlockers, quorumBlockers } from '../conditions/quorum.ts'
import {
  cephBlockers,
  type ElsewhereFlag,
  elsewhereFlagBlockers,
  nooutBlockers,
  type OkToStop,
  okToStopBlockers,
} from '../conditions/storage.ts'
import { type IdentityProof, identityBlockers } from '../conditions/who.ts'

export type IsolateFacts = {
  readonly node: NodeName
  readonly nowMs: number
  readonly cluster: ClusterObservation
  readonly ceph: CephObservation | 'none'
  readonly identity: IdentityProof
  readonly okToStop: OkToStop
  readonly lease: NooutLease | undefined
  readonly owner: string
  readonly monitorsLeftAtLeast: number
  readonly leftOnNode: readonly Blocker[]
  readonly elsewhere: readonly ElsewhereFlag[]
}

/** Before the lease is taken. */
export function isolateBlockers(facts: IsolateFacts): readonly Blocker[] {
  const { node, cluster, ceph } = facts
  const ofCeph = ceph === 'none' ? [] : cephBlockers(ceph, node, facts.monitorsLeftAtLeast)
  const ofNoout = ceph === 'none' ? [] : nooutBlockers(ceph, node, facts.lease?.owner === facts.owner)
  return [
    ...identityBlockers(node, facts.identity),
    ...facts.leftOnNode,
    ...quorumBlockers(cluster, node),
    ...othersAwayBlockers(cluster, node),
    ...lrmBlockers(cluster, node),
    ...ofCeph,
    ...ofNoout,
    ...elsewhereFlagBlockers(facts.elsewhere, cluster),
    ...okToStopBlockers(node, facts.okToStop),
  ]
}

/** Right before the command: all of it again, and the lease asserted. */
export function powerOffBlockers(facts: IsolateFacts): readonly Blocker[] {
  return [...isolateBlockers(facts), ...leaseBlockers(facts)]
}

/**
 * A node that was off before, or whose OSDs our own earlier try stopped, leaves PGs that cannot be clean without it. While nothing is
 * away elsewhere and Ceph says that the rest may stop, that is no reason to keep it on: a disk that is missing after the repair is
 * looked for with the power off.
 */
export function withoutOwnAbsence(facts: IsolateFacts, blockers: readonly Blocker[]): readonly Blocker[] {
  const { ceph, node, okToStop } = facts
  if (ceph === 'none' || osdsOf(ceph, node).every((osd) => osd.up)) return blockers
  const isWholeElsewhere = ceph.osds.every((osd) => osd.up || osd.host === node)
  const mayStop = okToStop === 'not-asked' || okToStop.ok
  if (!isWholeElsewhere || !mayStop) return blockers
  return blockers.filter(({ kind }) => kind !== 'placement-groups-not-clean')
}

export function leaseBlockers({
  node,
  nowMs,
  ceph,
  lease,
  owner,
}: Pick<IsolateFacts, 'node' | 'nowMs' | 'ceph' | 'lease' | 'owner'>): readonly Blocker[] {
  if (ceph === 'none') return []
  const lifts = 'it is set again'
  const held = lease?.owner === owner
  const stands = isNooutSet(ceph, node)
  if (!held || !stands) {
    const text = held ? `noout of ${node} was cleared by somebody else` : `no noout lease of ours on ${node}`
    return [{ kind: 'lease-not-held', node, text, lifts }]
  }
  if (lease !== undefined && nowMs > lease.expiresAtMs) {
    return [{ kind: 'lease-expired', node, text: `the noout lease of ${node} has run out`, lifts: 'it is renewed' }]
  }
  return []
}
