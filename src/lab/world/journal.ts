/** What the journal tells the world: what we intend (promise 10), what the technician is shown, the orders that reach him. */

import type { Act } from '#domain/act'
import type { Event } from '#domain/event'
import type { Interlock } from '#domain/maintenance'
import { checkAfterInterlock } from '#lab/promises/check'
import type { World } from './state.ts'
import { issueWorkOrder, refuseAnswer } from './technician.ts'

/** In memory: `journal.onRow((row) => noteJournal(world, row.event))`. Over the wire: POST /journal of the control server. */
export function noteJournal(world: World, event: Event) {
  switch (event.kind) {
    case 'intends':
      return noteIntent(world, event.act)
    case 'interlock':
      return noteInterlock(world, event.interlock)
    case 'work-order-issued':
      return issueWorkOrder(world, event.order)
    case 'work-order-refused':
      return refuseAnswer(world, event.order)
    case 'plan-approved':
    case 'blockers-lifted':
      world.lifted.push(...event.lifted)
      return
    default:
      return
  }
}

export function noteIntent(world: World, act: Act): void {
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
  checkAfterInterlock(world)
}
