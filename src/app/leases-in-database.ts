/** Leases where the cluster itself has no place for them. */
import type { NooutLease } from '#domain/ceph'
import type { Json } from '#domain/json'
import type { PostgresDocuments } from '#drivers/postgres/documents'
import type { LeaseStore } from '#drivers/proxmox/ceph-fallback'

/** Where Ceph is reached through Proxmox alone there is no config-key: our own database keeps the lease. */
export function leasesIn(documents: PostgresDocuments): LeaseStore {
  const keyOf = (host: string) => `lease/${host}`
  return {
    readLease: async (host) =>
      ((await documents.get<Json>(keyOf(host))) ?? undefined) as unknown as NooutLease | undefined,
    writeLease: (lease) => documents.put(keyOf(lease.host), lease as unknown as Json),
    deleteLease: (host) => documents.put(keyOf(host), null),
  }
}
