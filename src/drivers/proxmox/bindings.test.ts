import { afterEach, expect, test } from 'vitest'
import { type Bench, bench } from '#contracts/proxmox-bench'
import { cluster } from '#contracts/proxmox-tape'
import { composed, dataOf, recording, type Tape } from '#contracts/replay-proxmox'
import { nodeName } from '#domain/ids'
import { readGuestConfig } from './guest-config.ts'

let made: Bench | undefined
afterEach(() => made?.close())

async function seen(tape: Tape) {
  made = await bench(['pve1', 'pve2', 'pve3'], { ...cluster, ...tape })
  const { hypervisor } = made
  const observation = await hypervisor.observe()
  return { ...observation, guest: (id: number) => observation.guests.find((one) => one.vmid === id) }
}

/** Guest 100 runs, guest 101 is stopped; both on pve1. */
const configured = (id: 100 | 101, config: Readonly<Record<string, unknown>>): Tape => ({
  [`GET /nodes/pve1/qemu/${id}/config`]: composed({ name: 'a', ...config }),
})

test('an image on a storage of its node alone holds a guest there; on a shared one it needs the storage', async () => {
  const here = await seen({
    ...configured(100, { ide2: 'local:iso/debian.iso,media=cdrom,size=648M', scsi0: 'shared:vm-100-disk-0,size=1G' }),
    ...configured(101, {
      ide2: 'shared:iso/debian.iso,media=cdrom,size=648M',
      ide0: 'local:vm-101-cloudinit,media=cdrom',
    }),
  })
  expect(here.guest(100)?.passthrough).toEqual(['ide2: image local:iso/debian.iso lies on pve1 alone'])
  expect(here.guest(100)?.disks).toEqual([{ storage: 'shared', bytes: 2 ** 30 }])
  expect(here.guest(101)).toMatchObject({
    passthrough: [],
    disks: [
      { storage: 'local', bytes: 0 },
      { storage: 'shared', bytes: 648 * 2 ** 20 },
    ],
  })
})

const mapped = (id: string, nodes: readonly string[], more: Readonly<Record<string, unknown>> = {}) => ({
  id,
  map: nodes.map((node) => `node=${node},path=0000:01:00.0,id=10de:2204`),
  description: '',
  ...more,
})

test('a mapped device is where its name is: a pin for who may take it along, a bond for who runs and may not', async () => {
  const here = await seen({
    ...configured(100, { hostpci0: 'mapping=vgpu,mdev=nvidia-1', usb0: 'mapping=dongle' }),
    ...configured(101, { hostpci0: 'mapping=gpu,pcie=1', virtiofs0: 'dirid=data,cache=auto' }),
    'GET /cluster/mapping/pci': composed([
      mapped('vgpu', ['pve1', 'pve2'], { 'live-migration-capable': 1 }),
      mapped('gpu', ['pve1', 'pve3']),
    ]),
    'GET /cluster/mapping/usb': composed([mapped('dongle', ['pve1', 'pve2'])]),
    'GET /cluster/mapping/dir': composed([mapped('data', ['pve1', 'pve2', 'pve3'])]),
  })
  expect(here.guest(100)?.passthrough).toEqual(['usb0: mapping dongle cannot move while the guest runs'])
  expect(here.guest(101)?.passthrough).toEqual([])
  expect(here.rules).toContainEqual({ kind: 'pin', guests: [100], nodes: ['pve1', 'pve2'], strict: true })
  expect(here.rules).toContainEqual({ kind: 'pin', guests: [101], nodes: ['pve1', 'pve3'], strict: true })
})

test('a name that is mapped nowhere, or that the token may not see, holds the guest', async () => {
  const here = await seen({ ...configured(101, { hostpci0: 'mapping=gpu' }), 'GET /cluster/mapping/pci': composed([]) })
  expect(here.guest(101)?.passthrough).toEqual(['hostpci0: mapping gpu is not seen'])
})

test('bridges: SDN’s virtual networks count, one that is down does not', async () => {
  const networks = [
    ...dataOf<object[]>('get-nodes-pve1-network'),
    { iface: 'tenant1', type: 'vnet' },
    { iface: 'vmbr9', type: 'bridge', bridge_ports: '' },
    { iface: 'ovs0', type: 'OVSBridge', active: 1 },
  ]
  const here = await seen({ 'GET /nodes/pve1/network': composed(networks) })
  expect(here.nodes[0]?.bridges).toEqual(['ovs0', 'tenant1', 'vmbr0'])
})

