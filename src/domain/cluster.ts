/** One look at a Proxmox VE cluster: complete, or it says what it could not see. */
import type { Guest, Rule } from './guest.ts'
import type { ClusterName, NodeName, Vmid } from './ids.ts'
import type { Known } from './measured.ts'
import type { Node } from './node.ts'

export type PveTask = {
  readonly id: string
  readonly node: NodeName
  readonly type: string
  readonly guest?: Vmid
  readonly startedAtMs: number
}

/** Something besides customers' guests that somebody will miss: named in the configuration. */
export type Role = {
  readonly kind: 'coulisse' | 'qnetd' | 'backup' | 'dns' | 'router'
  readonly guest?: Vmid
  readonly node?: NodeName
}

export type ClusterObservation = {
  readonly observedAtMs: number
  readonly name: ClusterName
  readonly pveVersion?: string
  readonly quorate: boolean
  readonly votes: Readonly<Record<string, number>>
  readonly qdeviceVotes: number
  readonly qdeviceUp: boolean
  readonly cephFsid?: string
  readonly nodes: readonly Node[]
  readonly guests: readonly Guest[]
  readonly rules: readonly Rule[]
  readonly tasks: readonly PveTask[]
  readonly roles: readonly Role[]
  readonly migrationNetworkIsCorosyncLink: Known<boolean>
  /** Corosync links that are down, by node: token loss brakes a drain at once. */
  readonly corosyncLinksDown: readonly { readonly node: NodeName; readonly link: string }[]
  /** migrate takes with-conntrack-state, so firewalled guests keep their sessions. */
  readonly conntrackStateOffered: boolean
  readonly shutdownPolicy: 'freeze' | 'failover' | 'conditional' | 'migrate'
  readonly crmMaster?: NodeName
  /** Backups that begin by themselves: each locks its guests. Absent where nobody could tell. */
  readonly backupsAhead?: readonly { readonly id: string; readonly atMs: number; readonly node?: NodeName }[]
  /** What this look could not see: silent gaps are the dangerous ones. */
  readonly blind: readonly string[]
}

export function nodeOf(cluster: ClusterObservation, name: NodeName): Node | undefined {
  return cluster.nodes.find((node) => node.name === name)
}

export function guestsOn(cluster: ClusterObservation, name: NodeName): readonly Guest[] {
  return cluster.guests.filter((guest) => guest.node === name)
}
