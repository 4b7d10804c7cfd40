/** The simulated world's state: plain JSON, so that it can be written after every event and taken up again. */
import type { Pool } from '#domain/ceph'
import type { Guest, Rule } from '#domain/guest'
import type { ClusterName, CustomerId, NodeName, Vmid } from '#domain/ids'
import type { Interlock, WorkOrder, WorkOrderAnswer } from '#domain/maintenance'
import type { Hardware, NodeStorage, Versions } from '#domain/node'

/** Who caused something: the promises bind what we do, not what HA or a colleague does. */
export type By = 'us' | 'ha' | 'others' | 'technician'

export type World = {
  format: 'coulisse/world@1'
  seed: number
  startedAtMs: number
  nowMs: number
  /** Draws taken so far, by subject: one stream a subject (domain/random). */
  draws: Record<string, number>
  /** In order of atMs, then seq. */
  events: WorldEvent[]
  nextSeq: number
  /** How many events and commands have happened: a save is due when it grew. */
  changeCount: number
  cluster: WorldCluster
  nodes: Record<string, WorldNode>
  /** Key: the vmid as text. */
  guests: Record<string, WorldGuest>
  /** Those that their owners deleted: what was measured of them stays true. */
  deleted?: WorldGuest[]
  rules: Rule[]
  /** Key: UPID; in the order they began. */
  tasks: Record<string, WorldTask>
  /** Under way, HA's queue included; key: WorldMigration.id. */
  migrations: Record<string, WorldMigration>
  ceph: WorldCeph | 'none'
  probe: WorldProbe
  technician: WorldTechnician
  workOrders: WorldWorkOrder[]
  mails: WorldMail[]
  /** Addresses whose mail server refuses for good; without one: all of them. */
  mailBounces?: { address?: string; untilMs?: number }[]
  /** What the operator clicks he clicks twice, until then. */
  doubleClicksUntilMs?: number
  /** Published customers' pages; key: customer. */
  pages: Record<string, WorldPage>
  apiFaults: ApiFault[]
  /** Proxmox tokens that were made besides the lab's own; `rights` by path. */
  apiTokens?: { readonly id: string; readonly secret: string; readonly rights: Record<string, readonly string[]> }[]
  /** Every fault that was asked for, as it was asked for. */
  faults: { atMs: number; fault: Record<string, unknown>; state: 'waiting' | 'applied' }[]
  commands: WorldCommand[]
  /** What the journal said that we are about to do. */
  intents: { atMs: number; kind: string; node?: string; guest?: number }[]
  /** A journal tells the world of intents: from then on promise 10 is looked at. */
  journalJoined: boolean
  /** What the journal or a mail said to people: pauses over budget, leases that ran out or will, at `endsAtMs`, renewed by nobody. */
  told: { atMs: number; about: 'pause' | 'lease'; guest?: number; endsAtMs?: number }[]
  /** Containers that a proposed plan restarts, by plan: approved, somebody has said so. */
  proposedRestarts: Record<string, number[]>
  /** What was last shown to the technician. */
  interlock: Interlock | 'never-shown'
  /** Blocker kinds that an approver lifted by name, as the journal said. */
  lifted: string[]
  brokenPromises: BrokenPromise[]
  /** Vmids that ran on two nodes at once, ever. */
  startedTwice: number[]
}

/** `event`: how many events and commands the world had seen by then. */
export type BrokenPromise = { promise: number; atMs: number; text: string; event?: number }

export type WorldCluster = {
  name: ClusterName
  pveVersion: string
  memoryHeadroomFraction: number
  cpuOvercommit: number
  /** Customers may expect restarts of these (policy allowRestart). */
  allowRestart: number[] | 'all'
  votes: Record<string, number>
  qdeviceVotes: number
  qdeviceUp: boolean
  /** Forced by the fault quorum-lost, whatever the votes say. */
  quorumLostUntilMs?: number
  migrationNetworkIsCorosyncLink: boolean | 'unknown'
  corosyncLinksDown: { node: NodeName; link: string }[]
  conntrackStateOffered: boolean
  shutdownPolicy: 'freeze' | 'failover' | 'conditional' | 'migrate'
  crmMaster?: NodeName
  maintenanceModeAvailable: boolean
  /** HA in use: somebody manages a guest by it. */
  haInUse: boolean
  roles: { kind: 'coulisse' | 'qnetd' | 'backup' | 'dns' | 'router'; guest?: Vmid; node?: NodeName }[]
  /** Publish event pending: guests and nodes whose listed copy is behind. */
  publishPending: boolean
  /** The database of the control plane is away until then. */
  databaseAwayUntilMs?: number
  /** What the control plane's clock shows more (or less) than the world's. */
  controlClockOffsetMs?: number
}

