/** Seeded chance with one stream a subject: one more draw for a fan does not shift the draws of a guest. */

/** FNV-1a, 32 bits: spreads a subject's name into a seed. */
function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}

/**
 * The `draw`th number of a subject's stream, in [0, 1). Stateless, so a stored world needs to keep only counters.
 * Mixer: splitmix32 (Steele, Lea, Flood 2014).
 */
export function drawAt(seed: number, subject: string, draw: number): number {
  let state = (hashText(subject) ^ Math.imul(seed + 1, 0x9e3779b1)) >>> 0
  state = (state + Math.imul(draw + 1, 0x9e3779b9)) >>> 0
  state = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
  state = Math.imul(state ^ (state >>> 15), 0x735a2d97)
  return ((state ^ (state >>> 15)) >>> 0) / 2 ** 32
}
