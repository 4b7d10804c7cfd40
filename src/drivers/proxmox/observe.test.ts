import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { type Bench, bench, NOW_MS } from '#contracts/proxmox-bench'
import { cluster } from '#contracts/proxmox-tape'
import { composed, dataOf, recording, type Tape } from '#contracts/replay-proxmox'
import { nodeName, vmid } from '#domain/ids'
import { readGuestConfig } from './guest-config.ts'
import { rulesOfGroups, rulesOfHa } from './ha.ts'
import * as wire from './wire.ts'

let made: Bench | undefined
afterEach(() => made?.close())

async function at(tape: Tape): Promise<Bench> {
  made = await bench(['pve1', 'pve2', 'pve3'], { ...cluster, ...tape })
  return made
}

type Item = Readonly<Record<string, unknown>>

test('the recorded cluster is seen as it was', async () => {
  const seen = await (await at({})).hypervisor.observe()
  expect(seen).toMatchObject({
    name: 'lab',
    pveVersion: '9.2.11',
    quorate: true,
    votes: { pve1: 1, pve2: 1, pve3: 1 },
    qdeviceVotes: 0,
    cephFsid: '3543f47c-7f06-43d2-abb5-d44990e05473',
    crmMaster: 'pve3',
    conntrackStateOffered: true,
    shutdownPolicy: 'conditional',
    // Recorded: no migration network is set, and corosync runs on the nodes' own addresses.
    migrationNetworkIsCorosyncLink: true,
    rules: [{ kind: 'keep-apart', guests: [100, 102], strict: true }],
    blind: [],
  })
  expect(seen.nodes[0]).toMatchObject({
    name: 'pve1',
    cpuCores: 2,
    cpuModel: 'AMD EPYC',
    memoryBytes: 25276514304,
    bridges: ['vmbr0'],
    maintenance: false,
    versions: { pve: '9.2.11', kernel: '6.18.44-fc-v595', qemu: '10.1.2-3' },
    lrm: { state: 'active', watchdog: 'active' },
  })
  expect(seen.nodes[2]?.lrm).toEqual({ state: 'idle', watchdog: 'standby' })
  expect(seen.guests.find((guest) => guest.vmid === 100)).toMatchObject({
    disks: [{ storage: 'shared', bytes: 2 ** 30 }],
    bridges: ['vmbr0'],
    cpuType: 'kvm64',
    tags: ['lab'],
    ha: { managed: true },
    dirtyBytesPerSecond: 'unknown',
    residentBytes: 134217728,
  })
})

test('pools name customers, tags a pause budget, and a tag forbids the move', async () => {
  const guest = { vmid: 100, status: 'running', name: 'a', tags: 'pause-300ms;not-movable', cpus: 1, maxmem: 1024 }
  const { hypervisor } = await at({
    'GET /cluster/resources': composed([
      ...dataOf<Item[]>('cluster-resources'),
      { type: 'qemu', id: 'qemu/100', vmid: 100, node: 'pve1', pool: 'acorn/web', status: 'running' },
    ]),
    'GET /nodes/pve1/qemu': composed([guest]),
    'GET /nodes/pve2/qemu': composed([]),
    'GET /cluster/ha/resources': composed([]),
  })
  expect((await hypervisor.observe()).guests[0]).toMatchObject({
    customer: 'acorn',
    pool: 'acorn/web',
    pauseBudgetMs: 300,
    movable: false,
  })
})

test('a node speaks for its own guests: the stale list does not', async () => {
  const { hypervisor } = await at({
    'GET /cluster/resources': composed([
      ...dataOf<Item[]>('cluster-resources'),
      { type: 'qemu', id: 'qemu/102', vmid: 102, node: 'pve1', status: 'running' },
    ]),
  })
  const guest = (await hypervisor.observe()).guests.find((one) => one.vmid === 102)
  expect(guest).toMatchObject({ node: 'pve2', status: 'stopped' })
})

test('a dead node is offline, its guests are where the list had them, and the look says that it could not see them', async () => {
  const { hypervisor } = await at({
    'GET /cluster/status': recording('cluster-status-node-down'),
    'GET /cluster/resources': recording('cluster-resources-node-down'),
    'GET /cluster/ha/status/current': recording('ha-status-current-node-down'),
  })
  const seen = await hypervisor.observe()
  expect(seen.nodes.find((node) => node.name === 'pve3')).toMatchObject({ online: false, lrm: { state: 'lost' } })
  expect(seen.guests.filter((guest) => guest.node === 'pve3').map((guest) => guest.vmid)).toContain(103)
  expect(seen.blind.join()).toContain('guest 103: its node pve3 is offline')
  expect(await hypervisor.nodeOnline(nodeName('pve3'))).toBe(false)
  expect(await hypervisor.locate(vmid(103))).toMatchObject({ is: 'unknown' })
})

