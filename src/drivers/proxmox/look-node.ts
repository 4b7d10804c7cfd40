/** One node's half of a look, by its own word: its machine, storages, bridges, versions, and who really lies there. */

import type { z } from 'zod'
import type { NodeName } from '#domain/ids'
import type { NodeStorage, Versions } from '#domain/node'
import { path } from './client.ts'
import type { Sight } from './sight.ts'
import * as wire from './wire.ts'

export type ListedAs = wire.ListedGuest & { readonly kind: 'vm' | 'ct' }

export type NodeFacts = {
  readonly status: z.output<typeof wire.nodeStatus> | undefined
  readonly guests: readonly ListedAs[]
}

/** What changes from moment to moment. The rest is asked by itself, and kept. */
export async function lookAtNode(sight: Sight, node: NodeName): Promise<NodeFacts> {
  const [status, vms, cts] = await Promise.all([
    sight.see(wire.nodeStatus, { doing: `read the status of ${node}`, path: path`/nodes/${node}/status` }, undefined),
    listGuests(sight, node, 'vm'),
    listGuests(sight, node, 'ct'),
  ])
  return { status, guests: [...vms, ...cts] }
}

/** Bridges, and SDN's virtual networks with them. One that is down has no `active`; a virtual network is where it is listed. */
export async function bridgesOf(sight: Sight, node: NodeName): Promise<readonly string[] | undefined> {
  const call = {
    doing: `list the bridges of ${node}`,
    path: path`/nodes/${node}/network`,
    params: { type: 'any_bridge' },
  }
  const networks = await sight.see(wire.networks, call, undefined)
  return networks
    ?.filter(({ type, active }) => type === 'vnet' || (BRIDGES.has(type) && active === true))
    .map(({ iface }) => iface)
    .sort()
}

const BRIDGES = new Set(['bridge', 'OVSBridge'])

/** With the room that is really left: a filesystem keeps some of what is not used. */
export async function storagesOf(sight: Sight, node: NodeName): Promise<readonly NodeStorage[] | undefined> {
  const call = { doing: `list the storages of ${node}`, path: path`/nodes/${node}/storage` }
  const storages = await sight.see(wire.storages, call, undefined)
  return storages
    ?.filter((storage) => storage.active !== false && storage.enabled !== false)
    .map(({ storage, shared, avail }) => ({ id: storage, shared: shared === true, freeBytes: avail ?? 0 }))
    .sort(byId)
}

/** From the cluster's list, for nothing: good for whether it is there. What is not used may be less than what is free. */
export const listedStorages = (resources: readonly wire.Resource[], node: NodeName): readonly NodeStorage[] =>
  resources
    .filter((item) => item.type === 'storage' && item.node === node && item.status === 'available')
    .map(({ storage, shared, disk, maxdisk }) => ({
      id: storage ?? '',
      shared: shared === true,
      freeBytes: Math.max(0, (maxdisk ?? 0) - (disk ?? 0)),
    }))
    .sort(byId)

const byId = (left: NodeStorage, right: NodeStorage) => left.id.localeCompare(right.id)

export const SUBPATH = { vm: 'qemu', ct: 'lxc' } as const

async function listGuests(sight: Sight, node: NodeName, kind: 'vm' | 'ct'): Promise<readonly ListedAs[]> {
  const call = { doing: `list the ${kind}s on ${node}`, path: path`/nodes/${node}/${SUBPATH[kind]}` }
  return (await sight.see(wire.guestList, call, [])).map((guest) => ({ ...guest, kind }))
}

/** 'pve-manager/9.2.11/14a22df3' */
const pveOf = (text: string | undefined) => /^pve-manager\/([^/]+)/.exec(text ?? '')?.[1]
const KERNEL_PACKAGE = /^(?:proxmox|pve)-kernel-(\d+\.\d+\.\d+-\d+-pve)(?:-signed)?$/

export function versionsOf(
  status: NodeFacts['status'],
  packages: z.output<typeof wire.packages> | undefined,
): Versions {
  const installed = (name: string) =>
    packages?.find((item) => item.Package === name && item.CurrentState === 'Installed')?.OldVersion
  const kernel = status?.['current-kernel']?.release
  const newest = (packages ?? [])
    .flatMap((item) => (item.CurrentState === 'Installed' ? [KERNEL_PACKAGE.exec(item.Package)?.[1]] : []))
    .filter((release) => release !== undefined)
    .sort(compareReleases)
    .at(-1)
  const pending = newest !== undefined && kernel !== undefined && compareReleases(newest, kernel) > 0
  const told = {
    pve: pveOf(status?.pveversion),
    kernel,
    qemu: installed('pve-qemu-kvm'),
    ceph: installed('ceph-common') ?? installed('ceph'),
    pendingKernel: pending ? newest : undefined,
  }
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined))
}

/** '6.14.11-4-pve' against '6.14.8-2-pve', by numbers. */
function compareReleases(left: string, right: string): number {
  return left.localeCompare(right, 'en', { numeric: true })
}
