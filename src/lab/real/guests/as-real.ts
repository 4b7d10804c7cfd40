/** What the simulated world must know of guests that are real: their true size. Pure. */
import { type Vmid, vmid } from '#domain/ids'
import type { Snapshot } from '#domain/snapshot'
import { GUEST_DISK_BYTES } from './disk.ts'
import { GUEST_MEMORY_MIB } from './qemu.ts'

const MIB = 2 ** 20

/** The first running virtual machines of this node, in the order of their numbers. */
export function firstGuestsOn(snapshot: Snapshot, node: string, count: number): readonly Vmid[] {
  return snapshot.cluster.guests
    .filter((guest) => guest.node === node && guest.kind === 'vm' && guest.status === 'running')
    .map((guest) => Number(guest.vmid))
    .toSorted((a, b) => a - b)
    .slice(0, count)
    .map(vmid)
}

/** A real guest has the memory, the processor and the disk that its QEMU has; all else stays as the snapshot says. */
export function withRealGuests(snapshot: Snapshot, real: readonly Vmid[]): Snapshot {
  const guests = snapshot.cluster.guests.map((guest) => {
    if (!real.includes(guest.vmid)) return guest
    const memoryBytes = GUEST_MEMORY_MIB * MIB
    const disks = guest.disks.slice(0, 1).map(({ storage }) => ({ storage, bytes: GUEST_DISK_BYTES }))
    return { ...guest, memoryBytes, residentBytes: memoryBytes, cpuCores: 1, cpuType: 'qemu64', disks }
  })
  return { ...snapshot, cluster: { ...snapshot.cluster, guests } }
}
