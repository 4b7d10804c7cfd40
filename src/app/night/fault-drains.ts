/** Drains through a bad way, one a seed: what became of them, of their requests, and of the promises. */
import type { JournalRow } from '#domain/event'
import { drawAt } from '#domain/random'
import type { Snapshot } from '#domain/snapshot'
import { HARSH_WAY, type WayFigures } from '#lab/wire/fault-proxy'
import { type BadWay, badWay } from './bad-way.ts'
import { playNight } from './play.ts'
import { parseScript } from './script.ts'

export type FaultDrain = {
  readonly seed: number
  /** 'done': the node is proven empty. Else how the whole maintenance ended. */
  readonly ending: string
  readonly text: string
  readonly way: WayFigures
  readonly broken: readonly string[]
  readonly startedTwice: readonly number[]
  readonly worldS: number
}

/** One in so many is aborted on the way, so that its homecoming meets the same way. */
const ABORTED_ONE_IN = 8
const ABORTED_WITHIN_S = 90

/** `node`: the one that is drained. Ends when it is proven empty, or when the maintenance has ended otherwise. */
export async function playFaultDrain(snapshot: Snapshot, node: string, seed: number): Promise<FaultDrain> {
  let way: BadWay | undefined
  const lines = [`+0s: start ${node} FAN3 it rattles`, 'each plan-proposed +30s: approve']
  const isAborted = Math.floor(drawAt(seed, 'drain/aborted', 0) * ABORTED_ONE_IN) === 0
  const abortS = Math.floor(drawAt(seed, 'drain/abort-at', 0) * ABORTED_WITHIN_S)
  if (isAborted) lines.push(`after stage-began drain +${abortS}s: abort the customer says no`)
  let isEmpty = false
  const endsWith = ({ event }: JournalRow) => {
    if (event.kind === 'stage-ended' && event.stage === 'drain') isEmpty = true
    return isEmpty
  }
  const night = await playNight({
    snapshot,
    seed,
    script: parseScript(lines.join('\n')),
    endsWith,
    outside: async (lab, clock) => {
      way = await badWay(lab, clock, { seed, faults: HARSH_WAY })
      return way
    },
  })
  const { state } = night.lab
  const end = night.rows.findLast(({ event }) => event.kind === 'maintenance-ended')?.event
  return {
    seed,
    ending: isEmpty ? 'done' : night.ending,
    text: end?.kind === 'maintenance-ended' ? end.text : '',
    way: { ...(way as BadWay).proxy.figures },
    broken: state.brokenPromises.map(({ promise, text }) => `${promise}: ${text}`),
    startedTwice: state.startedTwice,
    worldS: Math.round((night.endedAtMs - state.startedAtMs) / 1000),
  }
}
