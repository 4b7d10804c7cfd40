/** A believable world from a snapshot: serials, BMCs, fans, DIMMs and NICs where the snapshot says nothing. */
import type { CephObservation } from '#domain/ceph'
import type { Guest } from '#domain/guest'
import type { NodeName } from '#domain/ids'
import type { Hardware, Node, Versions } from '#domain/node'
import { hexOf } from './draw.ts'
import type { World, WorldBmc, WorldCeph, WorldCluster, WorldFan, WorldGuest, WorldNode, WorldSensor } from './state.ts'
import type { WorldOptions } from './surface.ts'

const FANS_PER_NODE = 6
const DIMMS_PER_NODE = 8
const FAN_RPM = 8400
const GIB = 2 ** 30
const DISK_BYTES = 3_840_755_982_336
const PLACEMENT_GROUPS_PER_POOL = 128
const DEFAULT_DIRTY_BYTES_PER_SECOND = 4e6
/** Where nobody says how large a guest's writable working set is: what it dirties in half a minute. */
const WORKING_SET_S = 30
const WORKING_SET_AT_LEAST_BYTES = 32 * 2 ** 20
const DOWN_OUT_INTERVAL_MS = 600_000
const SEL_CAPACITY = 3000

export function createWorld(options: WorldOptions): World {
  const { snapshot, seed, startAtMs } = options
  const nodes = snapshot.cluster.nodes.map((node, index) => createNode(options, node, index))
  const isUp = (guest: Guest) => nodes.some((node) => node.name === guest.node && node.online)
  const guests = snapshot.cluster.guests.map((guest) => createGuest(guest, isUp(guest)))
  return {
    format: 'coulisse/world@1',
    seed,
    startedAtMs: startAtMs,
    nowMs: startAtMs,
    draws: {},
    events: [],
    nextSeq: 1,
    changeCount: 0,
    cluster: createCluster(options),
    nodes: Object.fromEntries(nodes.map((node) => [node.name, node])),
    guests: Object.fromEntries(guests.map((guest) => [String(guest.spec.vmid), guest])),
    rules: structuredClone(snapshot.cluster.rules) as World['rules'],
    tasks: {},
    migrations: {},
    ceph: snapshot.ceph === 'none' ? 'none' : createCeph(snapshot.ceph, startAtMs, nodes),
    probe: { intervalMs: options.probeIntervalMs ?? 50, outages: [] },
    technician: {
      does: 'repairs',
      arrivesAfterMin: 20,
      worksMin: 25,
      answersAfterMin: 0,
      pullsCords: true,
      name: 'Lucía Ortega',
      sideEffects: [],
    },
    workOrders: [],
    mails: [],
    pages: {},
    apiFaults: [],
    faults: [],
    commands: [],
    intents: [],
    journalJoined: false,
    told: [],
    proposedRestarts: {},
    interlock: 'never-shown',
    lifted: [...snapshot.policy.lifted],
    brokenPromises: [],
    startedTwice: [],
  }
}

function createCluster({ snapshot }: WorldOptions): WorldCluster {
  const { cluster, policy } = snapshot
  const haInUse = cluster.guests.some((guest) => guest.ha.managed)
  return {
    name: cluster.name,
    pveVersion: cluster.pveVersion ?? '9.2.11',
    memoryHeadroomFraction: policy.memoryHeadroomFraction,
    cpuOvercommit: policy.cpuOvercommit,
    allowRestart: policy.allowRestart === 'all' ? 'all' : [...policy.allowRestart],
    votes: Object.fromEntries(cluster.nodes.map(({ name }) => [name, cluster.votes[name] ?? 1])),
    qdeviceVotes: cluster.qdeviceVotes,
    qdeviceUp: cluster.qdeviceVotes > 0 && cluster.qdeviceUp,
    migrationNetworkIsCorosyncLink:
      cluster.migrationNetworkIsCorosyncLink === 'unknown' ? false : cluster.migrationNetworkIsCorosyncLink,
    corosyncLinksDown: [...cluster.corosyncLinksDown],
    conntrackStateOffered: cluster.conntrackStateOffered,
    shutdownPolicy: cluster.shutdownPolicy,
    ...crmMasterOf(cluster.crmMaster ?? cluster.nodes.find(({ online }) => online)?.name, haInUse),
    maintenanceModeAvailable: true,
    haInUse,
    roles: [...cluster.roles],
    publishPending: false,
  }
}

const crmMasterOf = (crmMaster: NodeName | undefined, haInUse: boolean) =>
  haInUse && crmMaster !== undefined ? { crmMaster } : {}

