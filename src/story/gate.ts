/** A gate: the story waits there, saying all it waits for, until every blocker is gone or lifted by name. */
import { type Blocker, withoutLifted } from '#domain/blocker'
import { DriverError } from '#domain/driver-error'
import type { Stage } from '#domain/maintenance'
import { notify } from './notify.ts'
import { attend, keepUp, look, note, type Story, StoryStopped, unreachable } from './story.ts'

export type Gate = {
  readonly stage: Stage
  readonly ask: () => Promise<readonly Blocker[]>
  readonly everyMs?: number
  readonly limitMs?: number
  /** So long it is no gate but the time that the thing takes: nobody is told. */
  readonly quietMs?: number
  /** Something that the story itself can do about a blocker between two looks; true when it did. */
  readonly mend?: (blockers: readonly Blocker[]) => Promise<boolean>
}

const GATE_LOOK_EVERY_MS = 20_000
/** A gate that is closed for longer is told to the operator: what mends itself needs nobody out of bed. */
const TELL_AFTER_MS = 5 * 60_000

/** A look that fails is a blocker too: nothing is touched while a state is unknown. */
export async function askSafely(ask: () => Promise<readonly Blocker[]>): Promise<readonly Blocker[]> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return [unreachable(error)]
  }
}

/** Figures drift from look to look: another count of the same blocker is not another gate. */
export const essenceOf = (blockers: readonly Blocker[]) =>
  blockers.map(({ kind, text }) => `${kind}: ${text.replace(/\d+(\.\d+)?/g, '#')}`).join('\n')

async function tellOfGate(story: Story, stage: Stage, standing: readonly Blocker[]): Promise<true> {
  const kinds = [...new Set(standing.map(({ kind }) => kind))].join(', ')
  const text = standing.map((one) => `${one.text}\nlifted by: ${one.lifts}`).join('\n\n')
  await notify(story, { audience: 'operator', subject: `${story.input.node}: ${stage} waits: ${kinds}`, text })
  return true
}

/** Resolves when no blocker is left. StoryStopped when the limit passes, AbortAsked when a person says so. */
export async function passGate(story: Story, gate: Gate): Promise<void> {
  const beganMs = await story.saga.nowMs()
  const limitMs = gate.limitMs ?? story.input.policy.gateLimitS * 1000
  let shown = ''
  let isTold = false
  for (;;) {
    const blockers = await look(story, `the conditions of ${gate.stage}`, () => askSafely(gate.ask))
    const standing = withoutLifted(blockers, story.heard.lifted)
    const nowMs = await story.saga.nowMs()
    if (standing.length === 0) {
      if (shown !== '') await note(story, { kind: 'gate-opened', stage: gate.stage, waitedMs: nowMs - beganMs })
      return
    }
    const isQuiet = nowMs - beganMs < (gate.quietMs ?? 0)
    const text = isQuiet ? '' : essenceOf(standing)
    if (text !== shown) await note(story, { kind: 'gate-closed', stage: gate.stage, blockers: standing })
    shown = text
    if (!isTold && nowMs - beganMs >= TELL_AFTER_MS + (gate.quietMs ?? 0))
      isTold = await tellOfGate(story, gate.stage, standing)
    if (nowMs - beganMs >= limitMs) {
      const kinds = [...new Set(standing.map(({ kind }) => kind))].join(', ')
      throw new StoryStopped(`waited ${Math.round(limitMs / 60_000)} min at the gate of ${gate.stage}: ${kinds}`)
    }
    await keepUp(story)
    if (await gate.mend?.(standing)) continue
    await attend(story, nowMs + (gate.everyMs ?? GATE_LOOK_EVERY_MS))
  }
}
