/** Other targets for guests that leave anyway, where a node could fail afterwards only if they were elsewhere. */
import { type Board, NOWHERE, type Unit } from './board.ts'
import { mayFail, survives } from './reserve.ts'

/** How often the guests of a node are packed on the others to see whether it may fail. */
const PACKINGS_LIMIT = 120

/**
 * Changes the end state on the board until every single further node may fail, or nothing helps any more. Only units that leave are moved,
 * one at a time; none to where rules that are not strict are broken more.
 *
 * @returns whether more nodes may fail than before
 */
export function keepReserve(board: Board, leaving: readonly Unit[]): boolean {
  const search = { board, leaving, packings: PACKINGS_LIMIT }
  let unmet = unmetNodes(search)
  const before = unmet.length
  if (before === 0 || isUnavoidable(search)) return false
  while (unmet.length > 0 && search.packings > 0) {
    const fewer = moveOne(search, unmet)
    if (fewer === undefined) break
    unmet = fewer
  }
  return unmet.length < before
}

type Search = { readonly board: Board; readonly leaving: readonly Unit[]; packings: number }

const unmetNodes = (search: Search): readonly number[] => mayFail(search.board).filter((node) => !stands(search, node))

function stands(search: Search, node: number): boolean {
  search.packings--
  return survives(search.board, node)
}

/** Without all who leave there is more room everywhere: who does not find a place then finds none with them. */
function isUnavoidable(search: Search): boolean {
  const { board, leaving } = search
  const places = leaving.map((unit) => board.placeOf(unit))
  for (const unit of leaving) board.relocate(unit, NOWHERE)
  const isUnmet = unmetNodes(search).length > 0
  for (const [index, unit] of leaving.entries()) board.relocate(unit, places[index] ?? unit.home)
  return isUnmet
}

/** The first move after which fewer nodes are unmet; those that are then. */
function moveOne(search: Search, unmet: readonly number[]): readonly number[] | undefined {
  const { board, leaving } = search
  const [worst] = unmet
  if (worst === undefined) return undefined
  const onWorst = (unit: Unit) => Number(board.placeOf(unit) === worst)
  for (const unit of leaving.toSorted((a, b) => onWorst(b) - onWorst(a) || b.memoryBytes - a.memoryBytes)) {
    const from = board.placeOf(unit)
    if (from === unit.home) continue
    const dislikes = board.dislikes(unit, from)
    for (const to of board.candidatesOf(unit)) {
      if (search.packings <= 0) return undefined
      if (to === from || !board.fits(unit, to) || board.dislikes(unit, to) > dislikes) continue
      board.relocate(unit, to)
      const then = stands(search, worst) ? unmetNodes(search) : unmet
      if (then.length < unmet.length) return then
      board.relocate(unit, from)
    }
  }
  return undefined
}
