/** Evens out what was placed: the fullest node gives a unit away, or changes one for a smaller, while that lowers the highest memory fraction. */
import { type Board, NOWHERE, type Unit } from './board.ts'

const ROUNDS_LIMIT = 200
/** How often it may be asked whether a unit fits somewhere. */
const LOOKS_LIMIT = 60_000
const WORTH = 1e-9
/** So few are packed anew from the beginning, where no single change helps. */
const REPACKED_LIMIT = 16
/** Of one packing; there are no more than a few of them. */
const PACKING_LOOKS_LIMIT = 20_000

/** Moves only `units`, and only where `isWorse` does not forbid a target for what weighs more than balance. */
export function balance(
  board: Board,
  units: readonly Unit[],
  isWorse: (unit: Unit, target: number) => boolean,
  relocate: (unit: Unit, to: number) => void,
): void {
  const search = { board, units, isWorse, relocate, looks: LOOKS_LIMIT }
  for (let round = 0; round < ROUNDS_LIMIT && search.looks > 0; round++) {
    const fullest = board.takers.reduce(
      (a, b) => (fraction(board, b) > fraction(board, a) ? b : a),
      board.takers[0] ?? 0,
    )
    if (!giveAway(search, fullest) && !change(search, fullest) && !repack(search, fullest)) return
  }
}

type Search = {
  readonly board: Board
  readonly units: readonly Unit[]
  readonly isWorse: (unit: Unit, target: number) => boolean
  readonly relocate: (unit: Unit, to: number) => void
  looks: number
}

const fraction = (board: Board, node: number, moreBytes = 0): number =>
  ((board.memory[node] ?? 0) + moreBytes) / board.node(node).memoryBytes

/** The one unit whose leaving lowers the highest most. */
function giveAway(search: Search, fullest: number): boolean {
  const { board, units, isWorse, relocate } = search
  let best: { unit: Unit; target: number } | undefined
  let lowest = fraction(board, fullest) - WORTH
  for (const unit of units) {
    if (board.placeOf(unit) !== fullest) continue
    for (const target of board.candidatesOf(unit)) {
      search.looks--
      if (target === fullest) continue
      const then = Math.max(fraction(board, target, unit.memoryBytes), fraction(board, fullest, -unit.memoryBytes))
      if (then >= lowest || !board.fits(unit, target) || isWorse(unit, target)) continue
      best = { unit, target }
      lowest = then
    }
  }
  if (best !== undefined) relocate(best.unit, best.target)
  return best !== undefined
}

/** A unit of the fullest node goes where another leaves for the fullest, or for a third: what lowers the highest most comes first. */
function change(search: Search, fullest: number): boolean {
  const { board, units } = search
  const changes: Change[] = []
  const highest = fraction(board, fullest) - WORTH
  const takers = new Set(board.takers)
  const away = units.filter((unit) => takers.has(board.placeOf(unit)) && board.placeOf(unit) !== fullest)
  for (const one of units) {
    if (board.placeOf(one) !== fullest) continue
    const left = fraction(board, fullest, -one.memoryBytes)
    for (const other of away) {
      const there = board.placeOf(other)
      const arrived = fraction(board, there, one.memoryBytes - other.memoryBytes)
      search.looks--
      if (arrived >= highest) continue
      for (const to of board.candidatesOf(other)) {
        if (to === there) continue
        search.looks--
        const moreBytes = other.memoryBytes - (to === fullest ? one.memoryBytes : 0)
        const then = Math.max(left, arrived, fraction(board, to, moreBytes))
        if (then < highest) changes.push({ one, other, to, then })
      }
      if (search.looks <= 0) return false
    }
  }
  changes.sort((a, b) => a.then - b.then || a.one.index - b.one.index || a.other.index - b.other.index || a.to - b.to)
  return changes.some((one) => search.looks-- > 0 && tryChange(search, one))
}

type Change = { readonly one: Unit; readonly other: Unit; readonly to: number; readonly then: number }

function tryChange({ board, isWorse, relocate }: Search, { one, other, to }: Change): boolean {
  const [here, there] = [board.placeOf(one), board.placeOf(other)]
  if (!board.candidatesOf(one).includes(there) || isWorse(one, there) || isWorse(other, to)) return false
  relocate(one, NOWHERE)
  if (board.fits(other, to)) {
    relocate(other, to)
    if (board.fits(one, there)) {
      relocate(one, there)
      return true
    }
    relocate(other, there)
  }
  relocate(one, here)
  return false
}

/** All of them anew, largest first, so that every node ends below the highest; as it was where no such packing is found. */
function repack({ board, units, isWorse, relocate }: Search, fullest: number): boolean {
  const placed = units.filter((unit) => board.takers.includes(board.placeOf(unit)))
  const isDue = placed.length <= REPACKED_LIMIT && placed.some((unit) => board.placeOf(unit) === fullest)
  if (!isDue) return false
  const below = fraction(board, fullest) - WORTH
  const before = placed.map((unit) => ({ unit, at: board.placeOf(unit) }))
  const dislikes = () => placed.reduce((sum, unit) => sum + board.dislikes(unit, board.placeOf(unit)), 0)
  const dislikesBefore = dislikes()
  const allowed = new Map(
    placed.map((unit) => [
      unit,
      board.candidatesOf(unit).filter((node) => node === board.placeOf(unit) || !isWorse(unit, node)),
    ]),
  )
  const order = placed.toSorted((a, b) => b.memoryBytes - a.memoryBytes || a.index - b.index)
  let looks = PACKING_LOOKS_LIMIT
  const pack = (next: number): boolean => {
    const unit = order[next]
    if (unit === undefined) return dislikes() <= dislikesBefore
    const targets = (allowed.get(unit) ?? [])
      .filter((node) => looks-- > 0 && fraction(board, node, unit.memoryBytes) < below && board.fits(unit, node))
      .toSorted((a, b) => fraction(board, a) - fraction(board, b))
    for (const node of targets) {
      relocate(unit, node)
      if (pack(next + 1)) return true
      relocate(unit, NOWHERE)
      if (looks <= 0) return false
    }
    return false
  }
  for (const { unit } of before) relocate(unit, NOWHERE)
  if (board.takers.every((node) => fraction(board, node) < below) && pack(0)) return true
  for (const { unit, at } of before) relocate(unit, at)
  return false
}
