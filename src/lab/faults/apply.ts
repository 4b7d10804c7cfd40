/** Faults begin here: checked against the world first, then now or later. A bad one changes nothing. */

import { checkAfterFault } from '#lab/promises/check'
import { schedule } from '#lab/world/events'
import { guestOf } from '#lab/world/guests'
import type { World } from '#lab/world/state'
import { CEPH_FAULTS } from './ceph-faults.ts'
import { GUEST_FAULTS } from './guest-faults.ts'
import { type Fault, type FaultKind, type FaultTable, parseFault } from './kinds.ts'
import { NODE_FAULTS } from './node-faults.ts'
import { WAY_FAULTS } from './way-faults.ts'

const FAULTS: FaultTable<FaultKind> = { ...NODE_FAULTS, ...CEPH_FAULTS, ...GUEST_FAULTS, ...WAY_FAULTS }

export type FaultAnswer = { readonly is: 'taken' } | { readonly is: 'bad'; readonly problems: readonly string[] }

/** Takes what came over the wire or out of a script. */
export function takeFault(world: World, input: unknown): FaultAnswer {
  const parsed = parseFault(input)
  return parsed.is === 'bad' ? parsed : applyFault(world, parsed.fault)
}

export function applyFault(world: World, fault: Fault): FaultAnswer {
  const problems = unknownThings(world, fault)
  if (problems.length > 0) return { is: 'bad', problems }
  const index = world.faults.length
  world.faults.push({ atMs: world.nowMs + (fault.atS ?? 0) * 1000, fault: { ...fault }, state: 'waiting' })
  world.changeCount++
  if ((fault.atS ?? 0) > 0) schedule(world, world.nowMs + (fault.atS ?? 0) * 1000, { kind: 'fault', index })
  else applyScheduledFault(world, index)
  return { is: 'taken' }
}

export function applyScheduledFault(world: World, index: number): void {
  const entry = world.faults[index]
  if (!entry || entry.state === 'applied') return
  entry.state = 'applied'
  const fault = entry.fault as Fault
  const apply = FAULTS[fault.kind] as (world: World, fault: Fault) => void
  apply(world, fault)
  checkAfterFault(world)
}

function unknownThings(world: World, fault: Fault): string[] {
  const named = fault as {
    node?: string
    nodes?: readonly string[]
    guest?: number
    to?: string
    osd?: number
    part?: string
  }
  const nodes = [named.node, named.to, ...(named.nodes ?? [])].filter((name) => name !== undefined)
  const problems = nodes.filter((name) => !world.nodes[name]).map((name) => `$.node: this world has no node ${name}`)
  if (named.guest !== undefined && !guestOf(world, named.guest))
    problems.push(`$.guest: this world has no guest ${named.guest}`)
  if (Object.hasOwn(CEPH_FAULTS, fault.kind) && world.ceph === 'none') problems.push('$.kind: this world has no Ceph')
  if (named.osd !== undefined && world.ceph !== 'none' && !world.ceph.osds.some(({ id }) => id === named.osd))
    problems.push(`$.osd: this world has no osd.${named.osd}`)
  if (fault.kind.startsWith('fan-') && named.part !== undefined && nodes[0] !== undefined) {
    const fans = world.nodes[nodes[0]]?.fans ?? []
    if (!fans.some(({ part }) => part === named.part)) problems.push(`$.part: ${nodes[0]} has no fan ${named.part}`)
  }
  return problems
}