/**
 * running: the system is up. hung: powered, answers nothing. dead: its board or supply is gone, off and cannot start until repaired.
 * Chassis power as the BMC sees it: on for running, booting, shutting-down, hung; off for off and dead.
 */
export type NodeState = 'running' | 'booting' | 'shutting-down' | 'off' | 'hung' | 'dead'

export type WorldFan = {
  part: string
  rpm: number
  nominalRpm: number
  /** Drops out now and then; next edges are events. */
  flap?: { perDay: number; dropoutS: number; shared: boolean }
  stopped: boolean
}

export type SensorKind = 'temperature' | 'psu' | 'power'
export type WorldSensor = {
  part: string
  kind: SensorKind
  value: number
  unit: string
  state: 'ok' | 'warning' | 'critical'
}

export type SelRecord = {
  /** From 1; begins again when the log is cleared. */
  id: number
  /** By the BMC's clock; 'pre-init' after a reset until it is set. */
  atMs: number | 'pre-init'
  /** True time. */
  writtenAtMs: number
  sensor: string
  kind: 'fan' | 'psu' | 'temperature' | 'memory' | 'log' | 'other'
  /** As ipmitool prints it: 'Lower Critical going low'. */
  event: string
  severity: 'ok' | 'warning' | 'critical' | 'non-recoverable'
  asserted: boolean
  value?: number
  threshold?: number
  unit?: string
}

export type WorldBmc = {
  /** Which chassis answers at this node's BMC address: another node's name after bmc-swapped. */
  answersAs: NodeName
  /** silent: does not answer; booting: after a reset; dark: no standby power. */
  state: 'up' | 'silent' | 'booting' | 'dark'
  firmware: string
  clockOffsetMs: number
  /** Loses standby power when the technician pulls the cords. */
  darkWhenUnplugged: boolean
  sel: SelRecord[]
  selEpoch: number
  selCapacity: number
  selClearedAtMs?: number
  resetAtMs?: number
  locateOn: boolean
  /** The LED goes out by itself then; absent: forced on for good. */
  locateUntilMs?: number
  /** It takes no longer interval than this, whatever was asked. */
  locateLimitS?: number
  /** Its FRU is empty and its GUID unset: it cannot say who it is. */
  anonymous?: boolean
  /** Every read of its log tells the last records again, so many of them. */
  repeatsRecords?: number
  /** A record shows in its log so long after it was written. */
  lateByMs?: number
}

export type WorldNode = {
  name: NodeName
  rack: string
  unit: string
  site: string
  room: string
  chassis?: string
  /** The DMI's. */
  systemUuid: string
  serial: string
  model: string
  address: string
  bmcAddress: string
  cpuCores: number
  cpuModel?: string
  memoryBytes: number
  /** With DIMMs that a repair lost; absent: none. */
  lostMemoryBytes?: number
  memoryUsedBytes: number
  linkBitsPerSecond: number
  /** The part of its link that streams get; absent: 0.88, the contracts' 8.8 of 10 Gbit/s. */
  linkShare?: number
  storages: NodeStorage[]
  bridges: string[]
  /** Snapshot said maintenance, or an operator cordoned it. */
  cordoned: boolean
  state: NodeState
  stateSinceMs: number
  bootedAtMs: number
  /** As corosync's members see it. */
  online: boolean
  offlineSinceMs?: number
  cordsPulled: boolean
  powerRestorePolicy: 'always-on' | 'always-off' | 'previous'
  wakeOnLan: boolean
  /** Once, this long after it went off. */
  startsByItselfAfterS?: number
  hardware: Hardware
  /** As it was when the world began. */
  baseline: Hardware
  versions: Versions
  fans: WorldFan[]
  sensors: WorldSensor[]
  bmc: WorldBmc
  lrm: { state: 'idle' | 'active' | 'maintenance' | 'lost' | 'absent'; watchdog: 'standby' | 'active' | 'unknown' }
  /** Where faults pin these, HA's own bookkeeping leaves them alone. */
  lrmPinned: boolean
  haMaintenance: 'off' | 'requested' | 'on'
  /** Whose wish that is; absent while off. */
  haMaintenanceBy?: By
  /** Shows in lists as it was last published. */
  listed: { online: boolean; atMs: number }
  /** After a repair: what the technician did to it, applied at the next boot. */
  repairEffects: string[]
  /** An orderly shutdown never ends. */
  hangsOnShutdown: boolean
  /** Who took it down: data moved because of it is then ours. */
  downBy?: By
}

export type Interruption = {
  fromMs: number
  /** Open while it lasts. */
  toMs?: number
  why: 'blackout' | 'restart' | 'stopped' | 'node-died' | 'node-shut-down'
  by: By
}

