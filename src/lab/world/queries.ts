/** What the world answers when asked; nothing here changes it, but for the draws of `consultApi`. */
import type { NodeName } from '#domain/ids'
import type { ProbeReading } from '#domain/measurement'
import { draw } from './draw.ts'
import { guestOf } from './guests.ts'
import { settle } from './migration.ts'
import type { ApiFault, Interruption, World, WorldGuest, WorldMigration, WorldNode, WorldTask } from './state.ts'
import type { Answer, ApiVerdict, WorldQueries } from './surface.ts'

/** A proxy that finds its node dead gives up with this. */
export const DEAD_NODE_STATUS = 595
const SLOW_BACKEND_STATUS = 596

export const consultApi: WorldQueries['consultApi'] = (world, call) => {
  let delayMs = 0
  for (const fault of world.apiFaults) {
    if (!strikes(world, fault, call)) continue
    if (fault.timesLeft !== undefined) fault.timesLeft--
    if (fault.kind === 'api-slow') delayMs += fault.delayMs
    else if (fault.kind === 'answer-lost') return { is: 'answer-lost' }
    else return apiError(fault)
  }
  return { is: 'pass', delayMs }
}

const apiError = ({ status }: ApiFault): ApiVerdict => ({
  is: 'error',
  status,
  text:
    status === DEAD_NODE_STATUS ? 'Connection timed out' : status === 401 ? 'Authentication failed!' : 'internal error',
})

function strikes(world: World, fault: ApiFault, call: Parameters<WorldQueries['consultApi']>[1]): boolean {
  if (fault.timesLeft === 0 || (fault.untilMs !== undefined && fault.untilMs <= world.nowMs)) return false
  if (fault.api !== undefined && fault.api !== call.api) return false
  if (fault.path !== undefined && !call.path.includes(fault.path)) return false
  // An answer to a look can be lost too, but a look has no effect: those are 'api-error'.
  if (fault.kind === 'answer-lost' && call.method === 'GET') return false
  return draw(world, `api/${fault.kind}`) < fault.rate
}

export const nodeOf = (world: World, name: string): WorldNode | undefined => world.nodes[name]

export const taskOf = (world: World, upid: string): WorldTask | undefined => {
  const task = world.tasks[upid]
  return task?.vanished === true ? undefined : task
}

/** The node's own API, through any entry point. */
export function reachable(world: World, name: NodeName): Answer<WorldNode> {
  const node = world.nodes[name]
  if (!node) {
    const text = `hostname lookup '${name}' failed - failed to get address info for: ${name}: Temporary failure in name resolution`
    return { is: 'refused', status: 500, text }
  }
  if (node.state === 'running') return { is: 'done', value: node }
  if (node.state === 'hung') return { is: 'refused', status: SLOW_BACKEND_STATUS, text: 'Connection timed out' }
  if (node.state === 'shutting-down' && node.online) return { is: 'done', value: node }
  const text = node.offlineSinceMs === undefined ? 'Connection timed out' : 'No route to host'
  return { is: 'refused', status: DEAD_NODE_STATUS, text }
}

export function votesNow(world: World): { readonly have: number; readonly expected: number; readonly needed: number } {
  const { votes, qdeviceVotes, qdeviceUp } = world.cluster
  const expected = Object.values(votes).reduce((sum, vote) => sum + vote, qdeviceVotes)
  const present = Object.values(world.nodes).filter(({ online }) => online)
  const have = present.reduce((sum, { name }) => sum + (votes[name] ?? 0), qdeviceUp ? qdeviceVotes : 0)
  return { have, expected, needed: Math.floor(expected / 2) + 1 }
}

export function quorate(world: World): boolean {
  const lostUntilMs = world.cluster.quorumLostUntilMs
  if (lostUntilMs !== undefined && world.nowMs < lostUntilMs) return false
  const { have, needed } = votesNow(world)
  return have >= needed
}

export const migrationOf = (world: World, vmid: number): WorldMigration | undefined =>
  Object.values(world.migrations).find((migration) => migration.guest === vmid)

