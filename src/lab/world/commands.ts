/** Everything that ports and wire servers can do to the world. Each is recorded with its outcome, and the promises are looked at. */

import type { NodeName } from '#domain/ids'
import { checkAfterCommand } from '#lab/promises/check'
import { LEASE_GRACE_MS } from '#lab/promises/noout-promise'
import { checkMail, checkPage } from '#lab/promises/page-promises'
import { powerIsOn, wipeSel } from './bmc.ts'
import { cephOf, downOsds, flagsAt, lowerFlag, passMgr, raiseFlag, refreshMonitors } from './ceph.ts'
import { schedule } from './events.ts'
import { guestOf, haltGuest, isManaged, isRunning } from './guests.ts'
import { queueMigration, startGuestNow, switchMaintenance } from './ha.ts'
import { beginMigration, cancelMigration } from './migration.ts'
import { beginBoot, beginShutdown, powerIsGone } from './power.ts'
import { bmcBehind, quorate, reachable } from './queries.ts'
import type { By, World, WorldCommand, WorldGuest, WorldNode, WorldPage } from './state.ts'
import type { Answer, MigrateRequest, WorldCommands } from './surface.ts'
import { beginTask, endTask, OUR_USER } from './tasks.ts'

export const NO_QUORUM_TEXT = 'cluster not ready - no quorum?'

const done = <T>(value: T): Answer<T> => ({ is: 'done', value })
const refused = (status: number, text: string) => ({ is: 'refused', status, text }) as const
const nothing = done(null)

type Done = Omit<WorldCommand, 'atMs' | 'outcome' | 'text'>

function record<T>(world: World, command: Done, answer: Answer<T>): Answer<T> {
  const outcome =
    answer.is === 'done' ? { outcome: 'done' as const } : { outcome: 'refused' as const, text: answer.text }
  const entry: WorldCommand = { atMs: world.nowMs, ...command, ...outcome }
  world.commands.push(entry)
  world.changeCount++
  checkAfterCommand(world, entry)
  return answer
}

export const startMigration: WorldCommands['startMigration'] = (world, request) => {
  const { guest, from, by } = request
  return record(world, { by, kind: 'migrate', guest, node: from }, tryMigrate(world, request))
}

function tryMigrate(world: World, request: MigrateRequest): Answer<string> {
  const node = reachable(world, request.from)
  if (node.is === 'refused') return node
  const guest = guestOf(world, request.guest)
  if (!guest || guest.lost || guest.node !== request.from) {
    const folder = guest?.spec.kind === 'ct' ? 'lxc' : 'qemu-server'
    const file = `nodes/${request.from}/${folder}/${request.guest}.conf`
    return refused(500, `Configuration file '${file}' does not exist`)
  }
  if (request.to === request.from) return refused(400, 'target is local node.')
  if (!world.nodes[request.to]) return refused(500, `no such cluster node '${request.to}'`)
  if (!quorate(world)) return refused(500, NO_QUORUM_TEXT)
  const user = request.user ?? OUR_USER
  if (isManaged(guest)) return done(queueMigration(world, { guest, to: request.to, by: request.by }, user))
  const wrong = whyNotNow(guest, request)
  if (wrong !== undefined) return refused(500, wrong)
  const mode = isRunning(guest) ? request.mode : 'offline'
  return done(beginMigration(world, { ...request, guest, mode, user }).id)
}

function whyNotNow(guest: WorldGuest, { mode }: MigrateRequest): string | undefined {
  const what = guest.spec.kind === 'vm' ? 'VM' : 'CT'
  if (guest.lock !== undefined) return `${what} is locked (${guest.lock})`
  if (!isRunning(guest)) return undefined
  if (guest.spec.kind === 'vm' && mode !== 'live') return "can't migrate running VM without --online"
  if (guest.spec.kind === 'ct' && mode !== 'restart') return 'lxc live migration is currently not implemented'
  return undefined
}

export const cancelTask: WorldCommands['cancelTask'] = (world, upid, by) => {
  const task = world.tasks[upid]
  const entry = {
    by,
    kind: 'cancel-task',
    ...(task ? { node: task.node } : {}),
    ...(task?.guest ? { guest: task.guest } : {}),
  }
  if (!task || task.vanished) return record(world, entry, refused(400, 'no such task'))
  const node = reachable(world, task.node)
  if (node.is === 'refused') return record(world, entry, node)
  const migration = world.migrations[upid]
  if (migration) cancelMigration(world, migration)
  else if (task.status === 'running' && task.type !== 'hamigrate') endTask(world, task, 'unexpected status')
  return record(world, entry, nothing)
}

