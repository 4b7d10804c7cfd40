/** What the driver must be told, because no answer of the API tells it. */

import type { ClusterObservation, Role } from '#domain/cluster'
import { type CustomerId, customerId, type NodeName, type Vmid } from '#domain/ids'
import type { Clock } from '#ports/clock'
import type { EntryPoint, Transport } from './transport.ts'

/** HA's maintenance mode: there is no API for it, only a command on a node. */
export type HaManager = {
  setMaintenanceMode(node: NodeName, on: boolean): Promise<void>
}

export type GuestTold = {
  readonly vmid: Vmid
  readonly pool: string | undefined
  readonly tags: readonly string[]
  /** What people wrote into the guest's notes; empty where they were not read. */
  readonly notes: string
}

export type ProxmoxConfig = {
  readonly entryPoints: readonly EntryPoint[]
  readonly clock: Clock
  /** The migration network's speed: the API does not tell it. */
  readonly linkBitsPerSecond: number | ((node: NodeName) => number)
  readonly place?: (node: NodeName) => { readonly rack?: string; readonly chassis?: string }
  readonly roles?: readonly Role[]
  /** Default: the pool's first segment ('acorn/web' belongs to acorn). Tags are no authority: whoever edits a guest edits them. */
  readonly customerOf?: (guest: GuestTold) => CustomerId | undefined
  /** Default: a tag such as 'pause-300ms'. */
  readonly pauseBudgetMsOf?: (guest: GuestTold) => number | undefined
  /** Absent: maintenance mode cannot be set. */
  readonly haManager?: HaManager
  /** The API does not tell the state of corosync's links; whoever can (ssh, exporter) tells it here. */
  readonly corosyncLinksDown?: () => Promise<ClusterObservation['corosyncLinksDown']>
  readonly readDeadlineMs?: number
  readonly writeDeadlineMs?: number
  readonly transport?: (entry: EntryPoint) => Transport
  /** Between two tries of a read; default: real time. */
  readonly pause?: (ms: number) => Promise<unknown>
}

export function customerOfPool({ pool }: GuestTold): CustomerId | undefined {
  const first = pool?.split('/')[0]
  return first === undefined || first === '' ? undefined : customerId(first)
}

const PAUSE_TAG = /^pause-(\d+)ms$/

export function pauseBudgetOfTags({ tags }: GuestTold): number | undefined {
  for (const tag of tags) {
    const match = PAUSE_TAG.exec(tag)
    if (match !== null) return Number(match[1])
  }
  return undefined
}

/** A guest with this tag is not moved: its owner forbids it. */
export const NOT_MOVABLE_TAG = 'not-movable'
