/** Chooses how a plan's moves stream: how many at once, the long ones first, and guests that write much by themselves. */
import type { ForecastModel } from '#domain/plan'
import { type DraftMove, type Forecast, forecast, isLess, overruns, RESTART_S, weightOf } from './forecast.ts'

export type Schedule = Forecast & { readonly parallel: number }

const PARALLEL_LIMIT = 8
/** One more stream has to shorten the plan by this part: guests write faster than they did when they were measured. */
const WORTH = 0.002
/** Taking one hot guest out changes what the others are paused: so often is looked again. */
const CARE_ROUNDS_LIMIT = 4

type Judged = Forecast & { readonly figures: readonly number[] }

/**
 * Fewest budget overruns, then least pause weighed by what the owners accept, then the shortest plan. A pause within half its budget
 * weighs nothing, or one stream at a time would always win by a few milliseconds. Moves get new steps where a guest is moved alone.
 */
export function scheduleMoves(moves: readonly DraftMove[], model: ForecastModel, wanted: number | 'auto'): Schedule {
  const counts = wanted === 'auto' ? Array.from({ length: PARALLEL_LIMIT }, (_, index) => index + 1) : [wanted]
  let best: (Judged & { readonly parallel: number }) | undefined
  for (const parallel of counts) {
    const one = withCare(moves, model, parallel)
    if (best === undefined || isLess(one.figures, best.figures)) best = { ...one, parallel }
    // More streams than moves are no other schedule.
    if (parallel >= moves.length) break
  }
  return { moves: best?.moves ?? [], makespanS: best?.makespanS ?? 0, parallel: best?.parallel ?? 1 }
}

/** The quiet guests stream together; whoever would be paused for long among them gets the links for himself, in a step of his own. */
function withCare(moves: readonly DraftMove[], model: ForecastModel, parallel: number): Judged {
  let best = judged(longestFirst(moves, model), model, parallel)
  const alone = new Set<string>()
  for (let round = 0; parallel > 1 && round < CARE_ROUNDS_LIMIT; round++) {
    const hot = best.moves.filter((move) => weightOf(move) > 0).map(({ guest }) => guest.vmid)
    const keys = moves.filter(({ guest }) => hot.includes(guest.vmid)).map(keyOf)
    if (keys.every((key) => alone.has(key))) break
    for (const key of keys) alone.add(key)
    const next = judged(longestFirst(setApart(moves, alone), model), model, parallel)
    if (!isLess(next.figures, best.figures)) break
    best = next
  }
  return best
}

function judged(moves: readonly DraftMove[], model: ForecastModel, parallel: number): Judged {
  const one = forecast(moves, model, parallel)
  const pause = one.moves.reduce((sum, move) => sum + weightOf(move), 0)
  return { ...one, figures: [overruns(one.moves).length, pause, one.makespanS * (1 + WORTH * parallel)] }
}

/** Of what moves as one, in the step that it was given. */
const keyOf = ({ step, unit, guest }: DraftMove): string =>
  `${step} ${unit === undefined ? `guest ${guest.vmid}` : unit}`

/**
 * What begins late is short, so that the streams end together. Of several nodes that are emptied at once, the one with the most left to
 * copy over its link is served first, so that no link is idle in the end.
 */
function longestFirst(moves: readonly DraftMove[], model: ForecastModel): readonly DraftMove[] {
  const steps = [...Map.groupBy(moves, ({ step }) => step)].toSorted(([a], [b]) => a - b)
  return steps.flatMap(([, group]) => bySource(group, model))
}

function bySource(moves: readonly DraftMove[], model: ForecastModel): readonly DraftMove[] {
  const queues = [...Map.groupBy(moves, ({ source }) => source)].map(([{ linkBitsPerSecond }, group]): Queue => {
    const waiting = group
      .map((move) => ({ move, aloneS: aloneSeconds(move, model) }))
      .toSorted((a, b) => a.aloneS - b.aloneS || b.move.guest.vmid - a.move.guest.vmid)
    const overLinkS = group.reduce((sum, move) => sum + (bytesOf(move) * 8) / linkBitsPerSecond, 0)
    return { waiting, linkBitsPerSecond, overLinkS }
  })
  return moves.flatMap(() => {
    const open = queues.filter(({ waiting }) => waiting.length > 0)
    const next = open.reduce((most, queue) => (queue.overLinkS > most.overLinkS ? queue : most), open[0] as Queue)
    const taken = next.waiting.pop()
    if (taken === undefined) return []
    next.overLinkS -= (bytesOf(taken.move) * 8) / next.linkBitsPerSecond
    return [taken.move]
  })
}

/** The moves away from one node, the shortest first. */
type Queue = {
  readonly waiting: { readonly move: DraftMove; readonly aloneS: number }[]
  readonly linkBitsPerSecond: number
  overLinkS: number
}

const bytesOf = ({ mode, guest, diskBytes }: DraftMove): number =>
  diskBytes + (mode === 'offline' ? 0 : guest.residentBytes)

function aloneSeconds(move: DraftMove, model: ForecastModel): number {
  const { mode, source, target } = move
  const bitsPerSecond = Math.min(model.streamBitsPerSecond, source.linkBitsPerSecond, target.linkBitsPerSecond)
  return model.fixedSecondsPerMove + (mode === 'restart' ? RESTART_S : 0) + (bytesOf(move) * 8) / bitsPerSecond
}

/**
 * Every step becomes one with the quiet moves and, after it, steps with the others, each with links that nobody else in it uses. Nobody
 * counts on both ends for longer than before, so every rule that held in the one step holds in its parts.
 */
function setApart(moves: readonly DraftMove[], alone: ReadonlySet<string>): readonly DraftMove[] {
  const apart: DraftMove[] = []
  let step = 0
  const steps = [...Map.groupBy(moves, (move) => move.step)].toSorted(([a], [b]) => a - b)
  for (const [, group] of steps) {
    const quiet = group.filter((move) => !alone.has(keyOf(move)))
    const hot = [
      ...Map.groupBy(
        group.filter((move) => alone.has(keyOf(move))),
        keyOf,
      ).values(),
    ]
    for (const part of [...(quiet.length > 0 ? [quiet] : []), ...onLinksOfTheirOwn(hot)]) {
      step++
      apart.push(...part.map((move) => ({ ...move, step })))
    }
  }
  return apart
}

function onLinksOfTheirOwn(units: readonly (readonly DraftMove[])[]): readonly (readonly DraftMove[])[] {
  const parts: { moves: DraftMove[]; nodes: Set<string> }[] = []
  for (const unit of units) {
    const nodes = unit.flatMap(({ source, target }) => [source.name, target.name])
    const free = parts.find((part) => nodes.every((name) => !part.nodes.has(name)))
    if (free === undefined) parts.push({ moves: [...unit], nodes: new Set(nodes) })
    else {
      free.moves.push(...unit)
      for (const name of nodes) free.nodes.add(name)
    }
  }
  return parts.map((part) => part.moves)
}
