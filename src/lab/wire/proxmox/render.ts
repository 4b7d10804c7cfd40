/** The world in Proxmox's words: guests and their configurations, nodes, tasks. */
import type { Vmid } from '#domain/ids'
import { isRunning } from '#lab/world/guests'
import type { World, WorldGuest, WorldNode, WorldTask } from '#lab/world/state'
import { bit, inSeconds } from './answer.ts'
import type { PveCall } from './call.ts'
import { may } from './rights.ts'

export const KIND_PATH = { vm: 'qemu', ct: 'lxc' } as const

const guestsOf = (world: World): WorldGuest[] => Object.values(world.guests).filter((guest) => !guest.lost)

/** Guests that a token may not see are left out in silence. */
export const visible = (call: PveCall): WorldGuest[] =>
  guestsOf(call.world).filter((guest) => may(call.token, `/vms/${guest.spec.vmid}`, 'VM.Audit'))

/** Who owns it, by pool; what its owner accepts, by tags. */
export function poolOf({ spec, customer }: WorldGuest): string | undefined {
  return spec.pool ?? customer
}

function tagsOf({ spec }: WorldGuest): string {
  const budget = spec.pauseBudgetMs === undefined ? [] : [`pause-${spec.pauseBudgetMs}ms`]
  const tags = new Set([...spec.tags, ...budget, ...(spec.movable ? [] : ['not-movable'])])
  return [...tags].join(';')
}

/** As the cluster's list has it: 10 to 20 s behind, and a dead node's guests stay running in it. */
export function guestInList(guest: WorldGuest) {
  const { spec, listed } = guest
  const running = listed.status === 'running'
  const pool = poolOf(guest)
  return {
    ...figures(guest, running),
    id: `${KIND_PATH[spec.kind]}/${spec.vmid}`,
    type: KIND_PATH[spec.kind],
    node: listed.node,
    status: listed.status,
    maxcpu: spec.cpuCores,
    template: bit(spec.template),
    ...(listed.lock === undefined ? {} : { lock: listed.lock }),
    ...(pool === undefined ? {} : { pool }),
    ...(guest.haState === undefined ? {} : { hastate: guest.haState }),
    diskread: 0,
    diskwrite: 0,
  }
}

function figures(guest: WorldGuest, running: boolean) {
  const { spec } = guest
  const tags = tagsOf(guest)
  const used = spec.cpuUsedCores === 'unknown' ? 0 : spec.cpuUsedCores / Math.max(1, spec.cpuCores)
  return {
    vmid: spec.vmid,
    name: spec.name,
    ...(tags === '' ? {} : { tags }),
    maxmem: spec.memoryBytes,
    mem: running ? spec.residentBytes : 0,
    memhost: running ? spec.residentBytes : 0,
    cpu: running ? used : 0,
    maxdisk: spec.disks.reduce((sum, disk) => sum + disk.bytes, 0),
    disk: 0,
    netin: 0,
    netout: 0,
    uptime: running ? 1 : 0,
  }
}

/** As its node has it, now: /nodes/N/qemu and status/current. */
export function guestOnNode(guest: WorldGuest) {
  const isVm = guest.spec.kind === 'vm'
  const running = isRunning(guest)
  const status = running ? 'running' : 'stopped'
  const { memhost, ...rest } = figures(guest, running)
  return {
    ...rest,
    // Of a container `mem` is what it takes from its node; of a VM the guest's own view.
    ...(isVm ? { memhost } : {}),
    cpus: guest.spec.cpuCores,
    status,
    ...(isVm ? { qmpstatus: status } : { type: 'lxc' }),
    ...(guest.lock === undefined ? {} : { lock: guest.lock }),
    ...(guest.spec.template ? { template: 1 } : {}),
  }
}

const KILO = 1024
/** Whole KiB where that is exact: '33554432K'. */
const sizeOf = (bytes: number) => (bytes % KILO === 0 ? `${bytes / KILO}K` : String(bytes))

