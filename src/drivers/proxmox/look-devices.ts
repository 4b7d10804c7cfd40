/** Devices and images that bind guests to some nodes: mapped hardware, and images on storages that only one node has. */
import type { Rule } from '#domain/guest'
import { type NodeName, nodeName, vmid } from '#domain/ids'
import type { NodeStorage } from '#domain/node'
import type { ConfigFacts, MappedDevice, MappingKind } from './guest-config.ts'
import { notOffered, type Sight } from './sight.ts'
import * as wire from './wire.ts'

/** Where a name is mapped, and whether a running guest may take it along. */
type Mapping = { readonly nodes: readonly NodeName[]; readonly live: boolean }
/** Key: 'pci gpu'. */
export type Mappings = ReadonlyMap<string, Mapping>

const keyOf = ({ kind, mapping }: Pick<MappedDevice, 'kind' | 'mapping'>) => `${kind} ${mapping}`

/** Only the kinds that some guest uses are asked; directories are mapped since 8.4, so 501 is no gap. */
export async function lookAtMappings(sight: Sight, devices: readonly MappedDevice[]): Promise<Mappings> {
  const kinds = [...new Set(devices.map(({ kind }) => kind))]
  const lists = await Promise.all(
    kinds.map(async (kind) => (await listMappings(sight, kind)).map((one) => [kind, one] as const)),
  )
  return new Map(
    lists.flat().map(([kind, one]) => {
      const nodes = one.map.flatMap((entry) => /(?:^|,)node=([^,]+)/.exec(entry)?.[1] ?? []).map(nodeName)
      return [
        keyOf({ kind, mapping: one.id }),
        { nodes, live: kind === 'pci' && one['live-migration-capable'] === true },
      ]
    }),
  )
}

function listMappings(sight: Sight, kind: MappingKind) {
  const call = { doing: `list the mapped ${kind} devices`, path: `/cluster/mapping/${kind}` }
  return sight.seeUnless(notOffered, wire.mappings, call, [])
}

type Bound = { readonly passthrough: readonly string[]; readonly disks: ConfigFacts['disks']; readonly pin?: Rule }

/**
 * What is left of a guest's devices and images for the planner: a running guest keeps a device that cannot move live, and one that
 * is mapped nowhere else; a name that several nodes have is a strict pin to those. An image on a storage of its node alone stays there
 * (Proxmox: "can't migrate local cdrom"), one on a shared storage needs that storage at the target.
 */
export function bindingsOf(
  guest: { readonly id: number; readonly node: string; readonly isRunning: boolean },
  facts: ConfigFacts,
  known: { readonly storages: readonly NodeStorage[]; readonly mappings: Mappings },
): Bound {
  const passthrough = [...facts.passthrough]
  const disks = [...facts.disks]
  for (const { slot, storage, volume, bytes } of facts.images) {
    const isShared = known.storages.find(({ id }) => id === storage)?.shared === true
    if (isShared) disks.push({ storage, bytes })
    else passthrough.push(`${slot}: image ${volume} lies on ${guest.node} alone`)
  }
  let nodes: readonly NodeName[] | undefined
  for (const device of facts.devices) {
    const mapped = known.mappings.get(keyOf(device))
    if (mapped === undefined) passthrough.push(`${device.slot}: mapping ${device.mapping} is not seen`)
    else if (guest.isRunning && !mapped.live) {
      passthrough.push(`${device.slot}: mapping ${device.mapping} cannot move while the guest runs`)
    } else nodes = nodes === undefined ? mapped.nodes : nodes.filter((node) => mapped.nodes.includes(node))
  }
  const pin: Rule | undefined =
    nodes === undefined ? undefined : { kind: 'pin', guests: [vmid(guest.id)], nodes: [...nodes], strict: true }
  return { passthrough, disks, ...(pin === undefined ? {} : { pin }) }
}
