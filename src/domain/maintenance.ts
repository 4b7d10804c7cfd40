/** One run of the story for one node: its input, the messages that people send it, and how it can end. */
import type { BlockerKind } from './blocker.ts'
import type { Finding } from './finding.ts'
import type { ClusterName, MaintenanceId, NodeName, PlanId, Vmid, WorkOrderId } from './ids.ts'
import type { StoryPolicy } from './policy.ts'

export const STAGES = ['detect', 'plan', 'drain', 'isolate', 'repair', 'verify', 'reintegrate', 'tell'] as const
export type Stage = (typeof STAGES)[number]

/** done; undone: all was taken back; failed: refused before anything was touched; stuck: an undo failed, a person is needed. */
export type Ending = 'done' | 'undone' | 'failed' | 'stuck'

/** Branch on `definitionVersion` in the story, never on a patch call: recorded histories of every version must replay. */
export const DEFINITION_VERSION = 4

export type MaintenanceInput = {
  readonly definitionVersion: number
  readonly id: MaintenanceId
  readonly cluster: ClusterName
  readonly node: NodeName
  readonly finding: Finding
  readonly requestedBy: string
  readonly policy: StoryPolicy
  /** Homes that earlier maintenances of this cluster still owe to guests. */
  readonly owed?: readonly { readonly guest: Vmid; readonly home: NodeName }[]
}

export type MaintenanceResult = { readonly ending: Ending; readonly text: string }

export type WorkOrderAnswer = {
  readonly order: WorkOrderId
  readonly by: string
  /** Read off the chassis by the technician before he pulls anything. */
  readonly serial: string
  /** repaired: hands off, cover closed. nothing-found counts as a false alarm. cannot: the node stays out. */
  readonly outcome: 'repaired' | 'nothing-found' | 'cannot'
  readonly found: string
  readonly did: readonly string[]
  readonly photos: readonly string[]
}

/** What people say to a running maintenance. Kept in order; read by every child too. */
export type ControlMessage =
  | {
      readonly kind: 'approve'
      readonly by: string
      readonly plan: PlanId
      readonly lifted: readonly BlockerKind[]
      readonly reason: string
    }
  | { readonly kind: 'reject'; readonly by: string; readonly reason: string }
  | { readonly kind: 'lift'; readonly by: string; readonly lifted: readonly BlockerKind[]; readonly reason: string }
  | { readonly kind: 'pause'; readonly by: string; readonly cancelRunning: boolean }
  | { readonly kind: 'resume'; readonly by: string }
  | { readonly kind: 'abort'; readonly by: string; readonly reason: string }

/** What the inbox of a maintenance holds; `key` makes a message sent twice one message. */
export type InboxMessage =
  | { readonly key: string; readonly control: ControlMessage }
  | { readonly key: string; readonly answer: WorkOrderAnswer }

/** Where a rack's hands find the node. */
export type Place = {
  readonly site: string
  readonly room: string
  readonly rack: string
  readonly unit: string
  readonly serial: string
  readonly assetTag?: string
}

export type WorkOrder = {
  readonly id: WorkOrderId
  readonly node: NodeName
  readonly place: Place
  readonly part: string
  readonly why: string
  readonly checklist: readonly string[]
  /** What the technician must know of power before a cord is touched. */
  readonly powerNote: string
  readonly answerBeforeMs: number
  /** Counted from 1: failing verification issues the next. */
  readonly round: number
}

/** The answer to "may I touch it now?" */
export type Interlock =
  | { readonly is: 'safe'; readonly sinceMs: number; readonly text: string }
  | { readonly is: 'not-safe'; readonly reasons: readonly string[] }
