/** /nodes/{node}/qemu and /lxc: guests by their node's word, and their moves. */
import type { NodeName } from '#domain/ids'
import { startGuest, startMigration, stopGuest } from '#lab/world/commands'
import { guestOf, isManaged, isRunning } from '#lab/world/guests'
import { quorate } from '#lab/world/queries'
import type { WorldGuest } from '#lab/world/state'
import { beginTask, endTask } from '#lab/world/tasks'
import { bit, data, type PveAnswer, refusal, wrongParameters } from './answer.ts'
import { byOf, type PveCall, type Route } from './call.ts'
import { configOf, guestNumber, guestOnNode, KIND_PATH, visible } from './render.ts'

type Kind = 'vm' | 'ct'

const TAKES = {
  vm: ['bwlimit', 'force', 'online', 'target', 'targetstorage', 'with-conntrack-state', 'with-local-disks'],
  ct: ['bwlimit', 'online', 'restart', 'target', 'target-storage', 'timeout'],
} as const

export const guestRoutes: readonly Route[] = (['vm', 'ct'] as const).flatMap((kind): readonly Route[] => {
  const list = `/nodes/{node}/${KIND_PATH[kind]}`
  const guest = `${list}/{vmid}`
  const audit = ['/vms/{vmid}', 'VM.Audit'] as const
  return [
    { method: 'GET', path: list, ...(kind === 'vm' ? { takes: ['full'] } : {}), answer: listOf(kind) },
    {
      method: 'GET',
      path: `${guest}/config`,
      takes: ['current', 'snapshot'],
      right: audit,
      answer: onGuest(kind, (_, found) => data(configOf(found))),
    },
    { method: 'GET', path: `${guest}/status/current`, right: audit, answer: onGuest(kind, statusCurrent) },
    {
      method: 'GET',
      path: `${guest}/migrate`,
      takes: ['target'],
      right: ['/vms/{vmid}', 'VM.Migrate'],
      answer: onGuest(kind, kind === 'vm' ? vmPreconditions : ctPreconditions),
    },
    {
      method: 'POST',
      path: `${guest}/migrate`,
      takes: TAKES[kind],
      needs: ['target'],
      right: ['/vms/{vmid}', 'VM.Migrate'],
      answer: migrate(kind),
    },
    {
      method: 'POST',
      path: `${guest}/status/start`,
      right: ['/vms/{vmid}', 'VM.PowerMgmt'],
      answer: onGuest(kind, start),
    },
    {
      method: 'POST',
      path: `${guest}/status/stop`,
      right: ['/vms/{vmid}', 'VM.PowerMgmt'],
      answer: onGuest(kind, stop),
    },
  ]
})

function listOf(kind: Kind): Route['answer'] {
  return (call) =>
    data(
      call.shuffled(
        visible(call)
          .filter((guest) => guest.spec.kind === kind && guest.node === call.at.node)
          .map(guestOnNode),
      ),
    )
}

const FOLDER = { vm: 'qemu-server', ct: 'lxc' } as const

/** Recorded: 500 and the path of the configuration that is not there. */
function onGuest(kind: Kind, answer: (call: PveCall, guest: WorldGuest) => PveAnswer): Route['answer'] {
  return (call) => {
    const { node, vmid } = call.at
    const guest = guestOf(call.world, guestNumber(vmid))
    if (guest !== undefined && !guest.lost && guest.node === node && guest.spec.kind === kind)
      return answer(call, guest)
    return refusal(500, `Configuration file 'nodes/${node}/${FOLDER[kind]}/${vmid}.conf' does not exist`)
  }
}

function statusCurrent(_call: PveCall, guest: WorldGuest): PveAnswer {
  const ha = isManaged(guest) ? { managed: 1, state: guest.haState ?? 'started' } : { managed: 0 }
  return data({ ...guestOnNode(guest), ha })
}

