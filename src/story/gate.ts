/** A gate: the story waits there, saying all it waits for, until every blocker is gone or lifted by name. */
import { BLOCKERS, type Blocker, withoutLifted } from '#domain/blocker'
import { DriverError } from '#domain/driver-error'
import type { Stage } from '#domain/maintenance'
import { attend, look, note, type Story, StoryStopped } from './story.ts'

export type Gate = {
  readonly stage: Stage
  readonly ask: () => Promise<readonly Blocker[]>
  readonly everyMs?: number
  readonly limitMs?: number
  /** Something that the story itself can do about a blocker between two looks; true when it did. */
  readonly mend?: (blockers: readonly Blocker[]) => Promise<boolean>
}

const GATE_LOOK_EVERY_MS = 20_000

export const liftsOf = (kind: Blocker['kind']) =>
  BLOCKERS[kind].liftable ? `an approver may lift ${kind} by name` : 'nobody: it must change in the world'

/** A look that fails is a blocker too: nothing is touched while a state is unknown. */
export async function askSafely(ask: () => Promise<readonly Blocker[]>): Promise<readonly Blocker[]> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    const kind = error.driver === 'ceph' ? 'ceph-unreachable' : 'cluster-unreachable'
    return [{ kind, text: error.message, lifts: 'it answers again' }]
  }
}

/** Resolves when no blocker is left. StoryStopped when the limit passes, AbortAsked when a person says so. */
export async function passGate(story: Story, gate: Gate): Promise<void> {
  const beganMs = await story.saga.nowMs()
  const limitMs = gate.limitMs ?? story.input.policy.gateLimitS * 1000
  let shown = ''
  for (;;) {
    const blockers = await look(story, `the conditions of ${gate.stage}`, () => askSafely(gate.ask))
    const standing = withoutLifted(blockers, story.heard.lifted)
    const nowMs = await story.saga.nowMs()
    if (standing.length === 0) {
      if (shown !== '') await note(story, { kind: 'gate-opened', stage: gate.stage, waitedMs: nowMs - beganMs })
      return
    }
    const text = standing.map((blocker) => `${blocker.kind}: ${blocker.text}`).join('\n')
    if (text !== shown) await note(story, { kind: 'gate-closed', stage: gate.stage, blockers: standing })
    shown = text
    if (nowMs - beganMs >= limitMs) {
      const kinds = [...new Set(standing.map(({ kind }) => kind))].join(', ')
      throw new StoryStopped(`waited ${Math.round(limitMs / 60_000)} min at the gate of ${gate.stage}: ${kinds}`)
    }
    await story.heard.keepUp()
    if (await gate.mend?.(standing)) continue
    await attend(story, nowMs + (gate.everyMs ?? GATE_LOOK_EVERY_MS))
  }
}
