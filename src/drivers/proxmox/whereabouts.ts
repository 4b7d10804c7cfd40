/** Where guests are, by the nodes' own word: the cluster's list is 10 to 20 s stale, and keeps a dead node's guests running. */
import { DriverError } from '#domain/driver-error'
import { type NodeName, nodeName, type Vmid, vmid } from '#domain/ids'
import type { Clock } from '#ports/clock'
import type { Hypervisor, Whereabouts } from '#ports/hypervisor'
import { type ProxmoxClient, path, refused } from './client.ts'
import { membersOf } from './look-cluster.ts'
import { SUBPATH } from './look-node.ts'
import type { Refusal } from './schema.ts'
import * as wire from './wire.ts'

export type GuestAt = {
  readonly kind: 'vm' | 'ct'
  readonly status: 'running' | 'stopped'
  readonly lock: string | undefined
  readonly haManaged: boolean
}

/** Recorded: 500 "Configuration file 'nodes/pve2/qemu-server/100.conf' does not exist". */
export const saysNotHere = ({ text }: Refusal): boolean => /Configuration file .* does not exist/.test(text)

/** What the node itself says of the guest; undefined: it is not there. */
export async function guestAt(
  client: ProxmoxClient,
  at: {
    readonly guest: Vmid
    readonly node: NodeName
    readonly kinds?: readonly ('vm' | 'ct')[]
    readonly avoid?: NodeName
  },
): Promise<GuestAt | undefined> {
  for (const kind of at.kinds ?? (['vm', 'ct'] as const)) {
    const call = {
      doing: `ask ${at.node} for guest ${at.guest}`,
      path: path`/nodes/${at.node}/${SUBPATH[kind]}/${at.guest}/status/current`,
      ...(at.avoid === undefined ? {} : { avoid: at.avoid }),
    }
    const reply = await client.ask(wire.guestStatus, call)
    if (reply.is === 'data') {
      const { status, lock, ha } = reply.data
      return { kind, status: status === 'running' ? 'running' : 'stopped', lock, haManaged: ha?.managed === true }
    }
    if (!saysNotHere(reply)) throw refused(call, reply)
  }
  return undefined
}

/**
 * `expected`: asked first. A guest's configuration lies on one node alone, so a node that has it is word enough, in one call.
 * Else the list says where to ask; then that node is asked; then all the others.
 */
export async function locate(
  client: ProxmoxClient,
  guest: Vmid,
  expected?: NodeName,
  kind?: 'vm' | 'ct',
): Promise<Whereabouts> {
  const there = expected === undefined ? undefined : await askExpected(client, { guest, node: expected, kind })
  return there ?? searchFor(client, guest)
}

async function askExpected(
  client: ProxmoxClient,
  { guest, node, kind }: { readonly guest: Vmid; readonly node: NodeName; readonly kind: 'vm' | 'ct' | undefined },
): Promise<Whereabouts | undefined> {
  try {
    const found = await guestAt(client, { guest, node, avoid: node, ...(kind === undefined ? {} : { kinds: [kind] }) })
    return found === undefined ? undefined : atNode(node, found)
  } catch (error) {
    // It does not answer, or does not exist: the cluster is asked.
    if (error instanceof DriverError) return undefined
    throw error
  }
}

const atNode = (node: NodeName, { status, lock }: GuestAt): Whereabouts => ({
  is: 'at',
  node,
  status,
  ...(lock === undefined ? {} : { lock }),
})

