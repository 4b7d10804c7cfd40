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
  readonly storages: readonly NodeStorage[]
  readonly bridges: readonly string[]
  readonly guests: readonly ListedAs[]
}

const BRIDGES = new Set(['bridge', 'OVSBridge', 'vnet'])

export async function lookAtNode(sight: Sight, node: NodeName): Promise<NodeFacts> {
  const [status, storages, networks, vms, cts] = await Promise.all([
    sight.see(wire.nodeStatus, { doing: `read the status of ${node}`, path: path`/nodes/${node}/status` }, undefined),
    sight.see(wire.storages, { doing: `list the storages of ${node}`, path: path`/nodes/${node}/storage` }, []),
    sight.see(
      wire.networks,
      // any_bridge: SDN's virtual networks too.
      { doing: `list the bridges of ${node}`, path: path`/nodes/${node}/network`, params: { type: 'any_bridge' } },
      [],
    ),
    listGuests(sight, node, 'vm'),
    listGuests(sight, node, 'ct'),
  ])
  return {
    status,
    storages: storages
      .filter((storage) => storage.active !== false && storage.enabled !== false)
      .map(({ storage, shared, avail }) => ({ id: storage, shared: shared === true, freeBytes: avail ?? 0 }))
      .sort((left, right) => left.id.localeCompare(right.id)),
    bridges: networks
      .filter((network) => BRIDGES.has(network.type))
      .map((network) => network.iface)
      .sort(),
    guests: [...vms, ...cts],
  }
}

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
