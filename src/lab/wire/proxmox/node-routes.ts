/** /nodes/{node}: the machine, its storages and bridges, its tasks, and its orderly shutdown. */

import type { NodeName } from '#domain/ids'
import { cancelTask, shutdownNode } from '#lab/world/commands'
import { taskOf } from '#lab/world/queries'
import type { WorldNode, WorldTask } from '#lab/world/state'
import { bit, data, inSeconds, notImplemented, type PveAnswer, refusal, wrongParameters } from './answer.ts'
import { byOf, type PveCall, type Route } from './call.ts'
import { progressLines } from './progress.ts'
import { taskInList, usedMemory } from './render.ts'
import { may } from './rights.ts'

const audit = ['/nodes/{node}', 'Sys.Audit'] as const
const TASKS_AT_ONCE = 50
const LOG_LINES_AT_ONCE = 50

/** Only reached when the node answers: the proxy has looked before. */
const nodeAt = ({ world, at }: PveCall): WorldNode => {
  const node = world.nodes[at.node ?? '']
  if (node === undefined) throw new Error(`no node ${at.node}: the proxy should have refused`)
  return node
}

export const nodeRoutes: readonly Route[] = [
  { method: 'GET', path: '/nodes/{node}/status', right: audit, answer: status },
  {
    method: 'POST',
    path: '/nodes/{node}/status',
    takes: ['command'],
    needs: ['command'],
    right: ['/nodes/{node}', 'Sys.PowerMgmt'],
    answer: shutDown,
  },
  { method: 'GET', path: '/nodes/{node}/time', right: audit, answer: time },
  {
    method: 'GET',
    path: '/nodes/{node}/storage',
    takes: ['content', 'enabled', 'format', 'storage', 'target'],
    answer: storages,
  },
  { method: 'GET', path: '/nodes/{node}/network', takes: ['type'], answer: networks },
  { method: 'GET', path: '/nodes/{node}/apt/versions', right: audit, answer: packages },
  {
    method: 'GET',
    path: '/nodes/{node}/disks/list',
    takes: ['include-partitions', 'skipsmart', 'type'],
    right: audit,
    answer: disks,
  },
  {
    method: 'GET',
    path: '/nodes/{node}/hardware/pci',
    takes: ['pci-class-blacklist', 'verbose'],
    right: ['/', 'Sys.Audit', 'Sys.Modify'],
    answer: pciDevices,
  },
  {
    method: 'GET',
    path: '/nodes/{node}/capabilities/qemu/migration',
    right: audit,
    answer: conntrack,
  },
  {
    method: 'GET',
    path: '/nodes/{node}/tasks',
    takes: ['errors', 'limit', 'since', 'source', 'start', 'statusfilter', 'typefilter', 'until', 'userfilter', 'vmid'],
    answer: tasks,
  },
  { method: 'GET', path: '/nodes/{node}/tasks/{upid}/status', answer: withTask(taskStatus) },
  {
    method: 'GET',
    path: '/nodes/{node}/tasks/{upid}/log',
    takes: ['download', 'limit', 'start'],
    answer: withTask(taskLog),
  },
  { method: 'DELETE', path: '/nodes/{node}/tasks/{upid}', answer: withTask(stopTask) },
]

/** Not before 9: then neither the question nor the parameter is known. */
function conntrack({ world, at }: PveCall): PveAnswer {
  if (Number.parseInt(world.cluster.pveVersion, 10) < 9) {
    return notImplemented('GET', `/nodes/${at.node}/capabilities/qemu/migration`)
  }
  return data({ 'has-dbus-vmstate': world.cluster.conntrackStateOffered })
}