test('hidden guests are said: by the rights of the token, and by what HA names', async () => {
  const { hypervisor } = await at({
    'GET /cluster/resources': recording('resources-none'),
    'GET /nodes/pve1/qemu': composed([]),
    'GET /nodes/pve2/qemu': composed([]),
    'GET /access/permissions': composed({ '/vms/100': { 'VM.Audit': 1 } }),
  })
  const { blind } = await hypervisor.observe()
  expect(blind).toContain('guests may be hidden: the token lacks VM.Audit on /vms')
  expect(blind).toContain('guest 102 is under HA, but the token may not see it')
})

test('one part that cannot be read makes the look blind there, not empty in silence', async () => {
  const { hypervisor } = await at({
    'GET /nodes/pve2/status': recording('err-403-none-status'),
    'GET /nodes/pve1/qemu/101/config': recording('err-proxy-dead-node-1'),
    'GET /cluster/config/nodes': { status: 200, reason: 'OK', body: '<html>' },
  })
  const { blind } = await hypervisor.observe()
  expect(blind).toHaveLength(3)
  expect(blind.join('\n')).toContain('read the status of pve2: 403')
  expect(blind.join('\n')).toContain('595 Connection timed out')
  expect(blind.join('\n')).toContain("not Proxmox's JSON")
})

test('no Ceph is no Ceph, not a gap', async () => {
  const { hypervisor } = await at({ 'GET /cluster/ceph/status': recording('ceph-status-before-init') })
  const seen = await hypervisor.observe()
  expect(seen.cephFsid).toBeUndefined()
  expect(seen.blind).toEqual([])
})

test('maintenance mode is read from HA’s manager; without HA nobody can say', async () => {
  const { hypervisor, replay } = await at({
    'GET /cluster/ha/status/manager_status': recording('ha-manager-status-maintenance'),
    'GET /cluster/ha/status/current': recording('ha-status-current-maintenance'),
  })
  expect(await hypervisor.maintenanceMode(nodeName('pve2'))).toBe('on')
  // This driver was given no way to run the command.
  expect(await hypervisor.maintenanceMode(nodeName('pve1'))).toBe('unavailable')
  expect(await hypervisor.setMaintenanceMode(nodeName('pve1'), true)).toBe('unavailable')
  const node = (await hypervisor.observe()).nodes.find((one) => one.name === 'pve2')
  expect(node).toMatchObject({ maintenance: true, lrm: { state: 'maintenance', watchdog: 'active' } })
  replay.play({ 'GET /cluster/ha/status/manager_status': composed({ manager_status: {}, lrm_status: {}, quorum: {} }) })
  expect(await hypervisor.maintenanceMode(nodeName('pve2'))).toBe('unavailable')
})

test('8.x: groups are read where rules are not known', async () => {
  const { hypervisor, replay } = await at({
    'GET /version': composed({ version: '8.4.14', release: '8.4' }),
    'GET /cluster/ha/resources': composed([{ sid: 'vm:100', group: 'g', state: 'started', type: 'vm' }]),
    'GET /cluster/ha/groups': composed([{ group: 'g', nodes: 'pve1:2,pve2', restricted: 1 }]),
  })
  expect((await hypervisor.observe()).rules).toEqual([
    { kind: 'pin', guests: [100], nodes: ['pve1', 'pve2'], strict: true },
  ])
  expect(replay.asked.map((asked) => asked.path)).not.toContain('/cluster/ha/rules')
})

test('rules of 9.x: affinity, strictness, and rules that are switched off', () => {
  const rules = wire.haRules.parse([
    { rule: 'prefer', type: 'node-affinity', resources: 'vm:100', nodes: 'pve1:2,pve2:1' },
    { rule: 'pin', type: 'node-affinity', resources: 'ct:101', nodes: 'pve1', strict: 1 },
    { rule: 'pair', type: 'resource-affinity', resources: 'vm:100,ct:101', affinity: 'positive' },
    { rule: 'off', type: 'resource-affinity', resources: 'vm:1,vm:2', affinity: 'negative', disable: 1 },
  ])
  expect(rulesOfHa(rules)).toEqual([
    { kind: 'pin', guests: [100], nodes: ['pve1', 'pve2'], strict: false },
    { kind: 'pin', guests: [101], nodes: ['pve1'], strict: true },
    { kind: 'keep-together', guests: [100, 101], strict: true },
  ])
  expect(rulesOfGroups(wire.haGroups.parse([{ group: 'x', nodes: 'pve1' }]), [])).toEqual([])
})

