/** What the journal holds: typed, rendered by one function for the log, the console and the report. */
import type { Act, Outcome } from './act.ts'
import type { Blocker, BlockerKind } from './blocker.ts'
import type { NooutLease } from './ceph.ts'
import type { Finding } from './finding.ts'
import type { Guest } from './guest.ts'
import type { ClusterName, CustomerId, MaintenanceId, NodeName, PlanId, Vmid, WorkOrderId } from './ids.ts'
import type { Ending, Interlock, Stage, WorkOrder, WorkOrderAnswer } from './maintenance.ts'
import type { ProbeReading } from './measurement.ts'
import type { Hardware } from './node.ts'
import type { BrokenBefore, Plan } from './plan.ts'

/** Where a guest was when the maintenance began, and whose it is: our own ledger, the way home reads it. */
export type Origin = Pick<Guest, 'vmid' | 'name' | 'kind' | 'node' | 'status' | 'customer'> & {
  /** Where it belongs, when an earlier maintenance had left it elsewhere; absent: `node`. */
  readonly home?: NodeName
}

export type Event =
  | {
      readonly kind: 'maintenance-opened'
      /** Absent in journals of before. */
      readonly cluster?: ClusterName
      readonly node: NodeName
      readonly finding: Finding
      readonly requestedBy: string
    }
  | { readonly kind: 'stage-began'; readonly stage: Stage }
  | { readonly kind: 'stage-ended'; readonly stage: Stage }
  | { readonly kind: 'finding-confirmed'; readonly finding: Finding; readonly evidence: string }
  | {
      readonly kind: 'origins-recorded'
      readonly origins: readonly Origin[]
      /** Absent: nothing was over a limit or broke a rule. */
      readonly before?: BrokenBefore
    }
  | { readonly kind: 'plan-proposed'; readonly plan: Plan }
  | {
      readonly kind: 'plan-approved'
      readonly plan: PlanId
      readonly by: string
      readonly lifted: readonly BlockerKind[]
      readonly reason: string
    }
  | { readonly kind: 'plan-rejected'; readonly plan: PlanId; readonly by: string; readonly reason: string }
  /** The story waits here until every blocker is gone or lifted. */
  | { readonly kind: 'gate-closed'; readonly stage: Stage; readonly blockers: readonly Blocker[] }
  | { readonly kind: 'gate-opened'; readonly stage: Stage; readonly waitedMs: number }
  | {
      readonly kind: 'blockers-lifted'
      readonly by: string
      readonly lifted: readonly BlockerKind[]
      readonly reason: string
    }
  | { readonly kind: 'paused'; readonly by: string }
  | { readonly kind: 'resumed'; readonly by: string }
  | { readonly kind: 'abort-asked'; readonly by: string; readonly reason: string }
  | { readonly kind: 'intends'; readonly act: Act }
  | { readonly kind: 'did'; readonly act: Act; readonly outcome: Outcome }
  | {
      readonly kind: 'guest-copying'
      readonly guest: Vmid
      readonly transferredBytes: number
      readonly totalBytes: number
    }
  /** Proxmox doubled the pause it allows itself: the danger sign. */
  | { readonly kind: 'pause-allowed-grew'; readonly guest: Vmid; readonly allowedMs: number; readonly budgetMs: number }
  | { readonly kind: 'pause-over-budget'; readonly guest: Vmid; readonly blackoutMs: number; readonly budgetMs: number }
  | { readonly kind: 'guest-appeared'; readonly guest: Vmid; readonly node: NodeName }
  | { readonly kind: 'guest-moved-by-others'; readonly guest: Vmid; readonly from: NodeName; readonly to: NodeName }
  | { readonly kind: 'guest-stays'; readonly guest: Vmid; readonly text: string }
  | { readonly kind: 'node-empty'; readonly node: NodeName; readonly looks: number; readonly apartMs: number }
  | { readonly kind: 'hardware-recorded'; readonly node: NodeName; readonly hardware: Hardware }
  | { readonly kind: 'lease-held'; readonly lease: NooutLease }
  | { readonly kind: 'lease-released'; readonly node: NodeName; readonly heldMs: number }
  | { readonly kind: 'lease-expired'; readonly node: NodeName; readonly expiredAtMs: number }
  | { readonly kind: 'noout-lost'; readonly node: NodeName }
  | { readonly kind: 'node-off'; readonly node: NodeName; readonly provenBy: 'bmc' }
  | { readonly kind: 'node-on'; readonly node: NodeName; readonly by: 'us' | 'itself' }
  | { readonly kind: 'cords-pulled'; readonly node: NodeName }
  | { readonly kind: 'interlock'; readonly interlock: Interlock }
  | { readonly kind: 'work-order-issued'; readonly order: WorkOrder }
  | { readonly kind: 'work-order-answered'; readonly answer: WorkOrderAnswer }
  | { readonly kind: 'work-order-refused'; readonly order: WorkOrderId; readonly by: string; readonly blocker: Blocker }
  | { readonly kind: 'soak-began'; readonly node: NodeName; readonly untilMs: number }
  | { readonly kind: 'verified'; readonly node: NodeName; readonly evidence: readonly string[] }
  | { readonly kind: 'verification-failed'; readonly node: NodeName; readonly blockers: readonly Blocker[] }
  | { readonly kind: 'osds-back'; readonly node: NodeName; readonly osds: readonly number[]; readonly cleanPgs: number }
  | { readonly kind: 'probe-read'; readonly customer: CustomerId; readonly readings: readonly ProbeReading[] }
  | { readonly kind: 'undo-failed'; readonly name: string; readonly text: string }
  | { readonly kind: 'said'; readonly text: string; readonly about?: NodeName }
  | { readonly kind: 'maintenance-ended'; readonly ending: Ending; readonly text: string }

/** How the parts of a row are salted (seal.ts). Never in a bundle: who has the seed can open every part. */
export type Seal = {
  /** 32 hex digits of chance. Salts of parts that name nobody come from it. */
  readonly seed: string
  /** By pointer: salts of their own for parts that may name somebody, so that each can be forgotten alone. */
  readonly salts: Readonly<Record<string, string>>
  /** By pointer: what is left of a part whose text and salt were erased. */
  readonly erased?: Readonly<Record<string, string>>
}

export type JournalRow = {
  readonly maintenance: MaintenanceId
  /** From 1, without gaps, in one maintenance. */
  readonly seq: number
  /** Names the moment in the saga: appending again under the same key changes nothing. */
  readonly key: string
  readonly atMs: number
  readonly event: Event
  readonly prevHash: string
  readonly hash: string
  /** How its parts are salted. Absent: written before there were seals, hashed as one text. */
  readonly seal?: Seal
}
