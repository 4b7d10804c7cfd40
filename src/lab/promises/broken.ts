/** A broken promise is written down once, when it was first seen. */
import type { World } from '#lab/world/state'

/**
 * The ten, by number: 1 no power-off while guests run, OSDs are needed or the BMC is unproven; 2 never two failure domains away because
 * of us; 3 no guest lost, twice, or stopped unasked; 4 no placement rule broken by a move of ours; 5 noout only as wide and as long as
 * said; 6 no pause over budget in silence; 7 "safe" only when it is; 8 no number that nobody measured; 9 no customer sees another;
 * 10 nothing done that the journal does not show.
 */
export function breakPromise(world: World, promise: number, text: string): void {
  const known = world.brokenPromises.some((one) => one.promise === promise && one.text === text)
  if (!known) world.brokenPromises.push({ promise, atMs: world.nowMs, text, event: world.changeCount })
}
