/** What the checker asks of one move alone: who, from where, may he, can the target take him, and is the mode right. */
import type { Guest } from '#domain/guest'
import type { NodeName } from '#domain/ids'
import { isQemuOlder, type Node } from '#domain/node'
import type { Move, Violation } from '#domain/plan'
import type { CheckWorld } from './check-world.ts'

type Asked = {
  readonly world: CheckWorld
  readonly move: Move
  readonly guest: Guest
  readonly from: Node
  readonly to: Node
}

export function checkMove(
  world: CheckWorld,
  { move, drain, repaired = [] }: { move: Move; drain: readonly NodeName[]; repaired?: readonly NodeName[] },
): readonly Violation[] {
  const say = (kind: string, text: string): Violation => ({
    kind,
    guest: move.guest,
    node: move.to,
    atStep: move.step,
    text: `guest ${move.guest} ${text}`,
  })
  const guest = world.guest(move.guest)
  if (guest === undefined) return [say('guest-unknown', 'is not in the cluster')]
  const to = world.node(move.to)
  if (to === undefined) return [say('node-unknown', `would go to ${move.to}, which the cluster does not have`)]
  const violations: Violation[] = []
  const place = world.placeOf(move.guest)
  if (place !== move.from) violations.push(say('wrong-source', `is on ${place} then, not on ${move.from}`))
  if (place === move.to) violations.push(say('wrong-target', `is on ${move.to} already`))
  const from = world.node(place)
  if (from === undefined) return violations
  if (!from.online)
    violations.push(say('node-offline', `is on ${place}, which is offline: nothing can be moved from it`))
  const refusal = repaired.includes(to.name) && to.online ? undefined : whyTakesNothing(world, to, drain)
  if (refusal !== undefined) violations.push(say('node-takes-nothing', `would go to ${to.name}, which ${refusal}`))
  const asked = { world, move, guest, from, to }
  for (const [kind, text] of [...permissions(asked), ...fitness(asked), ...modes(asked)])
    violations.push(say(kind, text))
  return violations
}

function whyTakesNothing(world: CheckWorld, to: Node, drain: readonly NodeName[]): string | undefined {
  if (!to.online) return 'is offline'
  if (to.maintenance) return 'is in maintenance'
  if (drain.includes(to.name)) return 'is being drained'
  const mate = drain.find(
    (name) => name !== to.name && to.chassis !== undefined && world.node(name)?.chassis === to.chassis,
  )
  return mate === undefined ? undefined : `shares its chassis with ${mate}`
}

type Found = readonly [kind: string, text: string]

function permissions({ world, guest, move }: Asked): readonly Found[] {
  const found: Found[] = []
  if (!guest.movable) found.push(['guest-not-movable', 'may not be moved: its owner forbids it'])
  if (guest.lock) found.push(['guest-locked', `is locked (${guest.lock})`])
  if (guest.passthrough.length > 0) found.push(['passthrough', 'uses hardware of its node'])
  const { allowRestart } = world.policy
  const allowed = allowRestart === 'all' || allowRestart.includes(guest.vmid)
  const restarts = guest.status === 'running' && (guest.kind === 'ct' || move.mode === 'restart')
  if (restarts && !allowed) found.push(['restart-not-allowed', 'would be restarted, and nobody allowed that'])
  return found
}

function fitness({ world, guest, move, from, to }: Asked): readonly Found[] {
  const found: Found[] = []
  for (const rule of world.cluster.rules) {
    if (rule.kind !== 'pin' || !rule.strict || !rule.guests.includes(guest.vmid)) continue
    if (!rule.nodes.includes(to.name))
      found.push(['pinned', `is pinned to ${rule.nodes.join(', ')}, not to ${to.name}`])
  }
  for (const { storage } of guest.disks) {
    if (to.storages.every(({ id }) => id !== storage))
      found.push(['storage-missing', `needs ${storage}: ${to.name} has none`])
  }
  for (const bridge of guest.bridges) {
    if (!to.bridges.includes(bridge)) found.push(['bridge-missing', `needs ${bridge}: ${to.name} has none`])
  }
  if (move.mode === 'live' && guest.cpuType === 'host' && from.cpuModel !== to.cpuModel) {
    const models = `${from.cpuModel ?? 'unknown'} and ${to.cpuModel ?? 'unknown'}`
    found.push(['cpu-model', `has CPU type host and cannot go live between ${models}`])
  }
  if (move.mode === 'live' && isQemuOlder(to.versions, from.versions)) {
    found.push(['qemu-older-on-target', `runs QEMU ${from.versions.qemu}, and ${to.name} has ${to.versions.qemu}`])
  }
  return found
}

function modes({ guest, move: { mode } }: Asked): readonly Found[] {
  if (guest.status === 'stopped') return mode === 'offline' ? [] : [['wrong-mode', `is stopped: offline, not ${mode}`]]
  if (mode === 'offline') return [['wrong-mode', 'runs: offline would leave its owner without it']]
  if (guest.kind === 'ct' && mode !== 'restart') return [['wrong-mode', `is a container: restart, not ${mode}`]]
  return []
}
