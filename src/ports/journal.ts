/** The append-only, hash-chained record of what we saw, decided and did. */
import type { Event, JournalRow } from '#domain/event'
import type { ClusterName, MaintenanceId } from '#domain/ids'

export const MAINTENANCES_READ = 20

/** `isNew`: nobody had written under this key before, so whoever writes what he intends has not acted on it yet. */
export type Appended = { readonly row: JournalRow; readonly isNew: boolean }

export type Journal = {
  /** Durable when it resolves. A row under the same key is returned as it stands, unchanged. */
  append(entry: { readonly maintenance: MaintenanceId; readonly key: string; readonly event: Event }): Promise<Appended>
  /** In order of seq, those after `afterSeq`. */
  read(maintenance: MaintenanceId, afterSeq?: number): Promise<readonly JournalRow[]>
  /** What was intended and done with guests' moves in the newest MAINTENANCES_READ of this cluster; of each in order of seq. */
  readMoves(cluster: ClusterName): Promise<readonly JournalRow[]>
}
