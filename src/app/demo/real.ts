/** What `demo --real` needs besides the demo: programs that it installs, daemons that a killed lab left, the client's figures. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { installReal } from '#lab/real/preflight'
import { endRealParts } from '#lab/real/real-parts'
import type { RealFigures } from './summary.ts'

const folderIn = (stateDir: string) => join(stateDir, 'lab', 'real')

/** Throws in words for a person where the machine is no Debian, or we are not root. */
export const prepareReal = (log: (line: string) => void): Promise<void> => installReal({ log })

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

const LOOKS_LIMIT = 20
const LOOKS_APART_MS = 250

/** What the client saw that wrote and verified objects in the real Ceph from before the story to its end. */
export async function readRealFigures(control: string): Promise<RealFigures> {
  for (let looks = 1; ; looks++) {
    const answer = await fetch(`${control}/real`).catch(() => undefined)
    if (answer?.ok === true) {
      const report = (await answer.json()) as Report
      return {
        writes: report.writeCount,
        verified: report.verifyCount,
        errors: report.errorCount + report.mismatchCount,
        worstMs: report.worstMs,
        objectsMisplaced: report.misplacedAway ?? 'unmeasured',
        objectsMisplacedOnReturn: report.misplacedWhole ?? 'unmeasured',
      }
    }
    if (looks >= LOOKS_LIMIT) throw new Error('the lab does not tell what the verifying client saw')
    await sleep(LOOKS_APART_MS)
  }
}