/** A copy, brought up to now: looking does not change the world. */
export function migrationNow(world: World, id: string): WorldMigration | undefined {
  const migration = world.migrations[id]
  if (migration?.phase !== 'copying') return migration
  const copy = { ...migration }
  settle(world, copy)
  return copy
}

/** The chassis that answers at this node's BMC address: after bmc-swapped it is another's. */
export function bmcBehind(world: World, bmcOf: NodeName): Answer<WorldNode> {
  const address = world.nodes[bmcOf]
  if (!address) return { is: 'refused', status: 404, text: `no BMC is known for ${bmcOf}` }
  const chassis = world.nodes[address.bmc.answersAs]
  if (chassis?.bmc.state === 'up') return { is: 'done', value: chassis }
  return { is: 'refused', status: 504, text: 'the BMC does not answer' }
}

/** Computed from what happened, when asked for; the resolution is the probe's interval. */
export const probeReading: WorldQueries['probeReading'] = (world, { guest: vmid, fromMs, toMs }) => {
  const guest = guestOf(world, vmid)
  const end = Math.min(toMs, world.nowMs)
  const blind = whyUnmeasured(world, guest, fromMs, end)
  if (!guest || blind !== undefined)
    return { is: 'unmeasured', guest: vmid, reason: blind ?? 'the prober does not know this guest' }
  return measure(world, guest, fromMs, end)
}

function whyUnmeasured(world: World, guest: WorldGuest | undefined, fromMs: number, toMs: number) {
  if (!guest) return 'the prober does not know this guest'
  if (toMs <= fromMs) return 'the time asked for is empty'
  const down = world.probe.outages.some((outage) => outage.fromMs < toMs && (outage.toMs ?? world.nowMs) > fromMs)
  if (down) return 'the prober was down for part of the time'
  const whole = guest.interruptions.some(
    (one) => one.why === 'stopped' && one.fromMs <= fromMs && (one.toMs ?? Number.POSITIVE_INFINITY) >= toMs,
  )
  return whole ? 'the guest was not running' : undefined
}

function measure(world: World, guest: WorldGuest, fromMs: number, toMs: number): ProbeReading {
  const { intervalMs } = world.probe
  let lostCount = 0
  let longestGapMs = 0
  let longestGapAtMs = fromMs
  for (const one of guest.interruptions) {
    const lost = probesIn(one, fromMs, toMs, intervalMs)
    lostCount += lost
    if (lost * intervalMs <= longestGapMs) continue
    longestGapMs = lost * intervalMs
    longestGapAtMs = Math.max(one.fromMs, fromMs)
  }
  const sentCount = Math.floor(toMs / intervalMs) - Math.floor(fromMs / intervalMs)
  return {
    is: 'measured',
    guest: guest.spec.vmid,
    fromMs,
    toMs,
    intervalMs,
    sentCount,
    lostCount,
    longestGapMs,
    longestGapAtMs,
  }
}

/** Probes leave at whole multiples of the interval: a pause shorter than that may fall between two. */
function probesIn(one: Interruption, fromMs: number, toMs: number, intervalMs: number): number {
  const from = Math.max(one.fromMs, fromMs)
  const to = Math.min(one.toMs ?? toMs, toMs)
  return Math.max(0, Math.floor(to / intervalMs) - Math.floor(from / intervalMs))
}

/** A migration, a shutdown or a recovery runs: time is at most 20-fold. A boot, a soak and HA's queue may be jumped over. */
export function inMotion(world: World): boolean {
  for (const id in world.migrations) if (world.migrations[id]?.phase !== 'ha-queued') return true
  if (world.ceph !== 'none' && world.ceph.recoveryUntilMs !== undefined) return true
  for (const name in world.nodes) if (world.nodes[name]?.state === 'shutting-down') return true
  return world.events.some(({ kind }) => kind === 'ha-recovers')
}

/** A real process is being moved: its milliseconds are real, so the world's must be as long. */
export function inRealTime(world: World): boolean {
  for (const id in world.migrations) {
    const migration = world.migrations[id]
    if (migration?.real !== undefined && migration.phase === 'copying') return true
  }
  return false
}
