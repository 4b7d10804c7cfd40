/** What one rehearsed night came to: how long everything took, who was paused for how long, and why it was not done. */
import type { Event, JournalRow } from '#domain/event'
import { type Ending, STAGES, type Stage } from '#domain/maintenance'
import type { NightResult } from '../night/play.ts'

export type NightFigures = {
  readonly seed: number
  /** none: the night broke, by a bug of ours. */
  readonly ending: Ending | 'none'
  /** In one line; for what was not done: the blockers it stood at, or the words it ended with. */
  readonly text: string
  /** From the first move to the last of the drain; absent: nobody was moved. */
  readonly movesS?: number
  /** With maintenance mode, every wait and the proof; absent: the node was not emptied. */
  readonly drainS?: number
  readonly wholeS: number
  readonly stagesS: Readonly<Partial<Record<Stage, number>>>
  /** As the hypervisor measured them, live moves of the drain and home. */
  readonly pausesMs: readonly number[]
  readonly unmeasuredPauses: number
  readonly pausesOverBudget: number
  /** The longest time for which a container was away, as the world knows it; absent: none was restarted. */
  readonly longestRestartMs?: number
  readonly failedMoves: number
  readonly revisions: number
  /** Guests that ended elsewhere than where they began. */
  readonly awayFromHome: number
  readonly brokenPromises: readonly string[]
  /** What struck, in words. */
  readonly faults: readonly string[]
}

export function figuresOf(night: NightResult, seed: number, faults: readonly string[]): NightFigures {
  const { rows, lab } = night
  const first = rows[0]?.atMs ?? 0
  const movesS = spanOfMoves(rows)
  const drainS = spanOfDrain(rows)
  const longestRestartMs = longestRestart(night)
  const ended = lastOf(rows, 'maintenance-ended')
  return {
    seed,
    ending: ended?.ending ?? 'none',
    text: ended === undefined ? 'it has no end' : ended.ending === 'done' ? ended.text : whyNotDone(rows, ended.text),
    ...(movesS === undefined ? {} : { movesS }),
    ...(drainS === undefined ? {} : { drainS }),
    wholeS: ((rows.at(-1)?.atMs ?? first) - first) / 1000,
    stagesS: stagesOf(rows),
    ...pausesOf(rows),
    ...(longestRestartMs === undefined ? {} : { longestRestartMs }),
    failedMoves: rows.filter(({ event }) => hasFailed(event)).length,
    revisions: Math.max(0, rows.filter(({ event }) => event.kind === 'plan-proposed').length - 1),
    awayFromHome: Object.values(lab.state.guests).filter(({ node, spec }) => node !== spec.node).length,
    brokenPromises: lab.state.brokenPromises.map(({ promise, text }) => `${promise}: ${text}`),
    faults,
  }
}

type EventOf<K extends Event['kind']> = Extract<Event, { kind: K }>

function lastOf<K extends Event['kind']>(rows: readonly JournalRow[], kind: K): EventOf<K> | undefined {
  return rows.findLast(({ event }) => event.kind === kind)?.event as EventOf<K> | undefined
}

const hasFailed = (event: Event) =>
  event.kind === 'did' && event.act.kind === 'migrate' && event.outcome.is === 'failed'

/** The gate that was still closed says more than the words that a limit ends with. */
function whyNotDone(rows: readonly JournalRow[], text: string): string {
  const gate = rows.findLast(({ event }) => event.kind === 'gate-closed' || event.kind === 'gate-opened')?.event
  if (gate?.kind !== 'gate-closed') return text
  const kinds = [...new Set(gate.blockers.map(({ kind }) => kind))].sort()
  return `${gate.stage} waited for ${kinds.join(', ')}`
}

function spanOfMoves(rows: readonly JournalRow[]): number | undefined {
  const drains = rows.filter(
    ({ event }) =>
      (event.kind === 'intends' || event.kind === 'did') &&
      event.act.kind === 'migrate' &&
      event.act.purpose !== 'home',
  )
  const [first, last] = [drains[0], drains.at(-1)]
  return first === undefined || last === undefined ? undefined : (last.atMs - first.atMs) / 1000
}

function spanOfDrain(rows: readonly JournalRow[]): number | undefined {
  const began = rows.find(({ event }) => event.kind === 'stage-began' && event.stage === 'drain')
  const empty = rows.find(({ event }) => event.kind === 'node-empty')
  return began === undefined || empty === undefined ? undefined : (empty.atMs - began.atMs) / 1000
}

/** A stage that was played twice counts with both. */
function stagesOf(rows: readonly JournalRow[]): Partial<Record<Stage, number>> {
  const spans: Partial<Record<Stage, number>> = {}
  for (const stage of STAGES) {
    let beganMs: number | undefined
    for (const { atMs, event } of rows) {
      if (event.kind === 'stage-began' && event.stage === stage) beganMs = atMs
      if (event.kind !== 'stage-ended' || event.stage !== stage || beganMs === undefined) continue
      spans[stage] = (spans[stage] ?? 0) + (atMs - beganMs) / 1000
      beganMs = undefined
    }
  }
  return spans
}

function pausesOf(rows: readonly JournalRow[]) {
  const pausesMs: number[] = []
  let unmeasuredPauses = 0
  let pausesOverBudget = 0
  for (const { event } of rows) {
    if (event.kind === 'pause-over-budget') pausesOverBudget++
    if (event.kind !== 'did' || event.act.kind !== 'migrate' || event.act.mode !== 'live') continue
    if (event.outcome.is === 'failed') continue
    const { measured } = event.outcome
    if (measured === undefined || measured === 'unmeasured') unmeasuredPauses++
    else pausesMs.push(measured.blackoutMs)
  }
  return { pausesMs, unmeasuredPauses, pausesOverBudget }
}

function longestRestart({ lab }: NightResult): number | undefined {
  const spans = Object.values(lab.state.guests).flatMap(({ interruptions }) =>
    interruptions.flatMap(({ why, fromMs, toMs }) => (why === 'restart' && toMs !== undefined ? [toMs - fromMs] : [])),
  )
  return spans.length === 0 ? undefined : Math.round(Math.max(...spans))
}
