/** What the world has before it: a queue of data in order of time, so that it can be written and taken up again. */
import type { World, WorldEvent, WorldHappening } from './state.ts'

/** Later ones of the same moment come after the earlier ones. A moment in the past is now. */
export function schedule(world: World, atMs: number, happening: WorldHappening): void {
  const at = Math.max(Math.round(atMs), world.nowMs)
  const event = { ...happening, atMs: at, seq: world.nextSeq++ } as WorldEvent
  let low = 0
  let high = world.events.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((world.events[middle] as WorldEvent).atMs <= at) low = middle + 1
    else high = middle
  }
  world.events.splice(low, 0, event)
}

export function cancelEvents(world: World, isMeant: (event: WorldEvent) => boolean): void {
  for (let index = world.events.length - 1; index >= 0; index--) {
    if (isMeant(world.events[index] as WorldEvent)) world.events.splice(index, 1)
  }
}

export const hasEvent = (world: World, isMeant: (event: WorldEvent) => boolean) => world.events.some(isMeant)
