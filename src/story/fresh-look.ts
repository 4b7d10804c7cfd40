/** The cluster's list, put right for guests that we moved ourselves: it lags 10 to 20 s behind, their nodes' own word does not. */
import type { ClusterObservation } from '#domain/cluster'
import type { NodeName, Vmid } from '#domain/ids'
import type { Hypervisor } from '#ports/hypervisor'

/** `arrived`: where our own moves brought guests. Only those whom the list shows elsewhere are asked for. */
export async function observeAfterMoves(
  hypervisor: Hypervisor,
  arrived: Readonly<Record<string, NodeName>>,
  avoid?: NodeName,
): Promise<ClusterObservation> {
  const cluster = await hypervisor.observe(avoid === undefined ? {} : { avoid })
  const suspects = cluster.guests.filter(({ vmid, node }) => (arrived[vmid] ?? node) !== node)
  if (suspects.length === 0) return cluster
  const truth = new Map<Vmid, NodeName>()
  for (const { vmid } of suspects) {
    const where = await hypervisor.locate(vmid)
    if (where.is === 'at') truth.set(vmid, where.node)
  }
  const guests = cluster.guests.map((guest) => ({ ...guest, node: truth.get(guest.vmid) ?? guest.node }))
  return { ...cluster, guests }
}