function status(call: PveCall): PveAnswer {
  const node = nodeAt(call)
  const used = usedMemory(call.world, node)
  const { versions } = node
  const free = Math.max(0, node.memoryBytes - used)
  return data({
    pveversion: `pve-manager/${versions.pve ?? call.world.cluster.pveVersion}/14a22df3`,
    kversion: `Linux ${versions.kernel}`,
    'current-kernel': { sysname: 'Linux', machine: 'x86_64', release: versions.kernel, version: '#1 SMP' },
    'boot-info': { mode: 'efi' },
    cpuinfo: { cpus: node.cpuCores, cores: node.cpuCores, sockets: 1, model: node.cpuModel, user_hz: 100 },
    memory: { total: node.memoryBytes, used, free, available: free },
    rootfs: { total: 12884901888, used: 269635584, free: 12615266304, avail: 12615266304 },
    loadavg: ['0.42', '0.40', '0.38'],
    cpu: 0.1,
    uptime: inSeconds(call.world.nowMs - node.bootedAtMs),
  })
}

function shutDown(call: PveCall): PveAnswer {
  if (call.params.command !== 'shutdown') {
    return wrongParameters({ command: "value 'x' does not have a value in the enumeration 'reboot, shutdown'" })
  }
  const answer = shutdownNode(call.world, call.at.node as NodeName, byOf(call))
  return answer.is === 'done' ? data(null) : refusal(answer.status, answer.text)
}

function time(call: PveCall): PveAnswer {
  const { clockSkewMs } = nodeAt(call).hardware
  const now = inSeconds(call.world.nowMs + (clockSkewMs === 'unknown' ? 0 : clockSkewMs))
  return data({ time: now, localtime: now, timezone: 'UTC' })
}

function storages(call: PveCall): PveAnswer {
  const seen = nodeAt(call).storages.filter(({ id }) => may(call.token, `/storage/${id}`, 'Datastore.Audit'))
  return data(
    call.shuffled(
      seen.map(({ id, shared, freeBytes }) => ({
        storage: id,
        type: shared ? 'rbd' : 'dir',
        content: 'images,rootdir',
        shared: bit(shared),
        active: 1,
        enabled: 1,
        avail: freeBytes,
        used: 0,
        total: freeBytes,
      })),
    ),
  )
}

function networks(call: PveCall): PveAnswer {
  const node = nodeAt(call)
  const { bridges, nics } = node.hardware
  const names = bridges === 'unknown' ? node.bridges : bridges
  const onlyBridges = call.params.type?.startsWith('any_') === true || call.params.type === 'bridge'
  const cards =
    nics === 'unknown' || onlyBridges ? [] : nics.map(({ name }) => ({ iface: name, type: 'eth', active: 1 }))
  return data(
    call.shuffled([
      ...names.map((iface) => ({ iface, type: 'bridge', active: 1, autostart: 1, bridge_fd: '0' })),
      ...cards,
    ]),
  )
}

function packages(call: PveCall): PveAnswer {
  const { qemu, ceph, kernel, pendingKernel } = nodeAt(call).versions
  const told = [
    ['pve-qemu-kvm', qemu],
    ['ceph-common', ceph],
    ...[kernel, pendingKernel].map((release) => [`proxmox-kernel-${release}-signed`, release] as const),
  ] as const
  return data(
    told.flatMap(([Package, OldVersion]) => (OldVersion === undefined ? [] : [installed(Package, OldVersion)])),
  )
}

const installed = (Package: string, version: string) => ({
  Package,
  OldVersion: version,
  Version: version,
  CurrentState: 'Installed',
  Arch: 'amd64',
  Origin: 'Proxmox',
  Priority: 'optional',
  Section: 'admin',
  Title: Package,
  Description: Package,
})

function disks(call: PveCall): PveAnswer {
  const told = nodeAt(call).hardware.disks
  if (told === 'unknown') return data([])
  return data(
    call.shuffled(
      told.map(({ serial, bytes }, index) => ({
        devpath: `/dev/sd${String.fromCharCode(97 + index)}`,
        serial,
        size: bytes,
        wwn: 'unknown',
        type: 'ssd',
        health: 'PASSED',
        model: 'unknown',
        osdid: -1,
        'osdid-list': null,
        gpt: 1,
        mounted: 0,
      })),
    ),
  )
}

