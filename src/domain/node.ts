/** A node of the cluster, and the hardware that it is made of. */
import type { NodeName } from './ids.ts'
import type { Known } from './measured.ts'

export type NodeStorage = { readonly id: string; readonly shared: boolean; readonly freeBytes: number }

export type Versions = {
  readonly pve?: string
  readonly qemu?: string
  readonly kernel?: string
  /** Installed but not running: the node comes back another machine. */
  readonly pendingKernel?: string
  readonly ceph?: string
}

/** The node's HA resource manager. 'absent' where HA was never used on it. */
export type Lrm = {
  readonly state: 'idle' | 'active' | 'maintenance' | 'lost' | 'absent'
  readonly watchdog: 'standby' | 'active' | 'unknown'
}

export type Node = {
  readonly name: NodeName
  readonly online: boolean
  readonly rack?: string
  /** Nodes of one chassis share fans and supplies: one failure domain. */
  readonly chassis?: string
  readonly cpuCores: number
  readonly cpuModel?: string
  readonly memoryBytes: number
  /** The host's own use, without guests. */
  readonly memoryUsedBytes: number
  readonly cpuUsedCores: Known<number>
  /** The migration network's. */
  readonly linkBitsPerSecond: number
  readonly storages: readonly NodeStorage[]
  readonly bridges: readonly string[]
  /** Takes nothing: maintenance mode, or cordoned by us. */
  readonly maintenance: boolean
  readonly versions: Versions
  readonly lrm: Lrm
}

/** QEMU takes a running guest from an older version, never from a newer one. What nobody told is no reason. */
export function isQemuOlder(target: Versions, source: Versions): boolean {
  if (target.qemu === undefined || source.qemu === undefined) return false
  const [to, from] = [target.qemu, source.qemu].map((text) => (text.match(/\d+/g) ?? []).map(Number))
  for (const [index, part] of (from ?? []).entries()) {
    const other = to?.[index] ?? 0
    if (other !== part) return other < part
  }
  return false
}

/** What a node is made of and how it is connected, for the comparison before and after a repair. 'unknown' is said, not guessed. */
export type Hardware = {
  readonly dimms: Known<readonly { readonly slot: string; readonly bytes: number }[]>
  readonly disks: Known<readonly { readonly serial: string; readonly bytes: number }[]>
  readonly nics: Known<readonly { readonly name: string; readonly bitsPerSecond: number }[]>
  readonly fans: Known<readonly string[]>
  readonly pcie: Known<readonly { readonly slot: string; readonly width: number }[]>
  /** By vendor and model, one entry a device: addresses change with a slot. Absent as 'unknown'. */
  readonly pciDevices?: Known<readonly string[]>
  /** PCIe errors that were corrected, summed: a bad seat shows here first. */
  readonly pcieCorrectedErrorCount: Known<number>
  readonly clockSkewMs: Known<number>
  readonly corosyncLinksDown: Known<readonly string[]>
  readonly bondsDegraded: Known<readonly string[]>
  readonly mtuMismatches: Known<readonly string[]>
  readonly bridges: Known<readonly string[]>
  readonly versions: Versions
}