async function searchFor(client: ProxmoxClient, guest: Vmid): Promise<Whereabouts> {
  const [resources, members] = await Promise.all([
    client.get(wire.resources, {
      doing: `look for guest ${guest} in the cluster's list`,
      path: '/cluster/resources',
      params: { type: 'vm' },
    }),
    readMembers(client),
  ])
  const listed = resources.find((item) => item.vmid === guest)
  const home = members.find((member) => member.name === listed?.node)
  if (home !== undefined && !home.online) {
    return { is: 'unknown', reason: `its node ${home.name} is offline: it may run there still` }
  }
  const kinds = listed === undefined ? undefined : [listed.type === 'lxc' ? ('ct' as const) : ('vm' as const)]
  const order = [...members].sort((left, right) => Number(right === home) - Number(left === home))
  const silent: string[] = []
  for (const member of order) {
    if (!member.online) {
      silent.push(`${member.name} is offline`)
      continue
    }
    try {
      const found = await guestAt(client, { guest, node: member.name, ...(kinds === undefined ? {} : { kinds }) })
      if (found !== undefined) return atNode(member.name, found)
    } catch (error) {
      // A node that does not answer may be the one that has it.
      if (!(error instanceof DriverError) || error.retry === 'never') throw error
      silent.push(error.message)
    }
  }
  return silent.length === 0 ? { is: 'missing' } : { is: 'unknown', reason: silent.join('; ') }
}

export async function readMembers(client: ProxmoxClient, avoid?: NodeName) {
  const call = { doing: 'read the cluster status', path: '/cluster/status' }
  return membersOf(await client.get(wire.clusterStatus, avoid === undefined ? call : { ...call, avoid }))
}

/** By the cluster's list, which is 10 to 20 s behind: the other of two looks that prove a node empty. */
export function lister(client: ProxmoxClient, clock: Clock): Hypervisor['listedOn'] {
  let last: { readonly atMs: number; readonly list: ReturnType<typeof read> } | undefined
  const read = (node: NodeName) =>
    client.get(wire.resources, {
      doing: `ask the cluster's list who runs on ${node}`,
      path: '/cluster/resources',
      params: { type: 'vm' },
      avoid: node,
    })
  return async (node, sharedForMs = 0) => {
    const nowMs = await clock.nowMs()
    // A clock that was set back makes nothing young again.
    const isYoung = last !== undefined && Math.abs(nowMs - last.atMs) < sharedForMs
    const mine = isYoung && last !== undefined ? last : { atMs: nowMs, list: read(node) }
    last = mine
    const listed = await mine.list.catch((error: unknown) => {
      // An answer that failed is nobody's: whoever asks next asks anew.
      if (last === mine) last = undefined
      throw error
    })
    return listed
      .filter((item) => item.node === node && item.status === 'running' && item.vmid !== undefined)
      .map((item) => vmid(item.vmid as number))
      .sort((left, right) => left - right)
  }
}

/** Through another node's API: the proxy brings the node's own answer, and fails when the node is dead. */
export async function runningOn(client: ProxmoxClient, node: NodeName): Promise<readonly Vmid[]> {
  const lists = await Promise.all(
    (['vm', 'ct'] as const).map((kind) =>
      client.get(wire.guestList, {
        doing: `list the ${kind}s that run on ${node}`,
        path: path`/nodes/${node}/${SUBPATH[kind]}`,
        avoid: node,
      }),
    ),
  )
  return lists
    .flat()
    .filter((guest) => guest.status === 'running')
    .map((guest) => vmid(guest.vmid))
    .sort((left, right) => left - right)
}

export async function nodeOnline(client: ProxmoxClient, node: NodeName): Promise<boolean> {
  const call = { doing: `ask the cluster whether ${node} is online`, path: '/cluster/status', avoid: node }
  const status = await client.get(wire.clusterStatus, call)
  const quorate = status.find((item) => item.type === 'cluster')?.quorate
  // A member without quorum sees everybody else offline: that is no word of the cluster.
  if (quorate === false) throw new DriverError('proxmox', call.doing, { retry: 'later', text: 'no quorum there' })
  const member = membersOf(status).find((item) => item.name === nodeName(node))
  if (member === undefined) {
    throw new DriverError('proxmox', call.doing, { retry: 'never', text: 'the cluster has no such node' })
  }
  return member.online
}
