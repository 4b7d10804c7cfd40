/** Lets virtual time pass: everything that can run runs, then clock and world jump to the next moment at which something happens. */
import type { VirtualClock } from '../virtual-clock.ts'

export type SimulatedWorld = {
  /** When the world changes next by itself; undefined when it would stand still for ever. */
  nextEventAtMs(): number | undefined
  /** Lets everything happen up to and at `atMs`. Synchronous. */
  advanceTo(atMs: number): void
}

/** A world in which nothing happens. */
const EMPTY_WORLD: SimulatedWorld = { nextEventAtMs: () => undefined, advanceTo: () => {} }

/** A world that announces events and never performs them would hold time for ever. */
const STANDSTILL_LIMIT = 10_000

/**
 * Ends when `until` holds, which is asked whenever all is quiet. Throws when nothing waits and nothing happens, or when more than
 * `limitMs` of virtual time has passed. Everything simulated must run on promises alone: input, output and timers of the machine
 * are waited for only where `quiet` is given, and does it.
 */
export async function simulate(options: {
  readonly clock: VirtualClock
  readonly world?: SimulatedWorld
  readonly until: () => boolean
  readonly limitMs: number
  /** Resolves when nothing has anything left to do before time goes on. Default: no promise has. */
  readonly quiet?: () => Promise<void>
}): Promise<void> {
  const { clock, world = EMPTY_WORLD, until, limitMs, quiet = promisesAreQuiet } = options
  const endAtMs = clock.trueMs + limitMs
  let standstillCount = 0
  for (await quiet(); !until(); await quiet()) {
    const nextMs = earliest(clock.nextWakeAtMs(), world.nextEventAtMs())
    if (nextMs === undefined)
      throw new Error(`deadlock at ${clock.trueMs} ms: nothing waits and nothing happens, and the end is not reached`)
    if (nextMs > endAtMs) throw new Error(`the end is not reached after ${limitMs} ms of virtual time`)
    standstillCount = nextMs > clock.trueMs ? 0 : standstillCount + 1
    if (standstillCount > STANDSTILL_LIMIT)
      throw new Error(`time stands still at ${clock.trueMs} ms: the world announces an event and never performs it`)
    // Both before anything goes on: whoever wakes at this moment sees the world of this moment.
    clock.advanceTo(nextMs)
    world.advanceTo(clock.trueMs)
  }
}

/** Resolves when no promise has anything left to do. */
export function promisesAreQuiet(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return Math.min(a, b)
}