test('a configuration tells what binds a guest to its node', () => {
  const facts = readGuestConfig('vm', {
    cpu: 'host,flags=+aes',
    scsi0: 'rbd:vm-103-disk-0,size=32G,ssd=1',
    efidisk0: 'rbd:vm-103-disk-1,efitype=4m,size=528K',
    ide2: 'none,media=cdrom',
    ide0: 'local:iso/debian.iso,media=cdrom,size=648M',
    sata1: '/dev/disk/by-id/x',
    unused0: 'local-lvm:vm-103-disk-9',
    hostpci0: '0000:01:00.0,pcie=1',
    usb0: 'host=1234:5678',
    usb1: 'spice',
    serial0: 'socket',
    net0: 'virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=7',
    net1: 'virtio=BC:24:11:00:00:02,bridge=vmbr1',
    onboot: 1,
    migrate_downtime: 0.3,
  })
  expect(facts).toEqual({
    cpuType: 'host',
    disks: [
      { storage: 'rbd', bytes: 528 * 1024 },
      { storage: 'rbd', bytes: 32 * 2 ** 30 },
      { storage: 'local-lvm', bytes: 0 },
    ],
    images: [{ slot: 'ide0', storage: 'local', volume: 'local:iso/debian.iso', bytes: 648 * 2 ** 20 }],
    devices: [],
    bridges: ['vmbr0', 'vmbr1'],
    passthrough: ['hostpci0: 0000:01:00.0,pcie=1', 'sata1: /dev/disk/by-id/x', 'usb0: host=1234:5678'],
    onboot: true,
    notes: '',
    template: false,
  })
  const ct = readGuestConfig('ct', {
    rootfs: 'rbd:vm-105-disk-0,size=8G',
    mp0: '/srv/shared,mp=/srv',
    mp1: '/mnt/nfs,mp=/n,shared=1',
    net0: 'name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:03',
  })
  expect(ct).toMatchObject({ passthrough: ['mp0: /srv/shared'], bridges: ['vmbr0'], cpuType: 'unknown' })
})

test('no configuration breaks its reader', () => {
  const key = fc.oneof(fc.constantFrom('scsi0', 'net0', 'hostpci0', 'rootfs', 'mp0', 'cpu', 'onboot'), fc.string())
  fc.assert(
    fc.property(fc.dictionary(key, fc.anything()), fc.constantFrom('vm', 'ct'), (config, kind) => {
      const told = Object.fromEntries(Object.entries(config).filter(([, value]) => typeof value !== 'symbol'))
      try {
        const facts = readGuestConfig(kind as 'vm' | 'ct', JSON.parse(JSON.stringify(told)))
        expect(facts.disks.every((disk) => Number.isFinite(disk.bytes))).toBe(true)
      } catch (error) {
        // JSON itself refuses some values (bigints, circles): those never come over a wire.
        expect(error).toBeInstanceOf(TypeError)
      }
    }),
  )
})

test('a migration network of its own is told from corosync’s', async () => {
  const other = composed({ migration: { type: 'secure', network: '10.99.0.0/24' }, ha: { shutdown_policy: 'migrate' } })
  const told = { migrationNetworkIsCorosyncLink: false, shutdownPolicy: 'migrate' }
  expect(await (await at({ 'GET /cluster/options': other })).hypervisor.observe()).toMatchObject(told)
  await made?.close()
  const same = composed({ migration: 'secure,network=10.77.0.0/24' })
  const { hypervisor } = await at({ 'GET /cluster/options': same })
  expect((await hypervisor.observe()).migrationNetworkIsCorosyncLink).toBe(true)
})

test('a guest that moves during the look is read where it is now', async () => {
  const { hypervisor } = await at({
    'GET /nodes/pve1/qemu/101/config': recording('err-get-missing-vm'),
    'GET /nodes/pve2/qemu/101/config': composed({ name: 'vm-local', onboot: 1 }),
    'GET /cluster/resources?type=vm': composed([{ type: 'qemu', id: 'qemu/101', vmid: 101, node: 'pve2' }]),
  })
  const seen = await hypervisor.observe()
  expect(seen.blind).toEqual([])
  expect(seen.guests.find((guest) => guest.vmid === 101)?.onboot).toBe(true)
})

test('running tasks are those without an end, HA’s own among them', async () => {
  const { hypervisor } = await at({ 'GET /cluster/tasks': recording('cluster-tasks-ha-migrate') })
  const { tasks } = await hypervisor.observe()
  expect(tasks).toEqual([
    {
      id: 'UPID:pve2:00000E65:0005B6DB:6B02A25D:qmigrate:102:root@pam:',
      node: 'pve2',
      type: 'qmigrate',
      guest: 102,
      startedAtMs: 1_795_334_749_000,
    },
  ])
})

test('where HA was never used the LRM is absent, and that is no gap', async () => {
  const { hypervisor } = await at({
    'GET /cluster/ha/status/current': recording('ha-status-current-idle'),
    'GET /cluster/ha/status/manager_status': composed({ manager_status: {}, lrm_status: {} }),
    'GET /cluster/ha/resources': composed([]),
  })
  const seen = await hypervisor.observe()
  expect(seen.nodes.map((node) => node.lrm.state)).toEqual(['absent', 'absent', 'absent'])
  expect(seen.blind).toEqual([])
  expect(seen.crmMaster).toBeUndefined()
})

test('an entry point whose clock is an hour off makes a look blind: tasks could not be found there', async () => {
  const clock = { nowMs: async () => NOW_MS + 3_600_000, sleepUntil: async () => {} }
  made = await bench(['pve1', 'pve2'], cluster, { clock })
  const { blind } = await made.hypervisor.observe()
  expect(blind.join()).toMatch(/the clock of pve1 is 3(599|600|601) s behind ours: tasks there cannot be found/)
})
