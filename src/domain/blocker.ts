/** A reason not to go on: a value, with what would lift it. All of them are shown, never only the first. */
import type { NodeName, Vmid } from './ids.ts'

/**
 * Every reason that Coulisse knows, by the stage that asks; `liftable`: an approver may lift it by name, with his reason in the journal.
 * The conditions come from operators on call (docs/safety.md); each has a fault in the lab and a test.
 */
export const BLOCKERS = {
  // who is who
  'bmc-identity-unproven': { liftable: false, asks: 'is this BMC the one of this node?' },
  'bmc-unreachable': { liftable: false, asks: 'does the BMC answer?' },
  'chassis-shared': { liftable: true, asks: 'do other nodes share the chassis?' },
  'maintenance-in-cluster': { liftable: false, asks: 'is another maintenance running in this cluster?' },
  'maintenance-in-ceph': { liftable: false, asks: 'is another maintenance running in this Ceph?' },
  'another-node-away': { liftable: false, asks: 'is another node of the cluster away?' },
  'node-unknown': { liftable: false, asks: 'does the cluster have this node?' },
  'node-offline': { liftable: false, asks: 'is the node online, so that it can be drained?' },
  'node-in-maintenance': { liftable: false, asks: 'is the node already in maintenance mode, by somebody else?' },
  'coulisse-on-node': { liftable: false, asks: 'does Coulisse itself live on the node?' },
  'role-on-node': { liftable: true, asks: 'does something live there that others need (qnetd, backup, DNS, router)?' },
  // the look
  'cluster-unreachable': { liftable: false, asks: 'does the cluster answer?' },
  'observation-blind': { liftable: false, asks: 'did we see all of it?' },
  'cluster-not-quorate': { liftable: false, asks: 'has corosync quorum?' },
  // the plan
  'memory-short': { liftable: false, asks: 'is there memory for every guest?' },
  'cpu-short': { liftable: false, asks: 'are there cores for every guest?' },
  'keep-apart': { liftable: false, asks: 'can keep-apart rules be kept?' },
  'keep-together': { liftable: false, asks: 'can keep-together rules be kept?' },
  pinned: { liftable: false, asks: 'may the guest run elsewhere?' },
  'storage-missing': { liftable: false, asks: 'does a target have the storage?' },
  'storage-short': { liftable: false, asks: 'has a target room for local disks?' },
  'bridge-missing': { liftable: false, asks: 'does a target have the bridge?' },
  'cpu-model': { liftable: false, asks: 'does a target have the same CPU model?' },
  passthrough: { liftable: false, asks: 'is hardware passed through to the guest?' },
  'guest-not-movable': { liftable: false, asks: 'does the owner forbid moving it?' },
  'guest-locked': { liftable: false, asks: 'is the guest locked by a backup or snapshot?' },
  'restart-not-allowed': { liftable: false, asks: 'may the container be restarted?' },
  'no-target': { liftable: false, asks: 'is any node left to take the guest?' },
  'no-order': { liftable: false, asks: 'is there an order of moves that keeps every rule?' },
  'reserve-unmet': { liftable: true, asks: 'may one more node fail afterwards?' },
  'stopped-guest-stays': { liftable: true, asks: 'can a stopped guest with onboot move offline?' },
  'qemu-older-on-target': { liftable: false, asks: 'is QEMU on the targets at least as new?' },
  'pause-budget': { liftable: true, asks: 'does the forecast keep every pause budget?' },
  'plan-violates-rules': { liftable: false, asks: 'does the independent checker find nothing?' },
  'plan-aged': { liftable: false, asks: 'is the approved plan fresh?' },
  'outside-window': { liftable: true, asks: 'are we inside the window?' },
  // drain
  'maintenance-mode-unavailable': { liftable: true, asks: 'can HA maintenance mode be set, where HA guests exist?' },
  'migration-network-is-corosync': { liftable: true, asks: 'is the migration network apart from corosync?' },
  'corosync-unstable': { liftable: false, asks: 'are all corosync links up?' },
  'node-busy': { liftable: false, asks: 'is no Proxmox task running on the node?' },
  'guest-did-not-move': { liftable: false, asks: 'did every guest move?' },
  'node-not-empty': { liftable: false, asks: 'is the node empty, by two looks, and right before the power goes?' },
  // isolate
  'ceph-unreachable': { liftable: false, asks: 'does Ceph answer? Nothing is touched while its state is unknown' },
  'osds-not-ok-to-stop': { liftable: false, asks: 'may all OSDs of the host stop together?' },
  'pool-below-two-copies': { liftable: false, asks: 'does every pool keep two copies?' },
  'ceph-nearfull': { liftable: false, asks: 'is there room in Ceph?' },
  'placement-groups-inconsistent': { liftable: false, asks: 'are all PGs consistent?' },
  'placement-groups-not-clean': { liftable: false, asks: 'are all PGs clean, by two readings?' },
  'ceph-slow-ops': { liftable: false, asks: 'are there no slow operations?' },
  'osd-down-elsewhere': { liftable: false, asks: 'are all OSDs of the other hosts up?' },
  'ceph-flags-by-others': {
    liftable: false,
    asks: 'did somebody set norecover, nobackfill, norebalance, noup, noin, pause?',
  },
  'monitors-too-few': { liftable: false, asks: 'are enough monitors left in quorum?' },
  'services-on-node': { liftable: true, asks: 'do MDS, RGW, NFS or iSCSI gateways live on the node?' },
  'quorum-after-loss': { liftable: false, asks: 'has corosync quorum without this node?' },
  'lrm-not-idle': { liftable: false, asks: 'is the node’s LRM idle or in maintenance mode?' },
  'watchdog-armed': { liftable: false, asks: 'does the node’s watchdog stand by?' },
  'noout-by-others': { liftable: false, asks: 'is the host’s noout ours alone?' },
  'noout-cluster-wide': { liftable: true, asks: 'can noout be set for this host only?' },
  'lease-not-held': { liftable: false, asks: 'does the noout lease hold?' },
  'lease-expired': { liftable: false, asks: 'is the lease within its time?' },
  'still-on': { liftable: false, asks: 'does the BMC say the node is off?' },
  // repair
  'wrong-serial': { liftable: false, asks: 'is the technician in front of the right node?' },
  'hands-on': { liftable: false, asks: 'are the technician’s hands off?' },
  // verify
  'node-not-back': { liftable: false, asks: 'is the node online again?' },
  'hardware-differs': { liftable: true, asks: 'is the hardware as it was (DIMMs, disks, NICs, fans, PCIe)?' },
  'clock-not-in-sync': { liftable: false, asks: 'is the clock in sync?' },
  'corosync-link-down': { liftable: false, asks: 'are all corosync links of the node up?' },
  'network-differs': { liftable: true, asks: 'are bonds, MTU and bridges as they were?' },
  'versions-differ': { liftable: true, asks: 'do kernel, Proxmox, QEMU and Ceph run as before?' },
  'fans-out-of-band': { liftable: false, asks: 'are all fans in band for the soak?' },
  'sel-not-clean': { liftable: false, asks: 'is the event log clean since the repair?' },
  unmeasured: { liftable: true, asks: 'was there evidence at all?' },
  // reintegrate
  'osds-not-up': { liftable: false, asks: 'are all OSDs of the host up and in?' },
  'guest-not-home': { liftable: true, asks: 'is every guest home, or may it stay where it runs?' },
} as const satisfies Record<string, { readonly liftable: boolean; readonly asks: string }>

export type BlockerKind = keyof typeof BLOCKERS

export type Blocker = {
  readonly kind: BlockerKind
  readonly text: string
  /** What would lift it, in the words of the person who can do so. */
  readonly lifts: string
  readonly guest?: Vmid
  readonly node?: NodeName
}

export const isBlockerKind = (text: string): text is BlockerKind => Object.hasOwn(BLOCKERS, text)

/** Takes out what an approver lifted by name; a kind that is not liftable stays, whoever asked. */
export function withoutLifted(blockers: readonly Blocker[], lifted: readonly BlockerKind[]): readonly Blocker[] {
  return blockers.filter(({ kind }) => !(BLOCKERS[kind].liftable && lifted.includes(kind)))
}