/** Quorum first; a lock refuses; offline nodes are "allowed", and allowed ones stand among the not allowed as {}. */
function migrationTargets(call: PveCall, guest: WorldGuest) {
  const { world } = call
  if (!quorate(world)) return { refused: refusal(500, 'cluster not ready - no quorum?') }
  if (guest.lock !== undefined) return { refused: refusal(500, `VM is locked (${guest.lock})`) }
  const blocking = new Map<string, unknown[]>()
  for (const rule of world.rules) {
    if (rule.kind !== 'keep-apart' || !rule.strict || !rule.guests.includes(guest.spec.vmid)) continue
    for (const id of rule.guests) {
      const other = guestOf(world, id)
      if (other === undefined || other === guest || !isManaged(other) || !isManaged(guest)) continue
      const causes = blocking.get(other.node) ?? []
      blocking.set(other.node, [...causes, { sid: `${other.spec.kind}:${id}`, cause: 'resource-affinity' }])
    }
  }
  const others = Object.keys(world.nodes).filter((name) => name !== guest.node)
  const allowed = call.shuffled(others.filter((name) => !blocking.has(name)))
  const notAllowed = Object.fromEntries(
    others.map((name) => [name, blocking.has(name) ? { 'blocking-ha-resources': blocking.get(name) } : {}]),
  )
  return { allowed, notAllowed }
}

function vmPreconditions(call: PveCall, guest: WorldGuest): PveAnswer {
  const targets = migrationTargets(call, guest)
  if ('refused' in targets && targets.refused !== undefined) return targets.refused
  const shared = new Set((call.world.nodes[guest.node]?.storages ?? []).filter((one) => one.shared).map(({ id }) => id))
  return data({
    running: bit(isRunning(guest)),
    allowed_nodes: targets.allowed,
    not_allowed_nodes: targets.notAllowed,
    local_disks: guest.spec.disks.flatMap(({ storage, bytes }, index) =>
      shared.has(storage)
        ? []
        : [
            {
              volid: `${storage}:vm-${guest.spec.vmid}-disk-${index}`,
              drivename: `scsi${index}`,
              size: bytes,
              shared: 0,
              cdrom: 0,
              is_attached: 1,
            },
          ],
    ),
    local_resources: guest.spec.passthrough,
    'mapped-resources': [],
    'mapped-resource-info': {},
    'has-dbus-vmstate': bit(call.world.cluster.conntrackStateOffered),
    ...(isManaged(guest) ? { 'dependent-ha-resources': [] } : {}),
  })
}

/** Kebab case, and no look at storages or mount points. */
function ctPreconditions(call: PveCall, guest: WorldGuest): PveAnswer {
  const targets = migrationTargets(call, guest)
  if ('refused' in targets && targets.refused !== undefined) return targets.refused
  return data({
    running: bit(isRunning(guest)),
    'allowed-nodes': targets.allowed,
    'not-allowed-nodes': targets.notAllowed,
    ...(isManaged(guest) ? { 'dependent-ha-resources': [] } : {}),
  })
}

const isSet = (value: string | undefined) => value === '1' || value === 'true'

function migrate(kind: Kind): Route['answer'] {
  return onGuest(kind, (call, guest) => {
    const { params, world, token } = call
    const live = isSet(params.online)
    const restart = isSet(params.restart)
    if (params.force !== undefined) return wrongParameters({ force: 'Only root may use this option.' })
    const answer = startMigration(world, {
      guest: guest.spec.vmid,
      from: guest.node,
      to: (params.target ?? '') as NodeName,
      mode: restart ? 'restart' : live ? 'live' : 'offline',
      withLocalDisks: isSet(params['with-local-disks']),
      by: byOf(call),
      user: token.id,
    })
    if (answer.is === 'done') return data(answer.value)
    if (answer.status === 400) return wrongParameters({ target: answer.text })
    return refusal(answer.status, answer.text)
  })
}

/** Answers with a task even where the task will fail: a locked guest is refused in the log only. */
function start(call: PveCall, guest: WorldGuest): PveAnswer {
  const { world, token } = call
  const type = guest.spec.kind === 'vm' ? 'qmstart' : 'vzstart'
  const { vmid } = guest.spec
  const task = beginTask(world, {
    node: guest.node,
    type,
    id: String(vmid),
    user: token.id,
    by: byOf(call),
    guest: vmid,
  })
  const kind = guest.spec.kind === 'vm' ? 'VM' : 'CT'
  const answer = isRunning(guest)
    ? ({ is: 'refused', text: `${kind} ${vmid} already running` } as const)
    : startGuest(world, vmid, guest.node, byOf(call))
  endTask(world, task, answer.is === 'done' ? 'OK' : answer.text)
  return data(task.upid)
}

function stop(call: PveCall, guest: WorldGuest): PveAnswer {
  const answer = stopGuest(call.world, guest.spec.vmid, byOf(call))
  if (answer.is === 'refused') return refusal(answer.status, answer.text)
  return data(Object.keys(call.world.tasks).at(-1) ?? null)
}