export type WorldGuest = {
  /** As the snapshot had it; node, status and lock here are those of the beginning. */
  spec: Guest
  customer?: CustomerId
  /** Where its configuration lies. */
  node: NodeName
  /** Where a process of it really runs: nowhere, on one node, or (broken) on two. */
  runsOn: NodeName[]
  lock?: string
  /** Present dirty rate and writable working set: faults change them. */
  dirtyBytesPerSecond: number
  writableWorkingSetBytes: number
  haState?: string
  failback: boolean
  /** Where HA will bring it back to when maintenance mode ends. */
  haHome?: NodeName
  listed: { node: NodeName; status: 'running' | 'stopped'; lock?: string }
  listedBehind: boolean
  /** Made a moment ago: the cluster's list does not have it yet; its node does. */
  unlisted?: true
  interruptions: Interruption[]
  migrationFailures: number
  /** The fault task-vanishes waits for its next migration. */
  nextTaskVanishes?: boolean
  /** Containers: how long their shutdown takes, where a fault says so. */
  stopS?: number
  arrivedByOthersAtMs?: number
  /** When it came to where it is. */
  arrivedAtMs?: number
  /** A fault made it: nobody's plan knew of it, and its owner may take it away again. */
  isOutsider?: true
  /** When others last began to move it, and not because of a maintenance mode of ours. */
  tornAwayAtMs?: number
  /** A real process stands behind it: its live moves last as long as that one's, and end as they end. */
  real?: true
  /** Of a real guest: every interval and gap that the real prober told of it, so that a page may say them. */
  probedMs?: number[]
  /** Somebody stopped it on purpose, or said that it may be. */
  stopSaidBy?: By
  lost: boolean
}

export type WorldTask = {
  upid: string
  node: NodeName
  pid: number
  pstart: number
  type: string
  /** The worker's id: the vmid as text, or another id, or ''. */
  id: string
  user: string
  guest?: Vmid
  by: By
  startedAtMs: number
  endedAtMs?: number
  status: 'running' | 'stopped'
  /** Only when stopped: 'OK', 'migration problems', 'unexpected status' … */
  exitStatus?: string
  log: string[]
  /** The fault task-vanishes: reads of it say that there is none. */
  vanished: boolean
}

export type MigrationPhase =
  /** Queued in HA; the real task begins later. */
  'ha-queued' | 'starting' | 'copying' | 'blackout' | 'finishing'

export type WorldMigration = {
  id: string
  guest: Vmid
  from: NodeName
  to: NodeName
  mode: 'live' | 'restart' | 'offline'
  by: By
  /** Absent while queued in HA. */
  upid?: string
  phase: MigrationPhase
  phaseSinceMs: number
  beganAtMs: number
  /** Of this round. */
  remainingBytes: number
  roundBytes: number
  roundBeganAtMs: number
  round: number
  transferredBytes: number
  totalBytes: number
  bytesPerSecond: number
  /** When remaining and transferred were last brought up to date. */
  settledAtMs: number
  allowedPauseMs: number
  /** While rounds stop shrinking: when Proxmox next doubles the allowed pause. */
  doublesAtMs?: number
  copyBeganAtMs?: number
  blackoutMs?: number
  willFail?: 'before-copy' | 'in-copy'
  /** Of a real guest while it is copied: whoever moves its process writes here how that stands. */
  real?: RealCopy
}

export type RealCopy =
  | { is: 'wanted' }
  /** Post-copy has begun: there is no way back, and nothing to cancel. */
  | { is: 'switched' }
  | { is: 'moved'; blackoutMs: number | 'unknown'; transferredBytes: number | 'unknown'; tookMs: number }
  | { is: 'failed'; text: string }

export type PgCounts = {
  total: number
  clean: number
  degraded: number
  misplaced: number
  recovering: number
  inconsistent: number
}

export type WorldOsd = {
  id: number
  host: NodeName
  up: boolean
  in: boolean
  downSinceMs?: number
  /** Marked out by the monitors, not by a person: data moved because of it. */
  autoOut: boolean
  /** A disk that is gone: it does not come up with its node. */
  broken: boolean
  bytes: number
  serial: string
}

