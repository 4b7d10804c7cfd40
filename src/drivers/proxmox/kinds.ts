/** Whether a guest is a VM or a container: by every list that told it. A number given to another guest is told anew by Proxmox's refusal. */
import type { Vmid } from '#domain/ids'

export type GuestKind = 'vm' | 'ct'

export type KindMemory = {
  of(guest: Vmid): GuestKind | undefined
  learn(guest: Vmid, kind: GuestKind): void
  forget(guest: Vmid): void
}

const GUESTS_LIMIT = 20_000

export function kindMemory(): KindMemory {
  const known = new Map<Vmid, GuestKind>()
  return {
    of: (guest) => known.get(guest),
    learn(guest, kind) {
      if (known.size >= GUESTS_LIMIT) known.clear()
      known.set(guest, kind)
    },
    forget: (guest) => void known.delete(guest),
  }
}