/** The devices in its slots; how wide a slot runs is not told. */
function pciDevices(call: PveCall): PveAnswer {
  const { pcie } = nodeAt(call).hardware
  const hex = (value: number) => value.toString(16).padStart(4, '0')
  const devices = (pcie === 'unknown' ? [] : pcie).map(({ slot }, index) => ({
    id: `0000:${hex(index + 1).slice(2)}:00.0`,
    class: '0x020000',
    vendor: '0x1af4',
    device: `0x${hex(0x1041 + index)}`,
    vendor_name: 'Lab',
    device_name: `device in slot ${slot}`,
    iommugroup: -1,
  }))
  return data(call.shuffled(devices))
}

function tasks(call: PveCall): PveAnswer {
  const { world, at, params, token } = call
  const source = params.source ?? 'archive'
  const sinceMs = Number(params.since ?? 0) * 1000
  const kept = Object.values(world.tasks).filter(
    (task) =>
      task.node === at.node &&
      !task.vanished &&
      (source === 'all' || (source === 'active') === (task.status === 'running')) &&
      (params.vmid === undefined || task.id === params.vmid) &&
      (params.typefilter === undefined || task.type === params.typefilter) &&
      Math.floor(task.startedAtMs / 1000) * 1000 >= sinceMs &&
      (task.user === token.id || may(token, `/nodes/${task.node}`, 'Sys.Audit')),
  )
  const newestFirst = kept.toReversed().slice(Number(params.start ?? 0))
  return data(newestFirst.slice(0, Number(params.limit ?? TASKS_AT_ONCE)).map(taskInList), { total: kept.length })
}

/** Recorded: 400 with `upid`: 'unable to parse worker upid' or 'no such task'. */
function withTask(answer: (call: PveCall, task: WorldTask) => PveAnswer): (call: PveCall) => PveAnswer {
  return (call) => {
    const upid = call.at.upid ?? ''
    if (!/^UPID:([^:]+:){6}[^:]*:[^:]+:$|^UPID:.*:$/.test(upid))
      return wrongParameters({ upid: 'unable to parse worker upid' })
    const task = taskOf(call.world, upid)
    if (task === undefined || task.node !== call.at.node) return wrongParameters({ upid: 'no such task' })
    if (task.user === call.token.id || may(call.token, `/nodes/${task.node}`, 'Sys.Audit')) return answer(call, task)
    return refusal(403, `Permission check failed (/nodes/${task.node}, Sys.Audit)`)
  }
}

function taskStatus(_call: PveCall, task: WorldTask): PveAnswer {
  const {
    endtime: _,
    status: __,
    ...item
  } = taskInList(task) as ReturnType<typeof taskInList> & {
    endtime?: number
    status?: string
  }
  return data({
    ...item,
    status: task.status,
    ...(task.status === 'stopped' ? { exitstatus: task.exitStatus ?? '' } : {}),
  })
}

function taskLog({ world, params }: PveCall, task: WorldTask): PveAnswer {
  const lines = progressLines(world, task)
  const start = Number(params.start ?? 0)
  const shown = lines.slice(start, start + Number(params.limit ?? LOG_LINES_AT_ONCE))
  return data(
    shown.map((t, index) => ({ n: start + index + 1, t })),
    { total: lines.length },
  )
}

function stopTask(call: PveCall, task: WorldTask): PveAnswer {
  if (task.user !== call.token.id && !may(call.token, `/nodes/${task.node}`, 'Sys.Modify')) {
    return refusal(403, `Permission check failed (/nodes/${task.node}, Sys.Modify)`)
  }
  const answer = cancelTask(call.world, task.upid, byOf(call))
  return answer.is === 'done' ? data(null) : refusal(answer.status, answer.text)
}
