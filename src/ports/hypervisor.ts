/** The Proxmox VE cluster. Drivers translate; they never decide. */
import type { ClusterObservation } from '#domain/cluster'
import type { NodeName, Vmid } from '#domain/ids'
import type { Known, Measured } from '#domain/measured'
import type { Hardware } from '#domain/node'
import type { MoveMode } from '#domain/plan'

export type Whereabouts =
  | { readonly is: 'at'; readonly node: NodeName; readonly status: 'running' | 'stopped'; readonly lock?: string }
  | { readonly is: 'missing' }
  /** Its node is dead or nobody answers: it may run there still. */
  | { readonly is: 'unknown'; readonly reason: string }

/** A migration that somebody can follow: a PVE task's id, or the wait for one that HA will start. */
export type MigrationHandle = string

export type MigrationProgress =
  | {
      readonly is: 'running'
      readonly transferredBytes: Known<number>
      readonly totalBytes: Known<number>
      /** Proxmox doubles the pause it allows by itself, up to 2000 s; the highest value in the task's log. */
      readonly allowedPauseMs: Known<number>
    }
  | {
      readonly is: 'ended'
      readonly outcome: 'ok'
      readonly blackout: Measured
      readonly bytesPerSecond: Known<number>
      /** Where it went, by the task's own word: HA chooses its own target. */
      readonly target: Known<NodeName>
    }
  | { readonly is: 'ended'; readonly outcome: 'failed' | 'cancelled'; readonly text: string }
  /** The worker was killed or its node died: look where the guest is. */
  | { readonly is: 'ended'; readonly outcome: 'unknown'; readonly text: string }

export type MoveRequest = {
  readonly guest: Vmid
  readonly from: NodeName
  readonly to: NodeName
  readonly mode: MoveMode
  readonly withLocalDisks: boolean
}

export type Hypervisor = {
  /**
   * A complete look. `avoid`: never ask this node's API (it is being drained). `again`: of what no move changes (configurations,
   * storages, versions, rights, rules) it may tell what an earlier look saw; where guests are, what runs and what is up is seen now.
   */
  observe(options?: { readonly avoid?: NodeName; readonly again?: boolean }): Promise<ClusterObservation>
  /** Asks the cluster and the node itself, not the stale list alone. `expected`: asked first; a node that has the guest is enough. */
  locate(guest: Vmid, expected?: NodeName): Promise<Whereabouts>
  /**
   * Who runs on this node by the cluster's list, which is 10 to 20 s behind: the first of two independent looks. `sharedForMs`: may
   * tell what another such look saw up to so long ago; moves that begin one after the other ask one question together.
   */
  listedOn(node: NodeName, sharedForMs?: number): Promise<readonly Vmid[]>
  /** Who runs on this node by the node's own word (not the cluster's list): the independent second look. */
  runningOn(node: NodeName): Promise<readonly Vmid[]>
  /**
   * Starts a move and returns what to follow. Never repeated by the driver; after a lost answer look with findMigration. Asked for
   * again after a lost answer, it looks for the task itself before it acts.
   */
  migrate(move: MoveRequest): Promise<MigrationHandle>
  /** A migration of this guest away from `from` that is under way, or that ended since `sinceMs`. HA's real task, not its queueing. */
  findMigration(query: {
    readonly guest: Vmid
    readonly from: NodeName
    readonly sinceMs: number
  }): Promise<MigrationHandle | undefined>
  follow(handle: MigrationHandle): Promise<MigrationProgress>
  cancelMigration(handle: MigrationHandle): Promise<void>
  /** HA's maintenance mode. 'unavailable' where there is no way to set it (no ssh key, no HA). */
  setMaintenanceMode(node: NodeName, on: boolean): Promise<'set' | 'unavailable'>
  maintenanceMode(node: NodeName): Promise<'on' | 'off' | 'unavailable'>
  /** Orderly; answers before it acts. */
  shutDown(node: NodeName): Promise<void>
  /** As its cluster sees it, by quorum's word. */
  nodeOnline(node: NodeName): Promise<boolean>
  /** What the node says of itself; only while it is online. */
  hardware(node: NodeName): Promise<Hardware>
}