export const setMaintenanceMode: WorldCommands['setMaintenanceMode'] = (world, name, on, by) => {
  const entry = { by, kind: on ? 'set-maintenance-mode' : 'clear-maintenance-mode', node: name }
  const node = world.nodes[name]
  if (!node) return record(world, entry, refused(500, `node '${name}' does not exist`))
  if (!world.cluster.maintenanceModeAvailable) return record(world, entry, refused(501, 'no way to set it'))
  if (!quorate(world)) return record(world, entry, refused(500, NO_QUORUM_TEXT))
  switchMaintenance(world, node, on, by)
  return record(world, entry, nothing)
}

export const shutdownNode: WorldCommands['shutdownNode'] = (world, name, by) => {
  const entry = { by, kind: 'shut-down', node: name }
  const node = reachable(world, name)
  if (node.is === 'refused') return record(world, entry, node)
  // The promises look at the world as it stands when the command arrives: afterwards its guests are stopped already.
  const answer = record(world, entry, nothing)
  if (node.value.state === 'running') beginShutdown(world, node.value, by)
  return answer
}

function throughBmc(
  world: World,
  call: { bmcOf: NodeName; by: By; kind: string },
  act: (node: WorldNode) => void,
): Answer<null> {
  const node = bmcBehind(world, call.bmcOf)
  const entry = {
    by: call.by,
    kind: call.kind,
    node: node.is === 'done' ? node.value.name : call.bmcOf,
    asked: call.bmcOf,
  }
  const answer = record(world, entry, node.is === 'done' ? nothing : node)
  if (node.is === 'done') act(node.value)
  return answer
}

export const powerOn: WorldCommands['powerOn'] = (world, bmcOf, by) =>
  throughBmc(world, { bmcOf, by, kind: 'power-on' }, (node) => beginBoot(world, node))

export const pressPower: WorldCommands['pressPower'] = (world, bmcOf, by) =>
  throughBmc(world, { bmcOf, by, kind: 'shut-down' }, (node) => {
    if (node.state === 'running') beginShutdown(world, node, by)
  })

export const powerOffHard: WorldCommands['powerOffHard'] = (world, bmcOf, by) =>
  throughBmc(world, { bmcOf, by, kind: 'power-off-hard' }, (node) => {
    if (powerIsOn(node)) powerIsGone(world, node, by)
  })

export const setIdentify: WorldCommands['setIdentify'] = (world, bmcOf, on, by, forS) =>
  throughBmc(world, { bmcOf, by, kind: 'set-locate' }, ({ bmc }) => {
    bmc.locateOn = on
    delete bmc.locateUntilMs
    const lastsS = Math.min(forS ?? Number.POSITIVE_INFINITY, bmc.locateLimitS ?? Number.POSITIVE_INFINITY)
    if (on && Number.isFinite(lastsS)) bmc.locateUntilMs = world.nowMs + lastsS * 1000
  })

export const clearSel: WorldCommands['clearSel'] = (world, bmcOf, by) =>
  throughBmc(world, { bmcOf, by, kind: 'clear-sel' }, (node) => wipeSel(world, node))

export const setFlag: WorldCommands['setFlag'] = (world, flag, by) => changeFlag(world, flag, by, true)
export const clearFlag: WorldCommands['clearFlag'] = (world, flag, by) => changeFlag(world, flag, by, false)

type FlagOf = Parameters<WorldCommands['setFlag']>[1]

function changeFlag(world: World, flag: FlagOf, by: By, on: boolean): Answer<null> {
  const { name, host } = flag
  const kind = `${on ? 'set' : 'clear'}-flag:${host === undefined ? 'cluster' : 'host'}:${name}`
  const entry = { by, kind, ...(host === undefined ? {} : { node: host }) }
  const ceph = cephOf(world)
  if (!ceph) return record(world, entry, refused(500, 'binary not installed: /usr/bin/ceph-mon'))
  if (host !== undefined && !world.nodes[host]) return record(world, entry, refused(22, `${host} is not a bucket`))
  if (monitorsAway(world)) return record(world, entry, refused(504, 'the monitors have no quorum'))
  const changes = flagsAt(ceph, host).includes(name) !== on
  const answer = record(world, entry, nothing)
  if (changes && on) raiseFlag(world, ceph, flag, by)
  if (changes && !on) lowerFlag(world, ceph, flag)
  return answer
}

export function monitorsAway(world: World): boolean {
  const monitors = cephOf(world)?.monitors ?? []
  return monitors.length > 0 && monitors.filter(({ inQuorum }) => inQuorum).length * 2 <= monitors.length
}

export const LEASE_KEY = 'coulisse/lease/'

