/** Figures that may not exist. What nobody measured is said so; it is never 0. */

export type Measured = { readonly blackoutMs: number } | 'unmeasured'

/** A number that a system did or did not tell us. */
export type Known<T> = T | 'unknown'

/** The longest of the measured blackouts, or 'unmeasured' when not one was measured. */
export function longestBlackout(all: readonly Measured[]): Measured {
  let longest: Measured = 'unmeasured'
  for (const one of all) {
    if (one === 'unmeasured') continue
    if (longest === 'unmeasured' || one.blackoutMs > longest.blackoutMs) longest = one
  }
  return longest
}