test('replication that runs keeps its node busy; only nodes that send are asked', async () => {
  const here = await seen({
    'GET /cluster/replication': composed([
      { id: '101-0', guest: 101, jobnum: 0, source: 'pve1', target: 'pve2', type: 'local' },
    ]),
    'GET /nodes/pve1/replication': composed([
      { id: '101-0', guest: '101', pid: '4711', last_try: 1_795_332_800, fail_count: 0 },
      { id: '102-0', guest: 102, last_try: 1_795_332_700 },
    ]),
  })
  expect(here.blind).toEqual([])
  expect(here.tasks).toEqual([
    { id: 'replication 101-0 on pve1', node: 'pve1', type: 'replication', guest: 101, startedAtMs: 1_795_332_800_000 },
  ])
})

test('backups that begin by themselves are told, the next first', async () => {
  const here = await seen({
    'GET /cluster/backup': composed([
      { id: 'b2', schedule: '21:00', 'next-run': 1_795_370_000, enabled: 1, all: 1 },
      { id: 'b1', schedule: '18:00', 'next-run': '1795360000', node: 'pve1', vmid: '100' },
      { id: 'off', schedule: '18:00', 'next-run': 1_795_360_000, enabled: 0 },
    ]),
  })
  expect(here.backupsAhead).toEqual([
    { id: 'b1', atMs: 1_795_360_000_000, node: 'pve1' },
    { id: 'b2', atMs: 1_795_370_000_000 },
  ])
})

test('a cluster that is half upgraded has groups still, and they bind', async () => {
  const here = await seen({
    'GET /cluster/ha/rules': composed([]),
    'GET /cluster/ha/groups': composed([{ group: 'g', nodes: 'pve1,pve2', restricted: '1' }]),
    'GET /cluster/ha/resources': composed([{ sid: 'vm:100', group: 'g', state: 'started' }]),
  })
  expect(here.rules).toEqual([{ kind: 'pin', guests: [100], nodes: ['pve1', 'pve2'], strict: true }])
})

test('a release without rules answers 501, and is no gap', async () => {
  const here = await seen({
    'GET /version': composed({ version: '9.0' }),
    'GET /cluster/ha/rules': recording('err-501-method'),
  })
  expect(here.blind).toEqual([])
})

test('a dead node’s guests are not believed to run: the look says that it does not know', async () => {
  const here = await seen({
    'GET /cluster/status': recording('cluster-status-node-down'),
    'GET /cluster/resources': recording('cluster-resources-node-down'),
    'GET /cluster/ha/status/current': recording('ha-status-current-node-down'),
  })
  expect(here.blind.join()).toContain(
    'guest 103: its node pve3 is offline, so where it runs and its configuration are not known',
  )
})

test('raw lines of LXC, and a CPU type that is whatever the node has, bind too', () => {
  const ct = readGuestConfig('ct', {
    rootfs: 'rbd:vm-105-disk-0,size=8G',
    lxc: [['lxc.mount.entry', '/dev/dri dev/dri none bind'], ['lxc.apparmor.profile', 'unconfined'], 'nonsense'],
  })
  expect(ct.passthrough).toEqual(['lxc.mount.entry: /dev/dri dev/dri none bind'])
  expect(readGuestConfig('vm', { cpu: 'max' }).cpuType).toBe('host')
  expect(readGuestConfig('vm', { cpu: 'cputype=host,flags=+aes' }).cpuType).toBe('host')
})

test('hardware: what the API tells, and unknown for the rest', async () => {
  made = await bench(['pve1', 'pve2', 'pve3'], cluster)
  const told = await made.hypervisor.hardware(nodeName('pve1'))
  expect(told).toMatchObject({
    disks: [{ serial: 'no serial, /dev/vda', bytes: 274877906944 }],
    bridges: ['vmbr0'],
    dimms: 'unknown',
    nics: 'unknown',
    fans: 'unknown',
    pcie: 'unknown',
    // Recorded: 500 where the node cannot tell its time zone.
    clockSkewMs: 'unknown',
    corosyncLinksDown: 'unknown',
  })
  expect(told.pciDevices).toContain('Red Hat, Inc. Virtio 1.0 network device')
  expect(told.pciDevices).toHaveLength(5)
})