export function configOf(guest: WorldGuest): Record<string, unknown> {
  const { spec } = guest
  const isVm = spec.kind === 'vm'
  const diskKey = (index: number) => (isVm ? `scsi${index}` : index === 0 ? 'rootfs' : `mp${index - 1}`)
  const mac = (index: number) => `BC:24:11:${hexPair(spec.vmid >> 8)}:${hexPair(spec.vmid)}:${hexPair(index)}`
  const tags = tagsOf(guest)
  return {
    [isVm ? 'name' : 'hostname']: spec.name,
    cores: spec.cpuCores,
    memory: isVm ? String(spec.memoryBytes / KILO / KILO) : Math.round(spec.memoryBytes / KILO / KILO),
    ...(isVm && spec.cpuType !== 'unknown' ? { cpu: spec.cpuType } : {}),
    ...Object.fromEntries(
      spec.disks.map(({ storage, bytes }, index) => [
        diskKey(index),
        `${storage}:vm-${spec.vmid}-disk-${index},size=${sizeOf(bytes)}`,
      ]),
    ),
    ...Object.fromEntries(
      spec.bridges.map((bridge, index) => [
        `net${index}`,
        isVm ? `virtio=${mac(index)},bridge=${bridge}` : `name=eth${index},bridge=${bridge},hwaddr=${mac(index)}`,
      ]),
    ),
    ...Object.fromEntries(
      spec.passthrough.map((device, index) => [isVm ? `hostpci${index}` : `dev${index}`, device.replace(/^\w+: /, '')]),
    ),
    ...(spec.onboot ? { onboot: 1 } : {}),
    ...(spec.template ? { template: 1 } : {}),
    ...(guest.lock === undefined ? {} : { lock: guest.lock }),
    ...(tags === '' ? {} : { tags }),
    digest: `${hexPair(spec.vmid)}${'0'.repeat(38)}`,
  }
}

const hexPair = (value: number) => (value & 0xff).toString(16).toUpperCase().padStart(2, '0')

export function nodeInList({ world }: PveCall, node: WorldNode) {
  const usedBytes = usedMemory(world, node)
  const online = node.listed.online
  const hastate = hastateOf(world, node)
  return {
    id: `node/${node.name}`,
    type: 'node',
    node: node.name,
    status: online ? 'online' : 'offline',
    level: '',
    'cgroup-mode': 2,
    maxcpu: node.cpuCores,
    maxmem: node.memoryBytes,
    maxdisk: 12884901888,
    ...(hastate === undefined ? {} : { hastate }),
    ...(online
      ? { cpu: 0.1, mem: usedBytes, disk: 206561280, uptime: inSeconds(Math.max(0, world.nowMs - node.bootedAtMs)) }
      : {}),
  }
}

function hastateOf(world: World, node: WorldNode): string | undefined {
  if (!world.cluster.haInUse) return node.cordoned ? 'maintenance' : undefined
  if (node.haMaintenance === 'on' || node.cordoned) return 'maintenance'
  return 'online'
}

export function usedMemory(world: World, node: WorldNode): number {
  const guests = guestsOf(world).filter((guest) => guest.runsOn.includes(node.name))
  return guests.reduce((sum, guest) => sum + guest.spec.residentBytes, node.memoryUsedBytes)
}

/** 'user@realm!id' becomes user and tokenid; lists carry the result in `status`, none while it runs. */
export function taskInList(task: WorldTask) {
  const [user = '', tokenid] = task.user.split('!')
  return {
    upid: task.upid,
    node: task.node,
    pid: task.pid,
    pstart: task.pstart,
    starttime: inSeconds(task.startedAtMs),
    type: task.type,
    id: task.id,
    user,
    ...(tokenid === undefined ? {} : { tokenid }),
    ...(task.endedAtMs === undefined ? {} : { endtime: inSeconds(task.endedAtMs), status: task.exitStatus ?? '' }),
  }
}

export const guestNumber = (text: string | undefined): Vmid => Number(text) as Vmid
