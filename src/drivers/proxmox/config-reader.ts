/** Configurations of guests: one call each, so kept for a minute; read where the guest is now when it moved meanwhile. */
import { type NodeName, nodeName } from '#domain/ids'
import { path } from './client.ts'
import { type ConfigFacts, readGuestConfig } from './guest-config.ts'
import { SUBPATH } from './look-node.ts'
import { type Sight, shortMemory } from './sight.ts'
import { saysNotHere } from './whereabouts.ts'
import * as wire from './wire.ts'

const KEPT_MS = 60_000
const GUESTS_LIMIT = 20_000

/** What is said of a guest whose configuration could not be read; `blind` names it. */
export const UNREAD: ConfigFacts = {
  cpuType: 'unknown',
  disks: [],
  bridges: [],
  passthrough: [],
  onboot: false,
  template: false,
}

type GuestAt = { readonly id: number; readonly kind: 'vm' | 'ct'; readonly node: NodeName }

export function configReader() {
  const kept = shortMemory<ConfigFacts>(KEPT_MS, GUESTS_LIMIT)
  return {
    /** Kept by guest, not by node: a move changes nothing in it. */
    async read(sight: Sight, guest: GuestAt, nowMs: number): Promise<ConfigFacts> {
      const facts = await kept.get(String(guest.id), nowMs, async () => {
        const told = await readWhereItIs(sight, guest)
        return told === undefined ? undefined : readGuestConfig(guest.kind, told)
      })
      return facts ?? UNREAD
    },
  }
}

/** It may move between its node's list and this read: then it is asked once more, where the cluster has it now. */
async function readWhereItIs(sight: Sight, guest: GuestAt): Promise<wire.GuestConfig | undefined> {
  const first = await readAt(sight, guest)
  if (first !== 'gone') return first
  const call = { doing: `look for guest ${guest.id} again`, path: '/cluster/resources', params: { type: 'vm' } }
  const node = (await sight.see(wire.resources, call, [])).find((item) => item.vmid === guest.id)?.node
  const second = node === undefined ? 'gone' : await readAt(sight, { ...guest, node: nodeName(node) })
  if (second !== 'gone') return second
  sight.say(`guest ${guest.id}: its configuration is neither on ${guest.node} nor where the cluster's list has it`)
  return undefined
}

async function readAt(sight: Sight, { id, kind, node }: GuestAt): Promise<wire.GuestConfig | 'gone' | undefined> {
  const call = {
    doing: `read the configuration of guest ${id} on ${node}`,
    path: path`/nodes/${node}/${SUBPATH[kind]}/${id}/config`,
  }
  let isGone = false
  const told = await sight.seeUnless(
    (refusal) => {
      isGone = saysNotHere(refusal)
      return isGone
    },
    wire.guestConfig,
    call,
    undefined,
  )
  return isGone ? 'gone' : told
}
