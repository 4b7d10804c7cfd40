/** Puts moves in an order in which every rule holds at every moment, with a hop over a third node where a circle needs one. */
import type { MovePurpose } from '#domain/plan'
import type { Board, Unit } from './board.ts'

export type Hop = {
  readonly step: number
  readonly unit: Unit
  readonly from: number
  readonly to: number
  readonly purpose: MovePurpose
}

export type Order = { readonly hops: readonly Hop[]; readonly stuck: readonly Unit[] }

const STEPS_LIMIT = 200
/** A unit hops aside at most so often. */
const PARKS_LIMIT = 2

/**
 * Brings the units on the board (at their start) to their targets. A unit counts on both ends while its step runs, so what one
 * leaves free is only there for the next step.
 */
export function orderMoves(
  board: Board,
  wanted: ReadonlyMap<Unit, number>,
  purposeOf: (unit: Unit) => MovePurpose,
): Order {
  const stuck: Unit[] = []
  for (let left = wanted; ; left = new Map([...left].filter(([unit]) => !stuck.includes(unit)))) {
    const order = orderOnce(board, left, purposeOf)
    stuck.push(...order.stuck)
    const isStrewn = order.stuck.length > 0 && order.hops.some(({ purpose }) => purpose === 'park')
    if (!isStrewn) return { hops: order.hops, stuck }
    // Who hopped aside for nothing would stay there: all goes back, and those who are stuck are not tried again.
    for (const { unit, from } of order.hops.toReversed()) board.relocate(unit, from)
  }
}

function orderOnce(board: Board, wanted: ReadonlyMap<Unit, number>, purposeOf: (unit: Unit) => MovePurpose): Order {
  const hops: Hop[] = []
  const parks = new Map<Unit, number>()
  const makesRoom = (unit: Unit) => (purposeOf(unit) === 'make-room' ? 0 : 1)
  let pending = [...wanted.keys()].toSorted(
    (a, b) => makesRoom(a) - makesRoom(b) || b.memoryBytes - a.memoryBytes || a.index - b.index,
  )
  for (let step = 1; pending.length > 0 && step <= STEPS_LIMIT; step++) {
    const now = pending.filter((unit) => {
      const to = wanted.get(unit) ?? unit.home
      if (!board.fits(unit, to)) return false
      hops.push({ step, unit, from: board.placeOf(unit), to, purpose: purposeOf(unit) })
      board.begin(unit, to)
      return true
    })
    if (now.length === 0) {
      const hop = findPark(board, pending, wanted, parks)
      if (hop === undefined) break
      hops.push({ step, unit: hop.unit, from: board.placeOf(hop.unit), to: hop.to, purpose: 'park' })
      parks.set(hop.unit, (parks.get(hop.unit) ?? 0) + 1)
      board.relocate(hop.unit, hop.to)
      continue
    }
    for (const unit of now) board.end(unit)
    const done = new Set(now)
    pending = pending.filter((unit) => !done.has(unit))
  }
  return { hops, stuck: pending }
}

/** The smallest pending unit whose stepping aside lets another go; else the smallest that can step aside at all. */
function findPark(
  board: Board,
  pending: readonly Unit[],
  wanted: ReadonlyMap<Unit, number>,
  parks: ReadonlyMap<Unit, number>,
): { unit: Unit; to: number } | undefined {
  let fallback: { unit: Unit; to: number } | undefined
  for (const unit of pending.toSorted((a, b) => a.memoryBytes - b.memoryBytes)) {
    if ((parks.get(unit) ?? 0) >= PARKS_LIMIT) continue
    const from = board.placeOf(unit)
    for (const to of board.candidatesOf(unit)) {
      if (to === from || to === wanted.get(unit) || !board.fits(unit, to)) continue
      board.relocate(unit, to)
      const helps = pending.some((other) => other !== unit && board.fits(other, wanted.get(other) ?? other.home))
      board.relocate(unit, from)
      if (helps) return { unit, to }
      fallback ??= { unit, to }
    }
  }
  return fallback
}
