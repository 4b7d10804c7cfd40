/** One rehearsed night: the whole story on a twin, approved as a person would approve it. */
import type { JournalRow } from '#domain/event'
import type { NodeName } from '#domain/ids'
import { DEFAULT_STORY_POLICY, type StoryPolicy } from '#domain/policy'
import { renderLogLine } from '#domain/render'
import { renderLog } from '#domain/render-log'
import type { Snapshot } from '#domain/snapshot'
import { playNight } from '../night/play.ts'
import { parseScript, type ScriptLine } from '../night/script.ts'
import { figuresOf, type NightFigures } from './night-figures.ts'
import { twinOf } from './twin.ts'
import { typicalFaults } from './typical-faults.ts'

export type Faults = 'none' | 'typical'

/** What is rehearsed: plain values, for it goes into worker threads. */
export type Setting = {
  readonly snapshot: Snapshot
  readonly node: NodeName
  readonly faults: Faults
  /** The story's own rules; those of the snapshot for planning win over its `plan`. */
  readonly policy?: StoryPolicy
}

export type LoggedEvent = {
  readonly seq: number
  /** RFC 3339, by the twin's clock. */
  readonly at: string
  readonly atS: number
  /** The row as people read it. */
  readonly line: string
  readonly event: JournalRow['event']
}

export type Rehearsed = {
  readonly figures: NightFigures
  readonly events: readonly LoggedEvent[]
  /** As `journal` prints it. */
  readonly log: readonly string[]
}

/** A gate before the first move that nobody opens in this time stays closed; a window may be some days away. */
const GIVES_UP_AFTER_H = 6
const GIVES_UP_AFTER_H_WITH_WINDOW = 96

/** Throws when the night never ends: a bug of ours. */
export async function playTwin(setting: Setting, seed: number): Promise<Rehearsed> {
  const { snapshot, node, faults, policy = DEFAULT_STORY_POLICY } = setting
  const struck = faults === 'typical' ? typicalFaults(snapshot, node, seed) : { script: [], names: [] }
  const night = await playNight({
    ...twinOf(snapshot, seed),
    policy: { ...policy, plan: snapshot.policy },
    script: numbered([...parseScript(peopleOf(node, policy, snapshot)), ...struck.script]),
  })
  const startMs = snapshot.cluster.observedAtMs
  return {
    figures: figuresOf(night, seed, struck.names),
    events: night.rows.map((row) => ({
      seq: row.seq,
      at: new Date(row.atMs).toISOString(),
      atS: (row.atMs - startMs) / 1000,
      line: renderLogLine({ row, startMs }),
      event: row.event,
    })),
    log: renderLog(night.rows, startMs),
  }
}

/** Every plan is approved after two minutes, by as many as policy wants; nothing is lifted that the policy does not lift. */
function peopleOf(node: NodeName, policy: StoryPolicy, { policy: { lifted } }: Snapshot): string {
  const lifts = lifted.length === 0 ? '' : ` lift ${lifted.join(' ')}`
  const approvers = Array.from({ length: policy.approvalsNeeded }, (_, index) => `approver-${index + 1}`)
  const hours = policy.window === undefined ? GIVES_UP_AFTER_H : GIVES_UP_AFTER_H_WITH_WINDOW
  return [
    `+0s: start ${node} node a rehearsal`,
    ...approvers.map((by) => `each plan-proposed +2m: approve as ${by}${lifts}`),
    `+${hours}h: reject nobody lifted what it waits for`,
  ].join('\n')
}

/** Lines are told apart by their number. */
const numbered = (lines: readonly ScriptLine[]): readonly ScriptLine[] =>
  lines.map((one, index) => ({ ...one, line: index + 1 }))
