/** The Ceph cluster. Whole-host questions, and flags on one host. */
import type { CephObservation, NooutLease } from '#domain/ceph'
import type { NodeName } from '#domain/ids'

export type Storage = {
  /** 'none' where the cluster has no Ceph. */
  observe(): Promise<CephObservation | 'none'>
  /** For all OSDs of the host together. */
  okToStop(osds: readonly number[]): Promise<{ readonly ok: boolean; readonly text: string }>
  /** What noout reaches: this host's OSDs only, or the whole cluster (Proxmox's API). Said before it is set. */
  readonly nooutScope: 'host' | 'cluster'
  setNoout(host: NodeName): Promise<void>
  clearNoout(host: NodeName): Promise<void>
  readLease(host: NodeName): Promise<NooutLease | undefined>
  writeLease(lease: NooutLease): Promise<void>
  deleteLease(host: NodeName): Promise<void>
  failMgr(host: NodeName): Promise<void>
  /** In order, before the power goes. 'not-allowed' where our rights do not reach so far. */
  stopOsds(host: NodeName, osds: readonly number[]): Promise<'stopped' | 'not-allowed'>
}
