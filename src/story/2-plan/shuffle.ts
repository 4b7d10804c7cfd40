/** The last resort of a drain: searches sequences of single moves, best first, where placing and ordering apart found no way. */
import type { MovePurpose } from '#domain/plan'
import { Board, type BoardInput, type Unit } from './board.ts'
import type { Hop } from './order.ts'

/** Looks at whether a unit fits, and states kept: the search ends there with the best it saw. */
const LOOKS_LIMIT = 200_000
const STATES_LIMIT = 20_000
/** What one guest left behind weighs against a resident away from home, a hop, and how far a guest is from fitting. */
const LEFT_WEIGHS = 8
const SHORT_WEIGHS = 4
const HOP_WEIGHS = 0.3

type State = {
  readonly places: readonly number[]
  readonly before: State | undefined
  readonly unit: Unit | undefined
  readonly to: number
  readonly hops: number
  readonly left: number
  readonly away: number
  readonly score: number
}

/** `board` stands at its start and ends where the hops lead. No hops: nothing better than staying was found. */
export function shuffle(board: Board, leaving: readonly Unit[]): readonly Hop[] {
  const drained = new Set(leaving.map(({ home }) => home))
  const movable = board.units.filter((unit) => board.candidatesOf(unit).length > 0)
  const start = stateOf(board, movable, leaving, drained, undefined)
  const heap = [start]
  const seen = new Set([start.places.join()])
  const search = { looks: LOOKS_LIMIT }
  let best = start
  while (heap.length > 0 && best.left > 0 && search.looks > 0 && seen.size < STATES_LIMIT) {
    const state = popLeast(heap)
    if (state === undefined) break
    goTo(board, movable, state)
    for (const child of childrenOf(board, { movable, leaving, drained, state, search })) {
      const key = child.places.join()
      if (seen.has(key)) continue
      seen.add(key)
      push(heap, child)
      if (child.left < best.left || (child.left === best.left && child.away < best.away)) best = child
    }
  }
  goTo(board, movable, start)
  return inSteps(board, pathTo(best), drained)
}

/**
 * Whether every state that single moves reach was looked at and leaves somebody behind: a proof that no order of moves empties the nodes.
 * False: there is one, or there are too many states. Cores count for nothing here: they are judged when a step has ended, so a step may
 * exchange them where single moves could not.
 */
export function isThereNoWay(input: BoardInput): boolean {
  const board = new Board({ ...input, relaxed: new Set([...(input.relaxed ?? []), 'cpu-short']) })
  const movable = board.units.filter((unit) => board.candidatesOf(unit).length > 0)
  const drained = new Set(input.drain.map((name) => board.indexOf(name)))
  const leaving = movable.filter(({ home }) => drained.has(home))
  const search = { looks: LOOKS_LIMIT }
  const waiting = [stateOf(board, movable, leaving, drained, undefined)]
  const seen = new Set([waiting[0]?.places.join()])
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    if (state.left === 0 || search.looks <= 0 || seen.size >= STATES_LIMIT) return false
    goTo(board, movable, state)
    for (const child of childrenOf(board, { movable, leaving, drained, state, search })) {
      const key = child.places.join()
      if (seen.has(key)) continue
      seen.add(key)
      waiting.push(child)
    }
  }
  return true
}

function* childrenOf(
  board: Board,
  at: {
    readonly movable: readonly Unit[]
    readonly leaving: readonly Unit[]
    readonly drained: ReadonlySet<number>
    readonly state: State
    readonly search: { looks: number }
  },
): Generator<State> {
  for (const unit of at.movable) {
    const from = board.placeOf(unit)
    for (const to of board.candidatesOf(unit)) {
      if (to === from) continue
      at.search.looks--
      if (!board.fits(unit, to)) continue
      // A state costs as much as it has units.
      at.search.looks -= at.movable.length
      board.relocate(unit, to)
      yield stateOf(board, at.movable, at.leaving, at.drained, { before: at.state, unit, to })
      board.relocate(unit, from)
    }
  }
}

