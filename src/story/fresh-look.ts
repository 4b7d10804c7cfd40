/** The cluster's list, put right for guests that we moved ourselves: it lags 10 to 20 s behind, their nodes' own word does not. */
import type { ClusterObservation } from '#domain/cluster'
import type { Guest } from '#domain/guest'
import type { NodeName } from '#domain/ids'
import type { Hypervisor } from '#ports/hypervisor'

/** `arrived`: where our own moves brought guests. Only those whom the list shows elsewhere are asked for. */
export async function observeAfterMoves(
  hypervisor: Hypervisor,
  arrived: Readonly<Record<string, NodeName>>,
  how: Parameters<Hypervisor['observe']>[0] = {},
): Promise<ClusterObservation> {
  const cluster = await hypervisor.observe(how)
  // A lock in the list may be that of a migration that has ended since.
  const isSuspect = ({ vmid, node, lock }: Guest) => (arrived[vmid] ?? node) !== node || lock === 'migrate'
  return putRight(hypervisor, cluster, isSuspect)
}

/** The suspects as their nodes tell of them. */
export async function putRight(
  hypervisor: Hypervisor,
  cluster: ClusterObservation,
  isSuspect: (guest: Guest) => boolean,
): Promise<ClusterObservation> {
  const guests: Guest[] = []
  for (const guest of cluster.guests) guests.push(isSuspect(guest) ? await asItIs(hypervisor, guest) : guest)
  return { ...cluster, guests }
}

async function asItIs(hypervisor: Hypervisor, guest: Guest): Promise<Guest> {
  const where = await hypervisor.locate(guest.vmid)
  if (where.is !== 'at') return guest
  const { lock: _asListed, ...rest } = guest
  return { ...rest, node: where.node, ...(where.lock === undefined ? {} : { lock: where.lock }) }
}
