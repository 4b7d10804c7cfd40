/** A cluster as a file tells of it: what `plan --snapshot`, `check-plan` and the lab begin with. */
import type { CephObservation } from './ceph.ts'
import type { ClusterObservation } from './cluster.ts'
import type { PlanPolicy } from './policy.ts'

export type Snapshot = {
  readonly cluster: ClusterObservation
  readonly ceph: CephObservation | 'none'
  readonly policy: PlanPolicy
}
