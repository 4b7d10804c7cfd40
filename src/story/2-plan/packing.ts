/** How many bins a packing needs at least: by volume, and by the bound L2 of Martello and Toth. */

/**
 * No packing of `sizes` into bins of `capacity` uses fewer bins than this. Items larger than a bin are left out: they need none of these.
 * Bins that are partly full are asked about by an item for what fills each.
 */
export function binsNeeded(sizes: readonly number[], capacity: number): number {
  const items = sizes.filter((size) => size > 0 && size <= capacity)
  const small = [...new Set(items.filter((size) => size <= capacity / 2))].toSorted((a, b) => b - a)
  const every = Math.max(1, Math.ceil(small.length / THRESHOLDS_LIMIT))
  let most = 0
  for (const threshold of [0, ...small.filter((_, index) => index % every === 0)])
    most = Math.max(most, binsAbove(items, capacity, threshold))
  return most
}

/** Items below the threshold are left out: items that fit beside none of the rest have a bin each, what the others leave is filled by volume. */
function binsAbove(items: readonly number[], capacity: number, threshold: number): number {
  let alone = 0
  let halves = 0
  let halvesRoom = 0
  let rest = 0
  for (const size of items) {
    if (size > capacity - threshold) alone++
    else if (size > capacity / 2) {
      halves++
      halvesRoom += capacity - size
    } else if (size >= threshold) rest += size
  }
  return alone + halves + Math.max(0, Math.ceil((rest - halvesRoom) / capacity - TOLERANCE))
}

/** Every threshold gives a bound; of many sizes some are enough. */
const THRESHOLDS_LIMIT = 32
/** Sums of sizes are not exact. */
const TOLERANCE = 1e-9