export const putConfigKey: WorldCommands['putConfigKey'] = (world, key, value, by) => {
  const ceph = cephOf(world)
  const entry = { by, kind: `put-config-key:${key}` }
  if (!ceph || monitorsAway(world)) return record(world, entry, refused(504, 'the monitors have no quorum'))
  ceph.configKeys[key] = value
  watchLease(world, key, value)
  return record(world, entry, nothing)
}

/** The world looks when a lease runs out: promise 5. */
function watchLease(world: World, key: string, value: string): void {
  if (!key.startsWith(LEASE_KEY)) return
  const expiresAtMs = /"expiresAtMs":(\d+)/.exec(value)?.[1]
  if (expiresAtMs === undefined) return
  const node = key.slice(LEASE_KEY.length) as NodeName
  const trueMs = Number(expiresAtMs) - (world.cluster.controlClockOffsetMs ?? 0)
  schedule(world, trueMs + LEASE_GRACE_MS, { kind: 'lease-expires', node })
}

export const deleteConfigKey: WorldCommands['deleteConfigKey'] = (world, key, by) => {
  const ceph = cephOf(world)
  const entry = { by, kind: `delete-config-key:${key}` }
  if (!ceph || monitorsAway(world)) return record(world, entry, refused(504, 'the monitors have no quorum'))
  delete ceph.configKeys[key]
  return record(world, entry, nothing)
}

export const failMgr: WorldCommands['failMgr'] = (world, host, by) => {
  const ceph = cephOf(world)
  if (ceph?.activeMgrHost === host) passMgr(ceph)
  return record(world, { by, kind: 'fail-mgr', node: host }, ceph ? nothing : refused(500, 'there is no Ceph'))
}

export const stopOsds: WorldCommands['stopOsds'] = (world, osds, by) => {
  const ceph = cephOf(world)
  const host = ceph?.osds.find(({ id }) => id === osds[0])?.host
  const entry = { by, kind: 'stop-osds', ...(host === undefined ? {} : { node: host }) }
  if (!ceph) return record(world, entry, refused(500, 'there is no Ceph'))
  const node = host === undefined ? undefined : world.nodes[host]
  const answer = record(world, entry, nothing)
  if (node) node.downBy ??= by
  downOsds(world, osds)
  refreshMonitors(world)
  return answer
}

const NO_SUCH_USER = '5.1.1 no such user here'
export const BOUNCED = 550

export const sendMail: WorldCommands['sendMail'] = (world, mail) => {
  if (bounces(world, mail.to)) return record(world, { by: 'us', kind: 'mail' }, refused(BOUNCED, NO_SUCH_USER))
  const isKnown = world.mails.some(({ key, to }) => key === mail.key && to === mail.to)
  if (!isKnown) {
    world.mails.push({ atMs: world.nowMs, ...mail })
    checkMail(world, mail)
  }
  return record(world, { by: 'us', kind: 'mail' }, nothing)
}

const bounces = (world: World, to: string): boolean =>
  (world.mailBounces ?? []).some(
    ({ address, untilMs }) => (address ?? to) === to && (untilMs === undefined || world.nowMs < untilMs),
  )

export const startGuest: WorldCommands['startGuest'] = (world, vmid, name, by) => {
  const guest = guestOf(world, vmid)
  const entry = { by, kind: 'start-guest', guest: vmid, node: name }
  if (!guest || guest.node !== name) return record(world, entry, refused(500, `guest ${vmid} is not on ${name}`))
  if (guest.lock !== undefined) return record(world, entry, refused(500, `VM is locked (${guest.lock})`))
  startGuestNow(world, { guest: vmid, node: name, by })
  return record(world, entry, nothing)
}

export const stopGuest: WorldCommands['stopGuest'] = (world, vmid, by) => {
  const guest = guestOf(world, vmid)
  const entry = { by, kind: 'stop-guest', guest: vmid }
  if (!guest) return record(world, entry, refused(500, `guest ${vmid} does not exist`))
  const type = guest.spec.kind === 'vm' ? 'qmstop' : 'vzstop'
  const task = beginTask(world, { node: guest.node, type, id: String(vmid), user: OUR_USER, by, guest: vmid })
  guest.stopSaidBy = by
  if (isRunning(guest)) haltGuest(world, guest, 'stopped', by)
  endTask(world, task, 'OK')
  return record(world, entry, nothing)
}

/** A customer's page; the promises read it. */
export function publishPage(world: World, page: Omit<WorldPage, 'atMs'>): Answer<null> {
  world.pages[`${page.maintenance}/${page.customer}`] = { atMs: world.nowMs, ...page }
  checkPage(world, page)
  return record(world, { by: 'us', kind: 'publish-page' }, nothing)
}
