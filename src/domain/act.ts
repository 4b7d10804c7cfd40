/** Everything that Coulisse can do to the world. The journal shows each before (intent) and after (outcome). */

import type { CustomerId, NodeName, Vmid, WorkOrderId } from './ids.ts'
import type { Measured } from './measured.ts'
import type { MoveMode, MovePurpose } from './plan.ts'

export type Act =
  | { readonly kind: 'set-maintenance-mode'; readonly node: NodeName; readonly on: boolean }
  | {
      readonly kind: 'migrate'
      readonly guest: Vmid
      readonly from: NodeName
      readonly to: NodeName
      readonly mode: MoveMode
      readonly purpose: MovePurpose | 'home'
    }
  | {
      readonly kind: 'cancel-migration'
      readonly guest: Vmid
      readonly reason: 'over-budget' | 'paused' | 'too-long' | 'aborted'
    }
  | { readonly kind: 'fail-mgr'; readonly node: NodeName }
  | { readonly kind: 'put-lease'; readonly node: NodeName; readonly expiresAtMs: number }
  | { readonly kind: 'delete-lease'; readonly node: NodeName }
  | { readonly kind: 'set-noout'; readonly node: NodeName; readonly scope: 'host' | 'cluster' }
  | { readonly kind: 'clear-noout'; readonly node: NodeName; readonly scope: 'host' | 'cluster' }
  | { readonly kind: 'stop-osds'; readonly node: NodeName; readonly osds: readonly number[] }
  | { readonly kind: 'shut-down'; readonly node: NodeName }
  | { readonly kind: 'power-on'; readonly node: NodeName }
  | { readonly kind: 'set-locate'; readonly node: NodeName; readonly on: boolean }
  | {
      readonly kind: 'notify'
      readonly audience: 'operator' | 'technician' | 'customer'
      readonly customer?: CustomerId
      readonly subject: string
    }
  | { readonly kind: 'publish-report'; readonly customer: CustomerId }
  | { readonly kind: 'issue-work-order'; readonly order: WorkOrderId }

export type Outcome =
  | {
      readonly is: 'done'
      readonly measured?: Measured
      readonly text?: string
      readonly at?: NodeName
      readonly stopped?: true
    }
  /** Somebody, or an earlier try of ours, had done it already. `at`: where a guest is, when HA chose another node than we. */
  | { readonly is: 'already'; readonly measured?: Measured; readonly at?: NodeName }
  | { readonly is: 'failed'; readonly text: string }
