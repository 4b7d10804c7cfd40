/** A broken promise is written down once, when it was first seen. */
import type { World } from '#lab/world/state'

/** The ten of the mission, in its order and in short. */
export const PROMISES = [
  'no power-off while guests run, OSDs are needed or the BMC is unproven',
  'never two failure domains away because of us',
  'no guest lost, twice, or stopped unasked',
  'no placement rule broken by a move of ours',
  'noout only as wide and as long as said',
  'no pause over budget in silence',
  'safe is said only when it is',
  'no number that nobody measured',
  'no customer sees another',
  'nothing done that the journal does not show',
] as const

export function breakPromise(world: World, promise: number, text: string): void {
  const known = world.brokenPromises.some((one) => one.promise === promise && one.text === text)
  if (!known) world.brokenPromises.push({ promise, atMs: world.nowMs, text })
}
