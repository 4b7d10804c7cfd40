/** A complete look at the cluster. Placement is each node's own word; the cluster's list, 10 to 20 s stale, only adds to it. */
import type { z } from 'zod'
import type { ClusterObservation } from '#domain/cluster'
import { DriverError } from '#domain/driver-error'
import { clusterName, type NodeName, vmid } from '#domain/ids'
import type { NodeStorage } from '#domain/node'
import {
  guestOf,
  type NodeLook,
  nodeItem,
  nodeOf,
  type Packages,
  type Placed,
  placeGuests,
  statusOf,
} from './assemble.ts'
import { type ProxmoxClient, path } from './client.ts'
import type { ProxmoxConfig } from './config.ts'
import { configReader, lastChanges, UNREAD } from './config-reader.ts'
import type { ConfigFacts } from './guest-config.ts'
import { provenToExist, unseenNumbers } from './hidden.ts'
import { type ClusterFacts, cephFsid, clusterMemory, lookAtCluster, type Member } from './look-cluster.ts'
import { bindingsOf, lookAtMappings } from './look-devices.ts'
import { bridgesOf, listedStorages, lookAtNode, storagesOf } from './look-node.ts'
import { type Memory, memory, shortMemory } from './memory.ts'
import { notOffered, type Sight, sightOf } from './sight.ts'
import * as wire from './wire.ts'

/** What a node offers changes with its packages, its network's configuration, or a reboot; that one shows. */
const OFFERS_KEPT_MS = 600_000
const CEPH_KEPT_MS = 600_000
const NODES_LIMIT = 1_000
const UNSEEN_KEPT_MS = 600_000
/** Of guests that nobody sees: one is as bad as ten. */
const PROOFS_ENOUGH = 3

/** Seconds since the node booted; undefined: nobody told. */
type Uptime = number | undefined

/** It has not booted since: the uptime of a node that booted is smaller. */
const hasNotBooted = (before: Uptime, now: Uptime): boolean =>
  before !== undefined && now !== undefined && before <= now

const keptByBoot = <T>() =>
  memory<T, Uptime>({ keepMs: OFFERS_KEPT_MS, entriesLimit: NODES_LIMIT, isSame: hasNotBooted })

function observerMemory() {
  return {
    cluster: clusterMemory(),
    configs: configReader(),
    packages: keptByBoot<Packages>(),
    bridges: keptByBoot<readonly string[]>(),
    conntrack: keptByBoot<boolean>(),
    fsid: shortMemory<string>(CEPH_KEPT_MS, 1),
    unseen: shortMemory<readonly number[]>(UNSEEN_KEPT_MS, 1),
  }
}

/** @param clockFaults one line an entry point whose clock is wrong: what it says of tasks is not to be believed */
export function observer(client: ProxmoxClient, config: ProxmoxConfig, clockFaults: () => readonly string[]) {
  const kept = observerMemory()

  async function lookAtMember(
    sight: Sight,
    { name }: Member,
    told: { readonly nowMs: number; readonly uptime: Uptime },
  ) {
    const asked = { key: name, nowMs: told.nowMs, mark: told.uptime }
    const [facts, packages, bridges, conntrack] = await Promise.all([
      lookAtNode(sight, name),
      kept.packages.get(asked, () => readPackages(sight, name)),
      kept.bridges.get(asked, () => bridgesOf(sight, name)),
      kept.conntrack.get(asked, () => offersConntrack(sight, name)),
    ])
    return { ...facts, packages, bridges: bridges ?? [], conntrack: conntrack === true }
  }

  return async function observe(avoid?: NodeName): Promise<ClusterObservation> {
    const nowMs = await config.clock.nowMs()
    const sight = sightOf(client, avoid)
    const cluster = await lookAtCluster(client, { sight, kept: kept.cluster, nowMs, avoid })
    const online = cluster.members.filter((member) => member.online)
    const looks: ReadonlyMap<string, NodeLook> = new Map(
      await Promise.all(
        online.map(async (member) => {
          const uptime = nodeItem(cluster, member.name)?.uptime
          return [member.name, await lookAtMember(sight, member, { nowMs, uptime })] as const
        }),
      ),
    )
    const placements = placeGuests(cluster, looks)
    await sayHidden({ sight, unseen: kept.unseen, nowMs }, cluster, placements)
    const changes = lastChanges(cluster.recentTasks)
    const placed = await Promise.all(
      [...placements].map(async ([id, where]) => {
        if (!looks.has(where.node)) {
          sight.say(
            `guest ${id}: its node ${where.node} is offline, so where it runs and its configuration are not known`,
          )
          return { id, where, facts: UNREAD }
        }
        const told = { nowMs, listed: where.listed, lastChange: changes.get(id) }
        return { id, where, facts: await kept.configs.read(sight, { id, ...where }, told) }
      }),
    )
    const storages = await storagesBy(sight, cluster, { online, placed })
    const mappings = await lookAtMappings(
      sight,
      placed.flatMap(({ facts }) => facts.devices),
    )
    const guests = placed.map(({ id, where, facts }) => {
      const isRunning = statusOf(cluster, id, where) === 'running'
      const known = { storages: storages.get(where.node) ?? [], mappings }
      const bound = bindingsOf({ id, node: where.node, isRunning }, facts, known)
      return { bound, guest: guestOf(config, cluster, { id, placed: where, facts: { ...facts, ...bound } }) }
    })
    const fsid = await kept.fsid.get({ key: '', nowMs, mark: undefined }, () => cephFsid(sight))
    const linksDown = await corosyncLinksDown(sight, config)
    return {
      observedAtMs: nowMs,
      ...clusterPart(cluster),
      ...(fsid === undefined ? {} : { cephFsid: fsid }),
      nodes: cluster.members.map(({ name, online: isOnline }) =>
        nodeOf(config, cluster, { name, isOnline, look: looks.get(name), storages: storages.get(name) ?? [] }),
      ),
      guests: guests.map(({ guest }) => guest).sort((left, right) => left.vmid - right.vmid),
      rules: [...cluster.rules, ...guests.flatMap(({ bound }) => bound.pin ?? [])],
      roles: config.roles ?? [],
      corosyncLinksDown: linksDown,
      conntrackStateOffered: looks.size > 0 && [...looks.values()].every(({ conntrack }) => conntrack),
      blind: [...sight.blind, ...clockFaults()].sort(),
    }
  }
}

