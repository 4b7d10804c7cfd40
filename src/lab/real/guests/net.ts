/** The guests' network: a namespace a node, each with a bridge, joined by a bridge in one more, where the outside prober sits. */
import { createHash } from 'node:crypto'
import type { NodeName, Vmid } from '#domain/ids'
import { run } from '#drivers/exec/run'
import { failed } from '../processes.ts'

export type GuestNet = {
  /** The outside: customers would come from here. */
  readonly clientNamespace: string
  namespaceOf(node: NodeName): string
  /** A node's own address: its kernel answers at once, so it shows how well the prober itself keeps time. */
  readonly yardstick: string
  stop(): Promise<void>
}

export const BRIDGE = 'vmbr0'
const CLIENT = 'client'
const SUBNET = '10.77.0'
const FIRST_NODE_ADDRESS = 11
const CALL_LIMIT_MS = 30_000
const PIDS_LOOKS_LIMIT = 5

/** Guests and nodes have addresses of their own, in a network that nobody else sees. */
export const guestAddress = (index: number) => `${SUBNET}.${101 + index}`

const bridgeMac = (index: number) => `02:00:0a:4d:00:${(FIRST_NODE_ADDRESS + index).toString(16).padStart(2, '0')}`

/** With Proxmox's own prefix; it moves with its guest. */
export function guestMac(guest: Vmid): string {
  const pair = (value: number) => (value & 0xff).toString(16).padStart(2, '0')
  return `bc:24:11:${pair(guest >> 16)}:${pair(guest >> 8)}:${pair(guest)}`
}

/** Names that nobody else would give: ours by the state folder. */
const prefixOf = (dir: string) => `coulisse-${createHash('sha256').update(dir).digest('hex').slice(0, 8)}`

/** @throws DriverError where namespaces may not be made, with what to do. */
export async function startGuestNet(
  dir: string,
  nodes: readonly NodeName[],
  guests: readonly Vmid[],
): Promise<GuestNet> {
  await endGuestNet(dir)
  const prefix = prefixOf(dir)
  const client = `${prefix}-${CLIENT}`
  const namespaceOf = (node: NodeName) => `${prefix}-${node}`
  try {
    for (const namespace of [client, ...nodes.map(namespaceOf)]) await makeNamespace(namespace)
    await batch(client, [
      'link set lo up',
      'link add br0 type bridge forward_delay 0 stp_state 0',
      'link set br0 up',
      `addr add ${SUBNET}.1/24 dev br0`,
      ...nodes.flatMap((node, index) => [
        `link add up${index} type veth peer name eth0 netns ${namespaceOf(node)}`,
        `link set up${index} master br0 up`,
      ]),
      // Known for good, as a router knows them: fping would stand still for seconds while nobody answers for an address.
      ...guests.map(
        (guest, index) => `neigh add ${guestAddress(index)} lladdr ${guestMac(guest)} dev br0 nud permanent`,
      ),
    ])
    for (const [index, node] of nodes.entries()) {
      await batch(namespaceOf(node), [
        'link set lo up',
        // A bridge without an address of its own takes another whenever a tap comes or goes.
        `link add ${BRIDGE} address ${bridgeMac(index)} type bridge forward_delay 0 stp_state 0`,
        `link set eth0 master ${BRIDGE} up`,
        `link set ${BRIDGE} up`,
        `addr add ${SUBNET}.${FIRST_NODE_ADDRESS + index}/24 dev ${BRIDGE}`,
      ])
    }
  } catch (error) {
    await endGuestNet(dir)
    throw error
  }
  return {
    clientNamespace: client,
    namespaceOf,
    yardstick: `${SUBNET}.${FIRST_NODE_ADDRESS}`,
    stop: () => endGuestNet(dir),
  }
}

async function makeNamespace(namespace: string): Promise<void> {
  const ran = await ip(['netns', 'add', namespace])
  if (ran.code === 0) return
  const text = `${ran.stderr.trim()}; a container needs CAP_SYS_ADMIN and CAP_NET_ADMIN for it, or use --guests 0`
  throw failed(`make the network namespace ${namespace}`, new Error(text))
}

const ip = (args: readonly string[], input?: string) =>
  run({
    driver: 'real lab',
    doing: 'make the guests’ network',
    command: ['ip', ...args],
    deadlineMs: CALL_LIMIT_MS,
    ...(input === undefined ? {} : { input }),
  })

async function batch(namespace: string, lines: readonly string[]): Promise<void> {
  const ran = await ip(['-n', namespace, '-batch', '-'], `${lines.join('\n')}\n`)
  if (ran.code !== 0) throw failed(`make the network in ${namespace}`, new Error(ran.stderr.trim()))
}

/** Ends what runs in this state folder's namespaces and removes them; QEMU itself does not run there. Repeating it changes nothing. */
export async function endGuestNet(dir: string): Promise<void> {
  for (const namespace of await namespacesOf(dir)) {
    await endProcessesIn(namespace)
    const ran = await ip(['netns', 'del', namespace])
    if (ran.code !== 0) throw failed(`remove the network namespace ${namespace}`, new Error(ran.stderr.trim()))
  }
}

/** Of this state folder, by name; none where there is no `ip`. */
export async function namespacesOf(dir: string): Promise<readonly string[]> {
  const listed = await ip(['netns', 'list']).catch(() => undefined)
  const names = (listed?.stdout ?? '').split('\n').map((line) => line.split(' ')[0] ?? '')
  return names.filter((name) => name.startsWith(`${prefixOf(dir)}-`))
}

/** Nobody but us is in a namespace that we made under a name of ours. */
async function endProcessesIn(namespace: string): Promise<void> {
  for (let look = 1; look <= PIDS_LOOKS_LIMIT; look++) {
    const pids = (await ip(['netns', 'pids', namespace])).stdout.split('\n').filter((pid) => pid !== '')
    if (pids.length === 0) return
    for (const pid of pids) {
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // It is gone already.
      }
    }
  }
}
