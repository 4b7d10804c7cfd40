/** Rehearses a drain on twins of a cluster: the planner's plan, the whole story, many seeds, and how far they spread. */
import type { Blocker } from '#domain/blocker'
import { type NodeName, planId } from '#domain/ids'
import type { Ending } from '#domain/maintenance'
import type { Plan } from '#domain/plan'
import { proposePlan } from '#plan/decide'
import type { NightFigures } from './night-figures.ts'
import type { LoggedEvent, Setting } from './play-twin.ts'
import type { Played } from './rehearse-worker.ts'
import { type Spread, spreadOf } from './spread.ts'
import { Threads } from './threads.ts'

export type RehearsalRequest = Setting & {
  /** The first seed, and how many from it on. */
  readonly seed: number
  readonly seeds: number
  readonly threads?: number
  readonly onProgress?: (playedCount: number) => void
}

/** Figures of all nights; absent where none of them has such a figure. */
export type Spreads = {
  /** From the first move to the last: what the plan's makespan forecasts. */
  readonly movesS?: Spread
  /** With maintenance mode, waits, and the proof that the node is empty. */
  readonly drainS?: Spread
  /** Every guest home again, by the nights that came so far. */
  readonly homeS?: Spread
  /** Work order, hands, repair. */
  readonly repairS?: Spread
  /** From the finding to the last report. */
  readonly wholeS?: Spread
  /** One figure a night: its longest. */
  readonly longestPauseMs?: Spread
  /** Every live move of every night. */
  readonly pauseMs?: Spread
  readonly pausesOverBudget?: Spread
  readonly longestRestartMs?: Spread
}

export type NotDone = {
  readonly ending: NightFigures['ending']
  readonly why: string
  readonly count: number
  readonly seeds: readonly number[]
}

/** Every figure of it is simulated; only `plan` is the planner's own. */
export type Rehearsal = {
  readonly simulated: true
  readonly node: NodeName
  readonly plan: Plan
  /** The plan's; or, where the plan has none, those that kept the story from its first move. Then no more nights are played. */
  readonly blockers: readonly Blocker[]
  readonly nights: readonly NightFigures[]
  readonly spreads: Spreads
  readonly endings: Readonly<Partial<Record<Ending | 'none', number>>>
  readonly notDone: readonly NotDone[]
  /** Of the first seed. */
  readonly events: readonly LoggedEvent[]
  readonly log: readonly string[]
}

/** Equal requests give equal answers. Nothing outside this process is touched. */
export async function rehearse(request: RehearsalRequest): Promise<Rehearsal> {
  const plan = planFor(request)
  if (plan.blockers.length > 0) return summed(request, plan, plan.blockers, [])
  const { seed, seeds, onProgress } = request
  let count = 0
  const onPlayed = () => onProgress?.(++count)
  const wishes = Array.from({ length: seeds }, (_, index) => ({ seed: seed + index, withEvents: index === 0 }))
  const threads = new Threads(settingOf(request), request.threads)
  try {
    const first = await threads.play(wishes.slice(0, 1), onPlayed)
    // What keeps the story from beginning is the same in every twin: only faults differ.
    const standing = request.faults === 'none' ? standingBefore(first[0]) : []
    if (standing.length > 0) return summed(request, plan, standing, first)
    return summed(request, plan, [], [...first, ...(await threads.play(wishes.slice(1), onPlayed))])
  } finally {
    await threads.close()
  }
}

const settingOf = ({ snapshot, node, faults, policy }: RehearsalRequest): Setting => ({
  snapshot,
  node,
  faults,
  ...(policy === undefined ? {} : { policy }),
})

/** What `plan` says of the same snapshot. */
function planFor({ snapshot: { cluster, ceph, policy }, node }: RehearsalRequest): Plan {
  const id = planId(`rehearsal-of-${node}`)
  return proposePlan({ cluster, ceph, drain: [node], policy, revision: 1, id })
}

/** The blockers of the gate before the first move that never opened. */
function standingBefore(first: Played | undefined): readonly Blocker[] {
  if (first?.is !== 'played' || first.night.figures.ending !== 'failed') return []
  const gate = first.night.events.findLast(({ event }) => event.kind === 'gate-closed' || event.kind === 'gate-opened')
  return gate?.event.kind === 'gate-closed' ? gate.event.blockers : []
}

function summed(
  { node }: RehearsalRequest,
  plan: Plan,
  blockers: readonly Blocker[],
  played: readonly Played[],
): Rehearsal {
  const nights = played.map((one) => (one.is === 'played' ? one.night.figures : brokenNight(one)))
  const [first] = played
  const endings: Partial<Record<Ending | 'none', number>> = {}
  for (const { ending } of nights) endings[ending] = (endings[ending] ?? 0) + 1
  return {
    simulated: true,
    node,
    plan,
    blockers,
    nights,
    spreads: spreadsOf(nights),
    endings,
    notDone: notDoneOf(nights),
    events: first?.is === 'played' ? first.night.events : [],
    log: first?.is === 'played' ? first.night.log : [],
  }
}

const brokenNight = ({ seed, text }: Extract<Played, { is: 'broke' }>): NightFigures => ({
  seed,
  ending: 'none',
  text,
  wholeS: 0,
  stagesS: {},
  pausesMs: [],
  unmeasuredPauses: 0,
  pausesOverBudget: 0,
  failedMoves: 0,
  revisions: 0,
  awayFromHome: 0,
  brokenPromises: [],
  faults: [],
})

function spreadsOf(nights: readonly NightFigures[]): Spreads {
  const played = nights.filter(({ ending }) => ending !== 'none')
  const done = played.filter(({ ending }) => ending === 'done')
  const pausesMs = played.flatMap((night) => night.pausesMs)
  const figures: Record<keyof Spreads, readonly number[]> = {
    movesS: played.flatMap(({ movesS }) => movesS ?? []),
    drainS: played.flatMap(({ drainS }) => drainS ?? []),
    homeS: played.flatMap(({ stagesS }) => stagesS.reintegrate ?? []),
    repairS: played.flatMap(({ stagesS }) => stagesS.repair ?? []),
    wholeS: done.map(({ wholeS }) => wholeS),
    longestPauseMs: played.flatMap((night) => (night.pausesMs.length === 0 ? [] : [largest(night.pausesMs)])),
    pauseMs: pausesMs,
    pausesOverBudget: played.map((night) => night.pausesOverBudget),
    longestRestartMs: played.flatMap(({ longestRestartMs }) => longestRestartMs ?? []),
  }
  return Object.fromEntries(
    Object.entries(figures).flatMap(([name, all]) => {
      const spread = spreadOf(all)
      return spread === undefined ? [] : [[name, spread]]
    }),
  )
}

const largest = (figures: readonly number[]) => figures.reduce((most, one) => Math.max(most, one), 0)

/** Those that occurred most often first. */
function notDoneOf(nights: readonly NightFigures[]): readonly NotDone[] {
  const open = nights.filter(({ ending }) => ending !== 'done')
  const groups = Map.groupBy(open, ({ ending, text }) => `${ending}: ${text}`)
  return [...groups.values()]
    .map((group) => ({
      ending: group[0]?.ending ?? 'none',
      why: group[0]?.text ?? '',
      count: group.length,
      seeds: group.map(({ seed }) => seed),
    }))
    .sort((a, b) => b.count - a.count)
}