const clusterPart = (cluster: ClusterFacts) => ({
  name: clusterName(cluster.name),
  ...(cluster.pveVersion === undefined ? {} : { pveVersion: cluster.pveVersion }),
  quorate: cluster.quorate,
  votes: cluster.votes,
  qdeviceVotes: cluster.qdeviceVotes,
  qdeviceUp: cluster.qdeviceUp,
  tasks: cluster.tasks,
  migrationNetworkIsCorosyncLink: cluster.migrationNetworkIsCorosyncLink,
  shutdownPolicy: cluster.shutdownPolicy,
  ...(cluster.backupsAhead === undefined ? {} : { backupsAhead: cluster.backupsAhead }),
  ...(cluster.ha.master === undefined ? {} : { crmMaster: cluster.ha.master }),
})

/** The cluster's list tells which storages are where; how much room is left is asked only where a disk would have to be copied. */
async function storagesBy(
  sight: Sight,
  cluster: ClusterFacts,
  {
    online,
    placed,
  }: { readonly online: readonly Member[]; readonly placed: readonly { readonly facts: ConfigFacts }[] },
): Promise<ReadonlyMap<string, readonly NodeStorage[]>> {
  const listed = new Map(online.map(({ name }) => [name, listedStorages(cluster.resources, name)] as const))
  const shared = new Set([...listed.values()].flat().flatMap(({ id, shared: isShared }) => (isShared ? id : [])))
  const isCopied = placed.some(({ facts }) => facts.disks.some(({ storage }) => !shared.has(storage)))
  if (!isCopied) return listed
  return new Map(
    await Promise.all(online.map(async ({ name }) => [name, (await storagesOf(sight, name)) ?? []] as const)),
  )
}

/** Before 9 neither the question nor the parameter is known. */
async function offersConntrack(sight: Sight, node: NodeName): Promise<boolean | undefined> {
  const call = { doing: `ask what ${node} can migrate`, path: path`/nodes/${node}/capabilities/qemu/migration` }
  const none = { 'has-dbus-vmstate': false }
  const told = await sight.seeOr<z.output<typeof wire.migrationCapabilities>>(notOffered, none, {
    schema: wire.migrationCapabilities,
    call,
  })
  return told === undefined ? undefined : told['has-dbus-vmstate'] === true
}

async function corosyncLinksDown(sight: Sight, { corosyncLinksDown: ask }: ProxmoxConfig) {
  try {
    return (await ask?.()) ?? []
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    sight.say(error.message)
    return []
  }
}

function readPackages(sight: Sight, node: NodeName) {
  const call = { doing: `list the packages of ${node}`, path: path`/nodes/${node}/apt/versions` }
  return sight.see(wire.packages, call, undefined)
}

type Looking = {
  readonly sight: Sight
  readonly nowMs: number
  readonly unseen: Memory<readonly number[]>
}

/** Guests that HA names, and numbers that are taken, where no list shows a guest: the token may not see them. */
async function sayHidden(look: Looking, cluster: ClusterFacts, placements: ReadonlyMap<number, Placed>): Promise<void> {
  const { sight, nowMs } = look
  for (const id of cluster.ha.managed.keys()) {
    if (!placements.has(id)) sight.say(`guest ${id} is under HA, but the token may not see it`)
  }
  const hidden = await look.unseen.get({ key: '', nowMs, mark: undefined }, async () => {
    const numbers = await unseenNumbers(sight, new Set(placements.keys()), cluster.options)
    return numbers === undefined ? undefined : provenToExist(sight, numbers.slice(0, PROOFS_ENOUGH))
  })
  for (const id of hidden ?? []) {
    const isTold = placements.has(id) || cluster.ha.managed.has(vmid(id))
    if (!isTold) sight.say(`guest ${id} exists, but the token may not see it`)
  }
}