function createNode({ snapshot, seed, startAtMs }: WorldOptions, node: Node, index: number): WorldNode {
  const ceph = snapshot.ceph === 'none' ? undefined : snapshot.ceph
  const versions = versionsOf(node.versions, snapshot.cluster.pveVersion)
  const hardware = hardwareOf(node, ceph, versions, seed)
  const manages = snapshot.cluster.guests.some((guest) => guest.ha.managed && guest.node === node.name)
  const haInUse = snapshot.cluster.guests.some((guest) => guest.ha.managed)
  return {
    name: node.name,
    rack: node.rack ?? 'a',
    unit: String(10 + 2 * index),
    site: 'Madrid 1',
    room: 'hall 2',
    ...(node.chassis === undefined ? {} : { chassis: node.chassis }),
    systemUuid: uuidOf(seed, node.name),
    serial: `CZ${hexOf(seed, `serial/${node.name}`, 7).toUpperCase()}`,
    model: 'R740',
    address: `10.77.0.${11 + index}`,
    bmcAddress: `10.77.1.${11 + index}`,
    cpuCores: node.cpuCores,
    ...(node.cpuModel === undefined ? {} : { cpuModel: node.cpuModel }),
    memoryBytes: node.memoryBytes,
    memoryUsedBytes: node.memoryUsedBytes,
    linkBitsPerSecond: node.linkBitsPerSecond,
    storages: [...node.storages],
    bridges: [...node.bridges],
    cordoned: node.maintenance,
    state: node.online ? 'running' : 'off',
    stateSinceMs: startAtMs,
    bootedAtMs: startAtMs - 40 * 86_400_000 - index * 3_600_000,
    online: node.online,
    ...(node.online ? {} : { offlineSinceMs: startAtMs }),
    cordsPulled: false,
    powerRestorePolicy: 'previous',
    wakeOnLan: false,
    hardware,
    baseline: structuredClone(hardware),
    versions,
    fans: createFans(node.online),
    sensors: createSensors(),
    bmc: createBmc(node.name),
    lrm: { state: haInUse ? (manages ? 'active' : 'idle') : 'absent', watchdog: manages ? 'active' : 'standby' },
    lrmPinned: false,
    haMaintenance: 'off',
    listed: { online: node.online, atMs: startAtMs },
    repairEffects: [],
    hangsOnShutdown: false,
  }
}

function versionsOf(versions: Versions, pveVersion: string | undefined): Versions {
  return {
    pve: versions.pve ?? pveVersion ?? '9.2.11',
    qemu: versions.qemu ?? '10.1.2',
    kernel: versions.kernel ?? '6.17.4-2-pve',
    ceph: versions.ceph ?? '19.2.3',
    ...(versions.pendingKernel === undefined ? {} : { pendingKernel: versions.pendingKernel }),
  }
}

function uuidOf(seed: number, name: string): string {
  const hex = hexOf(seed, `uuid/${name}`, 32)
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20)].join('-')
}

function hardwareOf(node: Node, ceph: CephObservation | undefined, versions: Versions, seed: number): Hardware {
  const osds = ceph?.osds.filter(({ host }) => host === node.name) ?? []
  const dimmBytes = Math.max(GIB, Math.round(node.memoryBytes / DIMMS_PER_NODE / GIB) * GIB)
  return {
    dimms: Array.from({ length: DIMMS_PER_NODE }, (_, index) => ({ slot: `A${index + 1}`, bytes: dimmBytes })),
    disks: [
      { serial: `S4BOOT${hexOf(seed, `boot/${node.name}`, 6).toUpperCase()}`, bytes: 480_103_981_056 },
      ...osds.map(({ id }) => ({ serial: osdSerial(id), bytes: DISK_BYTES })),
    ],
    nics: [
      { name: 'eno1', bitsPerSecond: node.linkBitsPerSecond },
      { name: 'eno2', bitsPerSecond: node.linkBitsPerSecond },
    ],
    fans: Array.from({ length: FANS_PER_NODE }, (_, index) => `FAN${index + 1}`),
    pcie: [
      { slot: '0000:01:00.0', width: 8 },
      { slot: '0000:5e:00.0', width: 16 },
    ],
    pcieCorrectedErrorCount: 0,
    clockSkewMs: 1,
    corosyncLinksDown: [],
    bondsDegraded: [],
    mtuMismatches: [],
    bridges: [...node.bridges],
    versions,
  }
}

const osdSerial = (id: number) => `S5OSD${String(id).padStart(6, '0')}`

const createFans = (spinning: boolean): WorldFan[] =>
  Array.from({ length: FANS_PER_NODE }, (_, index) => ({
    part: `FAN${index + 1}`,
    rpm: spinning ? FAN_RPM : 0,
    nominalRpm: FAN_RPM,
    stopped: false,
  }))

const createSensors = (): WorldSensor[] => [
  { part: 'CPU1_Temp', kind: 'temperature', value: 52, unit: 'degrees C', state: 'ok' },
  { part: 'CPU2_Temp', kind: 'temperature', value: 50, unit: 'degrees C', state: 'ok' },
  { part: 'Inlet_Temp', kind: 'temperature', value: 23, unit: 'degrees C', state: 'ok' },
  { part: 'PS1_Input_Power', kind: 'power', value: 180, unit: 'Watts', state: 'ok' },
  { part: 'PS1_Status', kind: 'psu', value: 1, unit: '', state: 'ok' },
  { part: 'PS2_Status', kind: 'psu', value: 1, unit: '', state: 'ok' },
]

