/** What the journal tells the world: what we intend (promise 10), what the technician is shown, the orders that reach him. */

import type { Act } from '#domain/act'
import type { Event } from '#domain/event'
import type { Interlock } from '#domain/maintenance'
import type { Plan } from '#domain/plan'
import { checkInterlockSaid } from '#lab/promises/interlock-promise'
import { toldLeaseEnd } from '#lab/promises/noout-promise'
import type { World } from './state.ts'
import { issueWorkOrder, refuseAnswer } from './technician.ts'

/** In memory: `journal.onRow((row) => noteJournal(world, row.event))`. Over the wire: POST /journal of the control server. */
export function noteJournal(world: World, event: Event) {
  world.journalJoined = true
  switch (event.kind) {
    case 'intends':
      return noteIntent(world, event.act)
    case 'interlock':
      return noteInterlock(world, event.interlock)
    case 'work-order-issued':
      return issueWorkOrder(world, event.order)
    case 'work-order-refused':
      return refuseAnswer(world, event.order)
    case 'plan-proposed':
      return noteProposal(world, event.plan)
    case 'plan-approved':
      return noteApproval(world, event)
    case 'blockers-lifted':
      world.lifted.push(...event.lifted)
      return
    case 'pause-over-budget':
      world.told.push({ atMs: world.nowMs, about: 'pause', guest: event.guest })
      return
    case 'maintenance-ended':
      return noteEnd(world, event.text)
    case 'lease-expired':
      world.told.push({ atMs: world.nowMs, about: 'lease' })
      return
    default:
      return
  }
}

/** One that is stuck says until when its lease holds. */
function noteEnd(world: World, text: string): void {
  const endsAtMs = toldLeaseEnd(text)
  if (endsAtMs !== undefined) world.told.push({ atMs: world.nowMs, about: 'lease', endsAtMs })
}

function noteProposal(world: World, plan: Plan): void {
  world.proposedRestarts[plan.id] = plan.moves.filter(({ mode }) => mode === 'restart').map(({ guest }) => guest)
}

/** Whoever approves a plan has said that the containers in it may be restarted. */
function noteApproval(world: World, event: Extract<Event, { kind: 'plan-approved' }>): void {
  world.lifted.push(...event.lifted)
  const { allowRestart } = world.cluster
  if (allowRestart !== 'all') allowRestart.push(...(world.proposedRestarts[event.plan] ?? []))
}

export function noteIntent(world: World, act: Act): void {
  world.journalJoined = true
  const node = 'node' in act ? act.node : undefined
  const guest = 'guest' in act ? act.guest : undefined
  world.intents.push({
    atMs: world.nowMs,
    kind: act.kind,
    ...(node === undefined ? {} : { node }),
    ...(guest === undefined ? {} : { guest }),
  })
}

export function noteInterlock(world: World, interlock: Interlock): void {
  world.interlock = interlock
  world.changeCount++
  checkInterlockSaid(world)
}
