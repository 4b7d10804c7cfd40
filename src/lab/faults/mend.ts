/** How a fault is mended by somebody: what would last for ever otherwise. */
import { nodeName } from '#domain/ids'
import { cephOf, lowerFlag, refreshMonitors, refreshPlacementGroups, upOsds } from '#lab/world/ceph'
import { cancelEvents } from '#lab/world/events'
import { allGuests, isManaged, runningAt, unlockGuest } from '#lab/world/guests'
import { switchMaintenance } from '#lab/world/ha'
import { beginBoot, powerIsGone } from '#lab/world/power'
import type { World, WorldNode } from '#lab/world/state'
import { type About, nodesOf, WAY_MENDS } from './mend-way.ts'

function unpinLrm(world: World, node: WorldNode): void {
  const manages = runningAt(world, node.name).some(isManaged)
  node.lrmPinned = false
  node.lrm = { state: manages ? 'active' : 'idle', watchdog: manages ? 'active' : 'standby' }
}

function revive(world: World, node: WorldNode): void {
  if (node.state === 'running' || node.state === 'booting') return
  if (node.state !== 'off') powerIsGone(world, node, 'others')
  if (node.state === 'dead') node.state = 'off'
  beginBoot(world, node)
}

const MENDS = {
  'node-dead': (world, about) => {
    for (const node of nodesOf(world, about)) revive(world, node)
  },
  /** Somebody presses the button for ten seconds. One that shuts down in order is left to it. */
  'node-hangs': (world, about) => {
    for (const node of nodesOf(world, about)) {
      const bootsForEver = node.state === 'booting' && node.repairEffects.includes('does-not-boot')
      const hangs = node.state === 'hung' || bootsForEver || (node.state === 'shutting-down' && node.hangsOnShutdown)
      node.hangsOnShutdown = false
      if (hangs) powerIsGone(world, node, 'others')
    }
  },
  'bmc-silent': (world, about) => {
    for (const { bmc } of nodesOf(world, about)) bmc.state = 'up'
  },
  'bmc-swapped': (world) => {
    for (const node of Object.values(world.nodes)) node.bmc.answersAs = node.name
  },
  'qemu-older': (world, about) => {
    for (const node of nodesOf(world, about)) node.versions = { ...node.versions, ...newest(world) }
  },
  'lrm-state': (world, about) => {
    for (const node of nodesOf(world, about)) if (node.lrmPinned) unpinLrm(world, node)
  },
  chassis: (world) => {
    for (const node of Object.values(world.nodes)) delete node.chassis
  },
  role: (world) => {
    world.cluster.roles = []
  },
  'maintenance-mode-unavailable': (world) => {
    world.cluster.maintenanceModeAvailable = true
  },
  'maintenance-mode-by-other': (world, about) => {
    for (const node of nodesOf(world, about)) switchMaintenance(world, node, false, 'others')
  },
  'corosync-link-down': (world) => {
    world.cluster.corosyncLinksDown = []
  },
  'corosync-is-migration-network': (world) => {
    world.cluster.migrationNetworkIsCorosyncLink = false
  },
  'qdevice-down': (world) => {
    world.cluster.qdeviceUp = world.cluster.qdeviceVotes > 0
  },
  'osd-down': (world) => {
    const ceph = cephOf(world)
    for (const osd of ceph?.osds ?? []) osd.broken = false
    for (const host of new Set(ceph?.osds.filter(({ up }) => !up).map((osd) => osd.host)))
      if (world.nodes[host]?.state === 'running') upOsds(world, host)
  },
  'osd-nearfull': (world) => {
    if (world.ceph !== 'none') world.ceph.fullness = 'ok'
  },
  'pool-size': (world) => {
    if (world.ceph !== 'none') world.ceph.pools = world.ceph.pools.map((pool) => ({ ...pool, size: 3, minSize: 2 }))
  },
  pgs: (world) => {
    if (world.ceph === 'none') return
    world.ceph.degradedByFault = 0
    world.ceph.inconsistentByFault = 0
    refreshPlacementGroups(world)
  },
  'slow-ops': (world) => {
    if (world.ceph !== 'none') world.ceph.slowOpsCount = 0
  },
  'service-on-node': (world) => {
    if (world.ceph !== 'none') world.ceph.services = []
  },
  'ceph-flag': (world, { node, flag = 'noout' }) => {
    const ceph = cephOf(world)
    if (ceph) lowerFlag(world, ceph, { name: flag, ...(node === undefined ? {} : { host: node }) })
  },
  /** The other maintenance has ended. */
  'lease-by-other': (world) => {
    const ceph = cephOf(world)
    if (!ceph) return
    for (const host of Object.keys(ceph.hostFlags).map(nodeName)) {
      if (!ceph.configKeys[`coulisse/lease/${host}`]?.includes('/pve9-')) continue
      lowerFlag(world, ceph, { name: 'noout', host })
      delete ceph.configKeys[`coulisse/lease/${host}`]
    }
  },
  'monitor-down': (world) => {
    if (world.ceph !== 'none') for (const monitor of world.ceph.monitors) delete monitor.broken
    refreshMonitors(world)
  },
  'bmc-anonymous': (world) => {
    for (const node of Object.values(world.nodes)) delete node.bmc.anonymous
  },
  /** A migration's own lock is the migration's to take off. */
  'guest-locked': (world) => {
    for (const guest of allGuests(world))
      if (guest.lock !== undefined && guest.lock !== 'migrate') unlockGuest(world, guest)
  },
  'migration-never-converges': (world) => {
    for (const guest of allGuests(world)) guest.dirtyBytesPerSecond = 4e6
  },
  api: (world) => {
    world.apiFaults = []
  },
  ...WAY_MENDS,
} as const satisfies Record<string, (world: World, about: About) => void>

/** The newest QEMU that any node runs. */
function newest(world: World): { readonly qemu?: string } {
  const all = Object.values(world.nodes).flatMap(({ versions }) => versions.qemu ?? [])
  const qemu = all.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  return qemu === undefined ? {} : { qemu }
}

type OneThing = keyof typeof MENDS
export type Mendable = OneThing | 'everything'
export const MENDABLE = [...(Object.keys(MENDS) as readonly OneThing[]), 'everything'] as readonly Mendable[]

export function mend(world: World, what: Mendable, about: About): void {
  if (what === 'everything') {
    mendEverything(world)
    return
  }
  const act: (world: World, about: About) => void = MENDS[what]
  act(world, about)
}

/** What others did is undone by them; what a maintenance did stays its own. Faults that were still to come do not come. */
function mendEverything(world: World): void {
  cancelEvents(world, ({ kind }) => kind === 'fault' || kind === 'powers-on-by-itself')
  const special: readonly OneThing[] = ['node-dead', 'maintenance-mode-by-other', 'ceph-flag']
  for (const what of Object.keys(MENDS) as OneThing[]) if (!special.includes(what)) mend(world, what, {})
  for (const node of Object.values(world.nodes)) {
    delete node.startsByItselfAfterS
    const isOff = node.state === 'off' && node.downBy !== 'us' && !node.cordsPulled
    if (isOff || node.state === 'dead' || node.state === 'hung') revive(world, node)
    if (node.haMaintenanceBy === 'others') mend(world, 'maintenance-mode-by-other', { node: node.name })
  }
  const ceph = cephOf(world)
  if (!ceph) return
  for (const [key, { by }] of Object.entries(ceph.flagSetBy)) {
    const [where = '', name = ''] = key.split('/')
    if (by === 'others') lowerFlag(world, ceph, { name, ...(where === 'cluster' ? {} : { host: nodeName(where) }) })
  }
}
