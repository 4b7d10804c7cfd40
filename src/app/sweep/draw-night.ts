/** Draws a whole night from its seed: cluster, policy, people, hands, faults, crashes. Pure: the same seed, the same night. */
import { DEFAULT_STORY_POLICY, type StoryPolicy } from '#domain/policy'
import type { SnapshotFile } from '#drivers/snapshot/snapshot-schema'
import type { Chance, Streams } from './chance.ts'
import { streamsOf } from './chance.ts'
import { drawCluster } from './draw-cluster.ts'
import { DRAWN_KINDS, drawFault } from './draw-fault.ts'
import { drawPeople, drawWhen } from './draw-people.ts'
import type { DrawnNight, Part } from './drawn-night.ts'

/** Monday, eight o'clock. */
const MONDAY_MS = Date.UTC(2026, 10, 23, 8)
const HOUR_MS = 3_600_000
/** A kind that this cluster cannot have is drawn again so often. */
const KIND_TRIES = 8

export type DrawOptions = {
  /** So many faults more than chance gives: the rest of the night stays as it is. */
  readonly moreFaults?: number
}

export function drawNight(seed: number, { moreFaults = 0 }: DrawOptions = {}): DrawnNight {
  const streams = streamsOf(seed)
  const snapshot = drawCluster(streams)
  const node = streams('node').pick(snapshot.nodes).name
  const story = drawStoryPolicy(streams)
  return {
    format: 'coulisse/night@1',
    seed,
    startAtMs: MONDAY_MS + streams('start').below(48) * HOUR_MS,
    snapshot,
    story,
    storage: drawStorage(streams('storage')),
    parts: [
      ...drawStarts(streams, snapshot, node),
      ...drawPeople(streams, story.approvalsNeeded ?? DEFAULT_STORY_POLICY.approvalsNeeded),
      ...drawFaults(streams, { snapshot, node, moreFaults }),
      ...drawCrashes(streams),
    ],
  }
}

function drawStoryPolicy(streams: Streams): Partial<StoryPolicy> {
  const chance = streams('policy/story')
  return {
    approvalsNeeded: chance.isLikely(0.2) ? 2 : 1,
    revisionsNeedApproval: chance.isLikely(0.2),
    ...(chance.isLikely(0.15) ? { window: { fromHour: 8, toHour: chance.between(14, 20), weekdaysOnly: true } } : {}),
    gateLimitS: chance.pick([1, 2, 4]) * 3600,
    repairLimitS: chance.pick([2, 4, 8]) * 3600,
    soakS: chance.pick([60, 300, 900, 3600]),
    leaseS: chance.pick([1, 2, 4]) * 3600,
    cancelOverBudget: chance.isLikely(0.8),
    defaultPauseBudgetMs: chance.pick([250, 1000, 2000]),
  }
}

const drawStorage = (chance: Chance): DrawnNight['storage'] => ({
  nooutScope: chance.isLikely(0.85) ? 'host' : 'cluster',
  mayStopOsds: chance.isLikely(0.85),
})

/** An operator's word, or the watch that sees a fan drop out; now and then a second node wants one too. */
function drawStarts(streams: Streams, snapshot: SnapshotFile, node: string): readonly Part[] {
  const chance = streams('starts')
  const begins = `+1s: start ${node} FAN3 it rattles`
  const parts: Part[] = []
  if (chance.isLikely(0.03)) {
    const flap = { kind: 'fan-flap', node, part: 'FAN3', dropoutsPerDay: 20, dropoutS: 30 }
    parts.push({
      what: 'start',
      lines: [`+0s: fault ${JSON.stringify(flap)}`, '+1s: watch', `+4h: start ${node} FAN3 it rattles`],
    })
  } else parts.push({ what: 'start', lines: [begins] })
  const second = streams('starts/second')
  if (!second.isLikely(0.12)) return parts
  const other = second.pick(snapshot.nodes).name
  parts.push({ what: 'start', lines: [`+${second.between(60, 4 * 3600)}s: start ${other} FAN1 it rattles too`] })
  return parts
}

const FAULT_COUNTS = [0, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6] as const

function drawFaults(
  streams: Streams,
  {
    snapshot,
    node,
    moreFaults,
  }: { readonly snapshot: SnapshotFile; readonly node: string; readonly moreFaults: number },
): readonly Part[] {
  const count = streams('faults').pick(FAULT_COUNTS) + moreFaults
  const parts: Part[] = []
  for (let index = 0; index < count; index++) {
    const chance = streams(`fault/${index}`)
    const when = drawWhen(chance)
    for (let tries = 0; tries < KIND_TRIES; tries++) {
      const drawn = drawFault(chance, chance.pick(DRAWN_KINDS), { snapshot, node })
      if (drawn === undefined) continue
      const lines = [`${when.at(0)}: fault ${JSON.stringify(drawn.fault)}`]
      let mendedS = chance.isLikely(0.7) ? chance.between(60, 2400) : chance.between(60, 4 * 3600)
      for (const mend of drawn.mends) {
        lines.push(`${when.at(mendedS)}: fault ${JSON.stringify(mend)}`)
        mendedS += 60
      }
      parts.push({ what: 'fault', lines })
      break
    }
  }
  return parts
}

/** Between any two awaits, or while nothing happens. */
function drawCrashes(streams: Streams): readonly Part[] {
  const chance = streams('crashes')
  const parts: Part[] = []
  for (let count = chance.pick([0, 0, 1, 1, 2, 4]); count > 0; count--) {
    const after = chance.isLikely(0.8) ? ` after ${chance.between(1, 400)}` : ''
    parts.push({ what: 'crash', lines: [`${drawWhen(chance).at(0)}: crash${after}`] })
  }
  return parts
}
