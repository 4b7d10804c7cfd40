/** Contracts over real daemons run where they were asked for and where the machine has them; else they say why not. */
import { test } from 'vitest'
import { realPreflight } from '#lab/real/preflight'

/** Undefined: go on. Else why the real contract is left out. */
export async function whyNotReal({ withGuests = false } = {}): Promise<string | undefined> {
  if (process.env.COULISSE_REAL !== '1') return 'set COULISSE_REAL=1 to start real daemons'
  if (withGuests && process.getuid?.() !== 0) return 'only root makes network namespaces'
  const found = await realPreflight({ withGuests })
  return found.is === 'ready' ? undefined : `missing on this machine: ${found.packages.join(', ')}`
}

/** A test that is skipped under a name that says why. */
export const leftOut = (what: string, why: string) => test.skip(`${what}: left out, ${why}`)
