/** What the surfaces see of the running control plane: one facade, and nothing of what lies behind it. */
import type { JournalRow } from '#domain/event'
import type { Finding } from '#domain/finding'
import type { ClusterName, CustomerId, MaintenanceId, NodeName } from '#domain/ids'
import type { ControlMessage, WorkOrderAnswer } from '#domain/maintenance'
import type { MaintenanceView } from '#domain/view'
import type { AlertReceiver } from './alerts.ts'
import type { EvidenceDesk } from './evidence/desk.ts'
import type { Rehearses } from './rehearsal/live-rehearsals.ts'
import type { DraftQuery, MonthQuery, ReportFile, ReportQuery } from './report-query.ts'
import type { WitnessDesk } from './witness/desk.ts'

export type MaintenanceHead = {
  readonly id: MaintenanceId
  readonly cluster: ClusterName
  /** Folded from the journal as it stood when asked. */
  readonly view: MaintenanceView
}

/** accepted: kept durably, and the journal will show what came of it. Whether it is allowed now the surface asks `can` before. */
export type Accepted = { readonly is: 'accepted' } | { readonly is: 'unknown-maintenance' }

export type StartRequest = {
  readonly node: NodeName
  /** The part at fault; absent: the node as a whole. */
  readonly part?: string
  readonly reason: string
  readonly by: string
}

export type StartOutcome =
  | { readonly is: 'started'; readonly id: MaintenanceId }
  /** The same key had started this one before. */
  | { readonly is: 'exists'; readonly id: MaintenanceId }
  | { readonly is: 'refused'; readonly text: string; readonly lifts: string }

export type Release = { readonly by: string; readonly reason: string }

export type ReleaseOutcome =
  | { readonly is: 'released' }
  | { readonly is: 'unknown-maintenance' }
  | { readonly is: 'refused'; readonly text: string }

export type Photo = { readonly name: string; readonly type: string; readonly bytes: Uint8Array }

export type ControlPlane = {
  /** Newest first. */
  maintenances(): Promise<readonly MaintenanceHead[]>
  maintenance(id: MaintenanceId): Promise<MaintenanceHead | undefined>
  /** Rows after `afterSeq` (0: all), in order; empty for an unknown maintenance. */
  journal(id: MaintenanceId, afterSeq: number): Promise<readonly JournalRow[]>
  /** Every row that is appended from now on, of every maintenance, in order within each. Returns how to stop. */
  subscribe(listener: (row: JournalRow) => void): () => void
  /** The same key again changes nothing. */
  control(id: MaintenanceId, message: ControlMessage, key: string): Promise<Accepted>
  /** The same key again changes nothing. A wrong serial is accepted here and refused by the story, in the journal. */
  answerWorkOrder(id: MaintenanceId, answer: WorkOrderAnswer, key: string): Promise<Accepted>
  /** The same key again starts nothing new. */
  start(request: StartRequest, key: string): Promise<StartOutcome>
  /**
   * A person takes over a maintenance that is stuck: it stays as it is, and gives back its hold on cluster and Ceph, so that
   * another may begin. The journal says who and why.
   */
  release(id: MaintenanceId, release: Release, key: string): Promise<ReleaseOutcome>
  /** What detect holds now, of all clusters; newest first. */
  findings(): Promise<readonly Finding[]>
  /** A customer's report from the journal as it stands, in any form and language. Undefined: there is nothing about him. */
  reportAs(query: ReportQuery): Promise<ReportFile | undefined>
  /** A draft of the public story, anonymised; nothing is posted by itself. Undefined: no such maintenance. */
  publicDraft(query: DraftQuery): Promise<ReportFile | undefined>
  /** Monthly reports of invisible work, a file a customer. Undefined: no such month. */
  monthReports(query: MonthQuery): AsyncIterable<ReportFile> | undefined
  /** The finished page for one customer, as it was published. */
  report(id: MaintenanceId, customer: CustomerId): Promise<{ readonly path: string; readonly html: string } | undefined>
  /** Keeps a technician's picture and returns the name under which an answer may list it; absent: no pictures are taken. */
  keepPhoto?(id: MaintenanceId, photo: Photo): Promise<string>
  /** A drain and all that follows, played on simulated twins of the cluster as it is now; nothing is touched. Takes its time. */
  readonly rehearse?: Rehearses
  /** What customers check offline, and the journal's published roots; absent where the journal is not kept for long. */
  readonly evidence?: EvidenceDesk
  /** Where witnesses are heard; absent where none can be. */
  readonly witness?: WitnessDesk
  /** The clock of the story: the lab's where the lab is behind. */
  nowMs(): Promise<number>
  /** Present where Alertmanager may send us its alerts: to the API itself, or to a listener of its own. */
  readonly alerts?: { readonly receiver: AlertReceiver; readonly isOnApi: boolean }
  /** Present when a simulated cluster is behind: every figure shown is then labelled so. */
  readonly lab?: { readonly simulated: true }
}
