/** The Hypervisor port over the simulated world: as stale, and as silent about dead nodes, as the recorded API. */
import { DriverError } from '#domain/driver-error'
import type { NodeName, Vmid } from '#domain/ids'
import * as commands from '#lab/world/commands'
import { guestOf, isRunning, runningAt } from '#lab/world/guests'
import type { LabWorld } from '#lab/world/lab-world'
import { quorate, reachable } from '#lab/world/queries'
import type { World, WorldGuest } from '#lab/world/state'
import type { Hypervisor, Whereabouts } from '#ports/hypervisor'
import { ask, look } from './ask.ts'
import { cancelMigration, findMigration, follow, haHandle } from './migrations.ts'
import { observeCluster } from './observe.ts'

export function labHypervisor(lab: LabWorld): Hypervisor {
  const world = lab.state
  return {
    observe: async (options) =>
      look(lab, { api: 'proxmox', path: '/cluster/resources', doing: 'look at the cluster' }, () =>
        observeCluster(world, options?.avoid),
      ),
    locate: async (guest) =>
      look(lab, { api: 'proxmox', path: `/cluster/resources/${guest}`, doing: `locate guest ${guest}` }, () =>
        locate(world, guest),
      ),
    listedOn: async (node) =>
      look(lab, { api: 'proxmox', path: '/cluster/resources', doing: `list guests of ${node}` }, () =>
        Object.values(world.guests)
          .filter(
            ({ listed, lost, unlisted }) => listed.node === node && listed.status === 'running' && !lost && !unlisted,
          )
          .map(({ spec }) => spec.vmid),
      ),
    runningOn: async (node) =>
      ask(lab, { api: 'proxmox', method: 'GET', path: `/nodes/${node}/qemu`, doing: `list guests of ${node}` }, () => {
        const answer = reachable(world, node)
        if (answer.is === 'refused') return answer
        return { is: 'done', value: runningAt(world, node).map(({ spec }) => spec.vmid) }
      }),
    migrate: async (move) => migrate(lab, move),
    findMigration: async (query) => findMigration(lab, query),
    follow: async (handle) => follow(lab, handle),
    cancelMigration: async (handle) => cancelMigration(lab, handle),
    ...nodePart(lab),
  }
}

type NodePart = 'setMaintenanceMode' | 'maintenanceMode' | 'shutDown' | 'nodeOnline' | 'hardware'

function nodePart(lab: LabWorld): Pick<Hypervisor, NodePart> {
  const world = lab.state
  return {
    setMaintenanceMode: async (node, on) => {
      if (!world.cluster.maintenanceModeAvailable) return 'unavailable'
      const doing = `switch maintenance mode of ${node} ${on ? 'on' : 'off'}`
      const path = `/ha-manager/node-maintenance/${node}`
      ask(lab, { api: 'proxmox', method: 'PUT', path, doing }, () => commands.setMaintenanceMode(world, node, on, 'us'))
      return 'set'
    },
    maintenanceMode: async (node) => {
      if (!world.cluster.maintenanceModeAvailable || !world.cluster.haInUse) return 'unavailable'
      const call = { api: 'proxmox', path: '/cluster/ha/status', doing: `read ${node}'s maintenance mode` } as const
      return look(lab, call, () => (world.nodes[node]?.haMaintenance === 'on' ? 'on' : 'off'))
    },
    shutDown: async (node) => {
      const path = `/nodes/${node}/status`
      ask(lab, { api: 'proxmox', method: 'POST', path, doing: `shut down ${node}` }, () =>
        commands.shutdownNode(world, node, 'us'),
      )
    },
    nodeOnline: async (node) =>
      look(lab, { api: 'proxmox', path: '/cluster/status', doing: `ask whether ${node} is online` }, () =>
        isOnline(world, node),
      ),
    hardware: async (node) =>
      ask(
        lab,
        { api: 'proxmox', method: 'GET', path: `/nodes/${node}/hardware`, doing: `read ${node}'s hardware` },
        () => {
          const answer = reachable(world, node)
          return answer.is === 'refused' ? answer : { is: 'done', value: hardwareNow(world, node) }
        },
      ),
  }
}

/** A member without quorum sees everybody else offline: that is no word of the cluster. */
function isOnline(world: World, name: NodeName): boolean {
  const doing = `ask whether ${name} is online`
  if (!quorate(world)) throw new DriverError('proxmox', doing, { retry: 'later', text: 'no quorum there' })
  const node = world.nodes[name]
  if (!node) throw new DriverError('proxmox', doing, { retry: 'never', text: 'the cluster has no such node' })
  return node.online
}

function hardwareNow(world: World, name: NodeName) {
  const node = world.nodes[name]
  if (!node) throw new DriverError('proxmox', `read ${name}'s hardware`, { retry: 'never', text: 'no such node' })
  const links = world.cluster.corosyncLinksDown.filter((one) => one.node === name).map(({ link }) => link)
  const { corosyncLinksDown } = node.hardware
  const down = corosyncLinksDown === 'unknown' ? links : [...new Set([...corosyncLinksDown, ...links])]
  return { ...node.hardware, corosyncLinksDown: down, versions: node.versions }
}

function migrate(lab: LabWorld, move: Parameters<Hypervisor['migrate']>[0]): string {
  const world = lab.state
  const { guest, from, to } = move
  const kind = guestOf(world, guest)?.spec.kind === 'ct' ? 'lxc' : 'qemu'
  const path = `/nodes/${from}/${kind}/${guest}/migrate`
  const upid = ask(
    lab,
    { api: 'proxmox', method: 'POST', path, doing: `migrate guest ${guest} from ${from} to ${to}` },
    () => commands.startMigration(world, { ...move, by: 'us' }),
  )
  return world.tasks[upid]?.type === 'hamigrate' ? haHandle({ guest, from, sinceMs: world.nowMs }) : upid
}

/** The cluster's file system knows at once where a configuration lies; only the node knows whether it runs. */
function locate(world: World, vmid: Vmid): Whereabouts {
  const guest = guestOf(world, vmid)
  if (!guest || guest.lost) return { is: 'missing' }
  const answer = reachable(world, guest.node)
  if (answer.is === 'refused') return { is: 'unknown', reason: `${guest.node}: ${answer.status} ${answer.text}` }
  return whereabouts(guest)
}

const whereabouts = (guest: WorldGuest): Whereabouts => ({
  is: 'at',
  node: guest.node,
  status: isRunning(guest) ? 'running' : 'stopped',
  ...(guest.lock === undefined ? {} : { lock: guest.lock }),
})
