/** What one entry point tells with our token: the cluster, its nodes, whether there is Ceph, whose pools there are. */
import { z } from 'zod'
import type { Secret } from '#domain/secret'
import { proxmoxClient } from '#drivers/proxmox/client'
import type { EntryPoint } from '#drivers/proxmox/transport'

const DEADLINE_MS = 10_000
const flag = z.coerce.number()

const version = z.looseObject({ version: z.string() })
const clusterStatus = z.array(
  z.looseObject({ type: z.string(), name: z.string(), ip: z.string().optional(), local: flag.optional() }),
)
const pools = z.array(z.looseObject({ poolid: z.string() }))

export type SeenCluster = {
  readonly version: string
  readonly cluster: string
  /** The node that answered. */
  readonly node: string | undefined
  /** In the order of their names. */
  readonly nodes: readonly { readonly name: string; readonly ip: string | undefined }[]
  readonly hasCeph: boolean | 'unknown'
  /** First segments of the pools: ids of customers. */
  readonly customers: readonly string[]
}

export type Token = { readonly tokenId: string; readonly tokenSecret: Secret }

/** @throws DriverError where it does not answer, or refuses the token */
export async function lookAtCluster(entry: Omit<EntryPoint, 'node'>): Promise<SeenCluster> {
  const client = proxmoxClient({ entryPoints: [entry], readDeadlineMs: DEADLINE_MS })
  try {
    const told = await client.get(version, { doing: 'sign in with the token', path: '/version' })
    const status = await client.get(clusterStatus, { doing: 'look at the cluster', path: '/cluster/status' })
    // A refusal is "no Ceph here" (500) as well as "no right to know" (403).
    const ceph = await client.ask(z.looseObject({}), { doing: 'look for Ceph', path: '/cluster/ceph/status' })
    const seenPools = await client.ask(pools, { doing: 'look at the pools', path: '/pools' })
    const members = status.filter(({ type }) => type === 'node')
    const local = members.find(({ local }) => local === 1)?.name
    return {
      version: told.version,
      cluster: status.find(({ type }) => type === 'cluster')?.name ?? local ?? 'pve',
      node: local,
      nodes: members
        .map(({ name, ip }) => ({ name, ip }))
        .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true })),
      hasCeph: ceph.is === 'data' ? true : ceph.status === 403 ? 'unknown' : false,
      customers: seenPools.is === 'data' ? firstSegments(seenPools.data.map(({ poolid }) => poolid)) : [],
    }
  } finally {
    await client.close()
  }
}

const firstSegments = (ids: readonly string[]) =>
  [...new Set(ids.map((id) => id.split('/')[0] ?? ''))].filter((id) => id !== '').sort()
