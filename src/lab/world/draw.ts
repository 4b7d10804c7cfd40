/** The world's chance: one seeded stream a subject, its counter kept in the world. */
import { drawAt } from '#domain/random'
import type { World } from './state.ts'

/** In [0, 1). */
export function draw(world: World, subject: string): number {
  const taken = world.draws[subject] ?? 0
  world.draws[subject] = taken + 1
  return drawAt(world.seed, subject, taken)
}

export const drawBetween = (world: World, subject: string, low: number, high: number) =>
  low + (high - low) * draw(world, subject)

/** Of events that come without memory at this mean distance. Cut at a tenth of the mean below, at five means above. */
export function drawWaitMs(world: World, subject: string, meanMs: number): number {
  const wait = -Math.log(1 - draw(world, subject)) * meanMs
  return Math.round(Math.min(Math.max(wait, meanMs / 10), meanMs * 5))
}

/** A hex text that is the same for one seed and subject, without using up a draw. */
export function hexOf(seed: number, subject: string, digits: number): string {
  let text = ''
  for (let index = 0; text.length < digits; index++) {
    text += Math.floor(drawAt(seed, subject, index) * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
  }
  return text.slice(0, digits)
}