function stateOf(
  board: Board,
  movable: readonly Unit[],
  leaving: readonly Unit[],
  drained: ReadonlySet<number>,
  last: { before: State; unit: Unit; to: number } | undefined,
): State {
  let left = 0
  let short = 0
  for (const unit of leaving) {
    if (board.placeOf(unit) !== unit.home) continue
    left += unit.guests.length
    short += shortOf(board, unit)
  }
  const away = movable.reduce(
    (sum, unit) => sum + (board.placeOf(unit) !== unit.home && !drained.has(unit.home) ? unit.guests.length : 0),
    0,
  )
  const hops = (last?.before.hops ?? 0) + (last === undefined ? 0 : 1)
  return {
    places: movable.map((unit) => board.placeOf(unit)),
    before: last?.before,
    unit: last?.unit,
    to: last?.to ?? 0,
    hops,
    left,
    away,
    score: left * LEFT_WEIGHS + short * SHORT_WEIGHS + away + hops * HOP_WEIGHS,
  }
}

/** From 0 (fits somewhere) to 1 (the roomiest node is full): leads the search to where room comes together. */
function shortOf(board: Board, unit: Unit): number {
  let least = 1
  for (const node of board.candidatesOf(unit)) {
    const shortBytes = (board.memory[node] ?? 0) + unit.memoryBytes - (board.memoryLimit[node] ?? 0)
    least = Math.min(least, Math.max(0, shortBytes) / Math.max(1, unit.memoryBytes))
  }
  return least
}

function goTo(board: Board, movable: readonly Unit[], state: State): void {
  for (const [index, unit] of movable.entries()) {
    const to = state.places[index] ?? unit.home
    if (board.placeOf(unit) !== to) board.relocate(unit, to)
  }
}

function pathTo(state: State): readonly { unit: Unit; to: number }[] {
  const path: { unit: Unit; to: number }[] = []
  for (let at: State | undefined = state; at?.unit !== undefined; at = at.before)
    path.push({ unit: at.unit, to: at.to })
  return path.toReversed()
}

/** Hops that follow each other share a step as long as all of them fit on both ends. */
function inSteps(
  board: Board,
  path: readonly { unit: Unit; to: number }[],
  drained: ReadonlySet<number>,
): readonly Hop[] {
  const hops: Hop[] = []
  let underway: Unit[] = []
  let step = 1
  for (const [index, { unit, to }] of path.entries()) {
    if (underway.includes(unit) || !board.fits(unit, to)) {
      for (const one of underway) board.end(one)
      underway = []
      step++
    }
    const isLast = !path.slice(index + 1).some((later) => later.unit === unit)
    hops.push({ step, unit, from: board.placeOf(unit), to, purpose: purposeOf(unit, isLast, drained) })
    board.begin(unit, to)
    underway.push(unit)
  }
  for (const one of underway) board.end(one)
  return hops
}

function purposeOf(unit: Unit, isLast: boolean, drained: ReadonlySet<number>): MovePurpose {
  if (!isLast) return 'park'
  return drained.has(unit.home) ? 'drain' : 'make-room'
}

function push(heap: State[], state: State): void {
  let at = heap.length
  heap.push(state)
  while (at > 0) {
    const up = (at - 1) >> 1
    const above = heap[up]
    if (above === undefined || above.score <= state.score) break
    heap[at] = above
    at = up
  }
  heap[at] = state
}

function popLeast(heap: State[]): State | undefined {
  const [least] = heap
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return least
  let at = 0
  for (;;) {
    let down = 2 * at + 1
    if ((heap[down + 1]?.score ?? Number.POSITIVE_INFINITY) < (heap[down]?.score ?? Number.POSITIVE_INFINITY)) down++
    const below = heap[down]
    if (below === undefined || below.score >= last.score) break
    heap[at] = below
    at = down
  }
  heap[at] = last
  return least
}
