/** Who else works in this Ceph: noout on another host, with the lease that says whose it is. */
import type { CephObservation } from '#domain/ceph'
import type { NodeName } from '#domain/ids'
import { nodeName } from '#domain/ids'
import type { Ports } from '#ports/all'
import type { ElsewhereFlag } from './conditions/storage.ts'

/** Only hosts with the flag are asked for: a lease without it holds nothing. */
export async function flagsElsewhere(
  { storage }: Ports,
  ceph: CephObservation | 'none',
  node: NodeName,
): Promise<readonly ElsewhereFlag[]> {
  if (ceph === 'none') return []
  const hosts = Object.keys(ceph.hostFlags).filter((host) => host !== node && ceph.hostFlags[host]?.includes('noout'))
  const found: ElsewhereFlag[] = []
  for (const host of hosts.map(nodeName)) found.push({ host, lease: (await storage.readLease(host)) ?? null })
  return found
}
