/** Three nodes, four guests, as they were recorded on Proxmox VE 9.2; what nobody recorded is composed of what was, and says so. */
import { composed, dataOf, type Recorded, recording, type Tape } from './replay-proxmox.ts'

type Item = Readonly<Record<string, unknown>>

export const MIGRATED = 'UPID:pve1:000003AA:0002C1F7:6B029ACB:qmigrate:100:api@pve!full:'

/** Recorded apart: the nodes and storages before the guests were made, the guests while one moved. */
const resources = composed([...dataOf<Item[]>('cluster-resources'), ...dataOf<Item[]>('resources-during-migrate')])
const runningGuests = composed(
  dataOf<Item[]>('qemu-list').map((guest) =>
    guest.vmid === 100 ? { ...guest, status: 'running', qmpstatus: 'running' } : guest,
  ),
)
const guest102 = composed([{ vmid: 102, name: 'vm-diskless', status: 'stopped', cpus: 1, maxmem: 67108864 }])
const storages = composed([
  { ...dataOf<Item>('get-nodes-pve1-storage-shared-status'), storage: 'shared' },
  { ...dataOf<Item>('get-nodes-pve1-storage-shared-status'), storage: 'local', shared: 0 },
])
/** /pending was recorded, /config was not: the same keys and values. */
const config100 = composed(
  Object.fromEntries(
    dataOf<{ key: string; value: unknown }[]>('get-nodes-pve1-qemu-100-pending').map(({ key, value }) => [key, value]),
  ),
)
const config101 = composed({ name: 'vm-local', cores: 1, memory: '128', scsi0: 'local:101/vm-101-disk-0.raw,size=1G' })
const config102 = composed({ name: 'vm-diskless', cores: 1, memory: '64' })
const packages = composed([
  { Package: 'pve-qemu-kvm', OldVersion: '10.1.2-3', CurrentState: 'Installed' },
  { Package: 'ceph-common', OldVersion: '16.2.15+ds-0+deb12u1', CurrentState: 'Installed' },
])

const perNode = (node: string): Tape => ({
  [`GET /nodes/${node}/status`]: recording('get-nodes-pve1-status'),
  [`GET /nodes/${node}/network`]: recording('get-nodes-pve1-network'),
  [`GET /nodes/${node}/storage`]: storages,
  [`GET /nodes/${node}/qemu`]: composed([]),
  [`GET /nodes/${node}/lxc`]: recording('get-nodes-pve1-lxc'),
  [`GET /nodes/${node}/apt/versions`]: packages,
  [`GET /nodes/${node}/disks/list`]: recording('get-nodes-pve1-disks-list'),
  [`GET /nodes/${node}/hardware/pci`]: recording('get-nodes-pve1-hardware-pci'),
  [`GET /nodes/${node}/time`]: recording('get-nodes-pve1-time'),
  [`GET /nodes/${node}/tasks`]: composed([]),
  [`GET /nodes/${node}/capabilities/qemu/migration`]: recording('get-nodes-pve1-capabilities-qemu-migration'),
  ...notHere(node, [100, 101, 102, 999]),
})

/** "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist", for any node and guest. */
function missing(node: string, guest: number): Recorded {
  const text = JSON.stringify(recording('err-get-missing-vm')).replaceAll('pve1', node).replaceAll('999', String(guest))
  return JSON.parse(text)
}

function notHere(node: string, guests: readonly number[]): Tape {
  return Object.fromEntries(
    guests.flatMap((guest) =>
      ['qemu', 'lxc'].map((kind) => [`GET /nodes/${node}/${kind}/${guest}/status/current`, missing(node, guest)]),
    ),
  )
}

export const cluster: Tape = {
  'GET /version': recording('version'),
  'GET /cluster/status': recording('cluster-status'),
  'GET /cluster/resources': resources,
  'GET /cluster/config/nodes': recording('get-cluster-config-nodes'),
  'GET /cluster/config/qdevice': composed({}),
  'GET /cluster/options': recording('get-cluster-options'),
  'GET /cluster/tasks': recording('task-list'),
  'GET /cluster/replication': recording('get-cluster-replication'),
  'GET /cluster/backup': recording('get-cluster-backup'),
  // Recorded later, when there was a guest more: 103, which these looks do not have.
  'GET /cluster/nextid': composed('103'),
  'GET /cluster/metrics/export': recording('get-cluster-metrics-export'),
  'GET /cluster/nextid?vmid=103': composed('103'),
  'GET /cluster/nextid?vmid=110': composed('110'),
  'GET /cluster/ha/resources': recording('ha-resources'),
  'GET /cluster/ha/rules': recording('ha-rules'),
  'GET /cluster/ha/groups': recording('get-cluster-ha-groups'),
  'GET /cluster/ha/status/current': recording('ha-status-current'),
  'GET /cluster/ha/status/manager_status': recording('ha-manager-status'),
  'GET /cluster/ceph/status': recording('ceph-status'),
  'GET /access/permissions': recording('get-access-permissions'),
  ...perNode('pve1'),
  ...perNode('pve2'),
  ...perNode('pve3'),
  'GET /nodes/pve1/qemu': runningGuests,
  'GET /nodes/pve2/qemu': guest102,
  'GET /nodes/pve1/qemu/100/config': config100,
  'GET /nodes/pve1/qemu/101/config': config101,
  'GET /nodes/pve2/qemu/102/config': config102,
  'GET /nodes/pve1/qemu/100/status/current': recording('qemu-status-current-running'),
  'GET /nodes/pve1/qemu/101/status/current': composed({ status: 'stopped', vmid: 101, ha: { managed: 0 } }),
  'GET /nodes/pve2/qemu/102/status/current': composed({ status: 'stopped', vmid: 102, ha: { managed: 1 } }),
}

/** Guest 100 moves from pve1 to pve2: one look at the running task, then its end. */
export const migration: Tape = {
  'POST /nodes/pve1/qemu/100/migrate': recording('qemu-migrate-online'),
  [`GET /nodes/pve1/tasks/${MIGRATED}/status`]: [recording('task-status-running'), recording('migrate-task-status-ok')],
  [`GET /nodes/pve1/tasks/${MIGRATED}/log`]: recording('migrate-task-log-ok'),
  'GET /nodes/pve1/tasks': composed([dataOf<Item>('task-status-running')].map(({ status: _, ...task }) => task)),
  [`DELETE /nodes/pve1/tasks/${MIGRATED}`]: recording('task-stop'),
}

/** What the cluster answers when that move has ended. */
export const moved: Tape = {
  'GET /cluster/resources': composed(
    (resources.body as { data: Item[] }).data.map((item) => (item.vmid === 100 ? { ...item, node: 'pve2' } : item)),
  ),
  'GET /nodes/pve1/qemu/100/status/current': missing('pve1', 100),
  'GET /nodes/pve2/qemu/100/status/current': recording('qemu-status-current-running'),
}