const createBmc = (node: NodeName): WorldBmc => ({
  answersAs: node,
  state: 'up',
  firmware: '2.88',
  clockOffsetMs: 0,
  darkWhenUnplugged: true,
  sel: [],
  selEpoch: 1,
  selCapacity: SEL_CAPACITY,
  locateOn: false,
})

/** @param nodeIsUp a list may show a guest as running whose node is dead: nothing runs there. */
export function createGuest(guest: Guest, nodeIsUp: boolean): WorldGuest {
  const dirty = guest.dirtyBytesPerSecond === 'unknown' ? DEFAULT_DIRTY_BYTES_PER_SECOND : guest.dirtyBytesPerSecond
  const guessed = Math.min(guest.residentBytes, Math.max(WORKING_SET_AT_LEAST_BYTES, dirty * WORKING_SET_S))
  const running = guest.status === 'running' && nodeIsUp
  return {
    spec: guest,
    ...(guest.customer === undefined ? {} : { customer: guest.customer }),
    node: guest.node,
    runsOn: running ? [guest.node] : [],
    ...(guest.lock === undefined ? {} : { lock: guest.lock }),
    dirtyBytesPerSecond: dirty,
    writableWorkingSetBytes: guest.writableWorkingSetBytes === 'unknown' ? guessed : guest.writableWorkingSetBytes,
    ...(guest.ha.managed ? { haState: guest.ha.state ?? 'started' } : {}),
    failback: true,
    listed: { node: guest.node, status: guest.status, ...(guest.lock === undefined ? {} : { lock: guest.lock }) },
    listedBehind: false,
    // Stopped long before anybody looked.
    interruptions: running ? [] : [{ fromMs: 0, why: nodeIsUp ? 'stopped' : 'node-died', by: 'others' }],
    migrationFailures: 0,
    ...(running ? {} : { stopSaidBy: 'others' as const }),
    lost: false,
  }
}

function createCeph(ceph: CephObservation, nowMs: number, nodes: readonly WorldNode[]): WorldCeph {
  const hostIsUp = (host: NodeName) => nodes.some(({ name, online }) => name === host && online)
  const allUp = ceph.osds.every(({ up }) => up)
  const total = ceph.placementGroups.total || PLACEMENT_GROUPS_PER_POOL * Math.max(1, ceph.pools.length)
  const degraded = Math.min(total, ceph.placementGroups.degraded)
  const inconsistent = ceph.placementGroups.inconsistent
  const counts = {
    total,
    clean: total - Math.max(degraded, inconsistent),
    degraded,
    misplaced: 0,
    recovering: 0,
    inconsistent,
  }
  const mgrHosts = ceph.activeMgrHost === undefined ? [] : [ceph.activeMgrHost]
  const hosts = [...new Set([...mgrHosts, ...ceph.monitors.map(({ host }) => host)])]
  const activeMgrHost = ceph.activeMgrHost ?? hosts[0]
  return {
    fsid: ceph.fsid,
    osds: ceph.osds.map((osd) => ({
      ...osd,
      ...(osd.up ? {} : { downSinceMs: nowMs }),
      autoOut: false,
      // Down on a host that runs: its disk is gone, and no restart of the node brings it back.
      broken: !osd.up && hostIsUp(osd.host),
      bytes: DISK_BYTES,
      serial: osdSerial(osd.id),
    })),
    pools: [...ceph.pools],
    placementGroups: counts,
    reported: { ...counts },
    reportPending: false,
    monitors: ceph.monitors.map((monitor) => ({ ...monitor })),
    mgrs: hosts.map((host) => ({ host, up: true })),
    ...(activeMgrHost === undefined ? {} : { activeMgrHost }),
    services: [...ceph.services],
    flags: [...ceph.flags],
    hostFlags: Object.fromEntries(Object.entries(ceph.hostFlags).map(([host, flags]) => [host, [...flags]])),
    flagSetBy: flagsBefore(ceph, nowMs),
    fullness: ceph.fullness,
    slowOpsCount: ceph.slowOpsCount,
    configKeys: {},
    downOutIntervalMs: DOWN_OUT_INTERVAL_MS,
    objectsMovedByUs: 0,
    degradedByFault: allUp ? degraded : 0,
    inconsistentByFault: inconsistent,
  }
}

function flagsBefore(ceph: CephObservation, atMs: number): WorldCeph['flagSetBy'] {
  const others = { by: 'others' as const, atMs }
  const ofHosts = Object.entries(ceph.hostFlags).flatMap(([host, flags]) => flags.map((flag) => `${host}/${flag}`))
  return Object.fromEntries([...ceph.flags.map((flag) => `cluster/${flag}`), ...ofHosts].map((key) => [key, others]))
}
