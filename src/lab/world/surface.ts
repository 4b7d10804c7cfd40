/** What ports and wire servers may do with the world: every command and query, by signature. */

import type { NodeName, Vmid } from '#domain/ids'
import type { ProbeReading } from '#domain/measurement'
import type { MoveMode } from '#domain/plan'
import type { Snapshot } from '#domain/snapshot'
import type { ApiName, By, World, WorldMail, WorldMigration, WorldNode, WorldTask } from './state.ts'

/**
 * A refusal carries Proxmox's own status and words (recordings), so that a wire server answers it as it stands:
 * 595 dead node, 500 locked guest or no quorum, 501 unknown path.
 */
export type Answer<T> =
  | { readonly is: 'done'; readonly value: T }
  | { readonly is: 'refused'; readonly status: number; readonly text: string }

export type WorldOptions = {
  readonly snapshot: Snapshot
  readonly seed: number
  readonly startAtMs: number
  readonly probeIntervalMs?: number
}
export type CreateWorld = (options: WorldOptions) => World

export type MigrateRequest = {
  readonly guest: Vmid
  /** The node that was asked (its path): it must be where the guest is. */
  readonly from: NodeName
  readonly to: NodeName
  /** Proxmox's `online`, or `restart` for containers. */
  readonly mode: MoveMode
  readonly withLocalDisks: boolean
  readonly by: By
  /** 'coulisse@pve!drain' by default. */
  readonly user?: string
}

/** commands.ts exports each of these as a function; every one is recorded in `world.commands`. */
export type WorldCommands = {
  /** UPID of qmigrate or vzmigrate, or of hamigrate, which is OK as soon as it is queued. */
  startMigration(world: World, request: MigrateRequest): Answer<string>
  cancelTask(world: World, upid: string, by: By): Answer<null>
  setMaintenanceMode(world: World, node: NodeName, on: boolean, by: By): Answer<null>
  /** Orderly; answers before it acts. */
  shutdownNode(world: World, node: NodeName, by: By): Answer<null>
  /** Through the BMC that answers at this node's address, whoever that is. */
  powerOn(world: World, bmcOf: NodeName, by: By): Answer<null>
  /** The BMC presses the button: a system that runs shuts down; one that boots or hangs does not heed it. */
  pressPower(world: World, bmcOf: NodeName, by: By): Answer<null>
  powerOffHard(world: World, bmcOf: NodeName, by: By): Answer<null>
  /** `forS` absent: until it is put out. */
  setIdentify(world: World, bmcOf: NodeName, on: boolean, by: By, forS?: number): Answer<null>
  clearSel(world: World, bmcOf: NodeName, by: By): Answer<null>
  /** host absent: the whole cluster. */
  setFlag(world: World, flag: { readonly name: string; readonly host?: NodeName }, by: By): Answer<null>
  clearFlag(world: World, flag: { readonly name: string; readonly host?: NodeName }, by: By): Answer<null>
  putConfigKey(world: World, key: string, value: string, by: By): Answer<null>
  deleteConfigKey(world: World, key: string, by: By): Answer<null>
  failMgr(world: World, host: NodeName, by: By): Answer<null>
  stopOsds(world: World, osds: readonly number[], by: By): Answer<null>
  sendMail(world: World, mail: Omit<WorldMail, 'atMs'>): Answer<null>
  startGuest(world: World, guest: Vmid, node: NodeName, by: By): Answer<null>
  stopGuest(world: World, guest: Vmid, by: By): Answer<null>
}

export type ApiVerdict =
  | { readonly is: 'pass'; readonly delayMs: number }
  /** Nothing happened. */
  | { readonly is: 'error'; readonly status: number; readonly text: string }
  /** Do the effect, then drop the connection instead of answering. */
  | { readonly is: 'answer-lost' }

/**
 * queries.ts exports these; none changes the world but `consultApi`, which draws and counts. Beside them: `guestOf`, `isRunning`,
 * `runningAt` in guests.ts, `powerIsOn`, `ledIsOn` in bmc.ts, `cephOf`, `osdsOn`, `askOkToStop` in ceph.ts.
 */
export type WorldQueries = {
  /** Every wire request and every port call asks first. `path` as on the wire: '/nodes/pve3/qemu/101/migrate'. */
  consultApi(world: World, call: { readonly api: ApiName; readonly method: string; readonly path: string }): ApiVerdict
  nodeOf(world: World, name: string): WorldNode | undefined
  /** Not one that vanished. */
  taskOf(world: World, upid: string): WorldTask | undefined
  /** The node's own API answers: it runs, and its proxy finds it. Else 595's text. */
  reachable(world: World, node: NodeName): Answer<WorldNode>
  quorate(world: World): boolean
  votesNow(world: World): { readonly have: number; readonly expected: number; readonly needed: number }
  migrationOf(world: World, vmid: number): WorldMigration | undefined
  /** A copy, brought up to now: bytes and allowed pause of a running migration. */
  migrationNow(world: World, id: string): WorldMigration | undefined
  /** The chassis behind a BMC address, or why none answers. */
  bmcBehind(world: World, bmcOf: NodeName): Answer<WorldNode>
  probeReading(world: World, query: { guest: Vmid; fromMs: number; toMs: number }): ProbeReading
  /** A migration, a shutdown or a recovery runs: time is at most 20-fold. */
  inMotion(world: World): boolean
  /** A real process is being moved: time is 1-fold. */
  inRealTime(world: World): boolean
}