export type WorldCeph = {
  fsid: string
  osds: WorldOsd[]
  pools: Pool[]
  /** What is true now. */
  placementGroups: PgCounts
  /** What the mgr reports: lags some seconds behind. */
  reported: PgCounts
  reportPending: boolean
  recoveryUntilMs?: number
  /** broken: its daemon does not start, whatever its node does. */
  monitors: { host: NodeName; inQuorum: boolean; broken?: boolean }[]
  mgrs: { host: NodeName; up: boolean }[]
  activeMgrHost?: NodeName
  services: { kind: string; host: NodeName }[]
  flags: string[]
  hostFlags: Record<string, string[]>
  /** Who set what: 'cluster/noout' or 'pve3/noout'. Truth for promise 5. */
  flagSetBy: Record<string, { by: By; atMs: number }>
  fullness: 'ok' | 'nearfull' | 'backfillfull' | 'full'
  slowOpsCount: number
  configKeys: Record<string, string>
  downOutIntervalMs: number
  /** Objects that moved because an OSD was marked out while its host was away for us. */
  objectsMovedByUs: number
  /** PGs that are degraded whatever the OSDs say (snapshot or fault). */
  degradedByFault: number
  inconsistentByFault: number
}

export type WorldProbe = { intervalMs: number; outages: { fromMs: number; toMs?: number }[] }

export type TechnicianDoes =
  | 'repairs'
  | 'wrong-serial-first'
  | 'pulls-wrong-server'
  | 'never-answers'
  | 'answers-twice'
  | 'answers-late'
  | 'finds-nothing'
  | 'cannot'
  | 'leaves-fan-broken'

export type WorldTechnician = {
  does: TechnicianDoes
  arrivesAfterMin: number
  worksMin: number
  /** Who answers late does so this long after his work. */
  answersAfterMin: number
  /** Takes the power cords out while he works. */
  pullsCords: boolean
  name: string
  /** Repair side effects, in the order they are to be used up: 'dimm-missing', 'nic-slower', … */
  sideEffects: string[]
}

export type WorldWorkOrder = {
  order: WorkOrder
  issuedAtMs: number
  state: 'issued' | 'at-work' | 'answered'
  answers: { atMs: number; answer: WorkOrderAnswer; taken: boolean }[]
  refusals: number
}

export type WorldMail = { atMs: number; key: string; to: string; subject: string; text: string; html?: string }
export type WorldPage = { atMs: number; maintenance: string; customer: CustomerId; html: string }

export type ApiName = 'proxmox' | 'ceph' | 'bmc' | 'probe' | 'smtp'
export type ApiFault = {
  kind: 'api-error' | 'api-slow' | 'answer-lost'
  api?: ApiName
  /** Part of a path, e.g. 'migrate'; absent: every path. */
  path?: string
  rate: number
  status: number
  delayMs: number
  /** How often it still strikes; absent: without end. */
  timesLeft?: number
  untilMs?: number
}

/** Every command that changes the world, with how it went: truth for promise 10. */
export type WorldCommand = {
  atMs: number
  by: By
  kind: string
  /** What it really reached: after bmc-swapped not what was asked. */
  node?: NodeName
  asked?: NodeName
  guest?: Vmid
  outcome: 'done' | 'refused'
  text?: string
}

export type WorldEvent = { atMs: number; seq: number } & WorldHappening

export type WorldHappening =
  | { kind: 'migration'; id: string }
  | { kind: 'ha-migrate'; id: string }
  | { kind: 'task-ends'; upid: string; exitStatus: string }
  | { kind: 'ha-maintenance'; node: NodeName }
  | { kind: 'ha-recovers'; node: NodeName }
  | { kind: 'ha-failback'; guest: Vmid }
  | { kind: 'node-off'; node: NodeName; by: By }
  | { kind: 'node-booted'; node: NodeName }
  | { kind: 'node-seen-offline'; node: NodeName }
  | { kind: 'osds-up'; node: NodeName }
  | { kind: 'powers-on-by-itself'; node: NodeName }
  | { kind: 'publish' }
  | { kind: 'pg-report' }
  | { kind: 'osds-down-seen'; osds: number[] }
  | { kind: 'down-out'; osd: number }
  | { kind: 'recovered' }
  | { kind: 'fan-edge'; node: NodeName; parts: string[]; down: boolean }
  | { kind: 'fan-flap'; node: NodeName; parts: string[] }
  | { kind: 'bmc-up'; node: NodeName }
  | { kind: 'technician'; order: string; step: 'arrives' | 'ends' | 'confirms' }
  | { kind: 'guest-starts'; guest: Vmid; node: NodeName; by: By }
  | { kind: 'fault'; index: number }
  | { kind: 'lease-expires'; node: NodeName }
  | { kind: 'pause-check'; guest: Vmid; blackoutMs: number; endedAtMs: number }
  | { kind: 'together-check'; guest: Vmid; movedAtMs: number }
  /** `seenAtMs`: since then it can be seen that the node is not safe; absent: since a minute ago. */
  | { kind: 'interlock-check'; node: NodeName; seenAtMs?: number }
  | { kind: 'ends-fault'; what: string; node?: NodeName; guest?: Vmid }
