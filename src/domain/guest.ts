/** A guest: a virtual machine or a container, as the hypervisor tells of it. */
import type { CustomerId, NodeName, Vmid } from './ids.ts'
import type { Known } from './measured.ts'

export type GuestKind = 'vm' | 'ct'

export type GuestDisk = { readonly storage: string; readonly bytes: number }

export type Guest = {
  readonly vmid: Vmid
  readonly name: string
  readonly kind: GuestKind
  readonly node: NodeName
  readonly status: 'running' | 'stopped'
  readonly cpuCores: number
  readonly memoryBytes: number
  /** What a live migration has to copy; the hypervisor's memoryBytes where it does not say. */
  readonly residentBytes: number
  readonly cpuUsedCores: Known<number>
  readonly dirtyBytesPerSecond: Known<number>
  readonly writableWorkingSetBytes: Known<number>
  readonly cpuType: Known<string>
  readonly disks: readonly GuestDisk[]
  readonly bridges: readonly string[]
  readonly passthrough: readonly string[]
  /** Proxmox's lock ('backup', 'snapshot', 'migrate' …): nothing can be done to the guest until it is gone. */
  readonly lock?: string
  readonly pool?: string
  readonly tags: readonly string[]
  readonly ha: { readonly managed: boolean; readonly state?: string }
  /** The longest blackout that the owner accepts. */
  readonly pauseBudgetMs?: number
  readonly customer?: CustomerId
  /** False: its owner forbids that it is moved. */
  readonly movable: boolean
  /** Started by its node at power-on. */
  readonly onboot: boolean
  readonly template: boolean
}

export type Rule =
  | { readonly kind: 'keep-apart'; readonly guests: readonly Vmid[]; readonly strict: boolean }
  | { readonly kind: 'keep-together'; readonly guests: readonly Vmid[]; readonly strict: boolean }
  | {
      readonly kind: 'pin'
      readonly guests: readonly Vmid[]
      readonly nodes: readonly NodeName[]
      readonly strict: boolean
    }
