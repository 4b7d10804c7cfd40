/** What the watchdog sees from outside the story. Each part may be dark: then it is said, and nothing is concluded from it. */
import type { CephObservation, NooutLease } from '#domain/ceph'
import type { MaintenanceId, NodeName } from '#domain/ids'
import type { StoryPolicy } from '#domain/policy'
import type { MaintenanceView } from '#domain/view'

/** not-asked: there is nothing of the kind, or no way to it is configured. */
export type Seen<T> =
  | { readonly is: 'seen'; readonly value: T }
  | { readonly is: 'unseen'; readonly text: string }
  | { readonly is: 'not-asked' }

/** running: a saga is to go on with it. stuck: it has ended so. crashed: a bug of ours. Both hold cluster and Ceph until released. */
export type WatchedMaintenance = {
  readonly id: MaintenanceId
  readonly saga: 'running' | 'stuck' | 'crashed'
  readonly text?: string
  /** The limits that it began with. */
  readonly policy: StoryPolicy
  /** Undefined before its first row. */
  readonly view: MaintenanceView | undefined
}

export type DatabaseLook = {
  /** All that run, are stuck or crashed and were not released. */
  readonly maintenances: readonly WatchedMaintenance[]
  /** Control planes whose lock shows that they live. */
  readonly workers: number
}

export type CephLook = {
  readonly ceph: CephObservation | 'none'
  readonly leases: readonly NooutLease[]
  /** What stands in a lease's place and is none. */
  readonly unreadable: readonly { readonly host: NodeName; readonly text: string }[]
  readonly nooutScope: 'host' | 'cluster'
}

export type ModeLook = { readonly node: NodeName; readonly mode: 'on' | 'off' | 'unavailable' }

export type WatchdogFacts = {
  readonly nowMs: number
  /** Its health answers. */
  readonly controlPlane: Seen<'answers'>
  readonly database: Seen<DatabaseLook>
  readonly ceph: Seen<CephLook>
  readonly proxmox: Seen<readonly ModeLook[]>
}

export type WatchdogPolicy = {
  /** How far a maintenance may be beyond what it said before somebody hears of it. */
  readonly graceMs: number
  readonly mayRelease: boolean
  /** For how long a lease is taken and renewed, by today's policy. */
  readonly leaseMs: number
}

export const ALERT_KINDS = [
  'lease-expired',
  'lease-expires-soon',
  'lease-without-maintenance',
  'lease-released',
  'lease-unreadable',
  'noout-lost',
  'maintenance-mode-left',
  'maintenance-overdue',
  'maintenance-stuck',
  'control-plane-gone',
  'database-gone',
  'ceph-unseen',
  'proxmox-unseen',
] as const

export type AlertKind = (typeof ALERT_KINDS)[number]

export type Alert = {
  readonly kind: AlertKind
  /** A node, a maintenance, or what is gone. */
  readonly subject: string
  readonly severity: 'critical' | 'warning'
  readonly text: string
  /** What a person does about it: a command, or one sentence. */
  readonly mend: string
}

export const alertKey = ({ kind, subject }: Pick<Alert, 'kind' | 'subject'>) => `${kind}/${subject}`
