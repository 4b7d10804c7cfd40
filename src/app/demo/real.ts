/** What `demo --real` needs besides the demo: programs that it installs, daemons that a killed lab left, what was measured. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { guestKernel } from '#lab/real/guests/kernel'
import { installReal } from '#lab/real/preflight'
import { endRealParts } from '#lab/real/real-parts'
import { cacheDir } from '../lab-real.ts'
import type { RealFigures, RealGuestMove } from './summary.ts'

const folderIn = (stateDir: string) => join(stateDir, 'lab', 'real')

/** Throws in words for a person where the machine is no Debian, or we are not root. */
export async function prepareReal(options: {
  readonly log: (line: string) => void
  readonly withGuests: boolean
}): Promise<void> {
  await installReal(options)
  if (options.withGuests) await guestKernel(cacheDir(), options.log)
}

/** Ends daemons that a killed lab left behind. */
export const endReal = (stateDir: string) => endRealParts(folderIn(stateDir))

type Report = {
  readonly writeCount: number
  readonly verifyCount: number
  readonly errorCount: number
  readonly mismatchCount: number
  readonly misplacedAway: number | null
  readonly misplacedWhole: number | null
  readonly worstMs: number
}

/** Every move of a real guest, and what went wrong with them. */
export async function readRealGuests(
  control: string,
): Promise<{ readonly realGuests: readonly RealGuestMove[]; readonly realGuestTroubles: readonly string[] }> {
  const { moves, troubles } = await askLab<RealStory>(`${control}/real/guests`, 'what happened to its real guests')
  return { realGuests: moves, realGuestTroubles: troubles }
}

type RealStory = { readonly moves: readonly RealGuestMove[]; readonly troubles: readonly string[] }

const LOOKS_LIMIT = 20
const LOOKS_APART_MS = 250

/** What the client saw that wrote and verified objects in the real Ceph from before the story to its end. */
export async function readRealFigures(control: string): Promise<RealFigures> {
  const report = await askLab<Report>(`${control}/real`, 'what the verifying client saw')
  return {
    writes: report.writeCount,
    verified: report.verifyCount,
    errors: report.errorCount + report.mismatchCount,
    worstMs: report.worstMs,
    objectsMisplaced: report.misplacedAway ?? 'unmeasured',
    objectsMisplacedOnReturn: report.misplacedWhole ?? 'unmeasured',
  }
}

async function askLab<T>(url: string, what: string): Promise<T> {
  for (let looks = 1; ; looks++) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok === true) return (await answer.json()) as T
    if (looks >= LOOKS_LIMIT) throw new Error(`the lab does not tell ${what}`)
    await sleep(LOOKS_APART_MS)
  }
}
