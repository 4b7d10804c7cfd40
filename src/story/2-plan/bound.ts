/** A makespan that no plan goes below, from the observation and the policy alone. */
import type { Guest } from '#domain/guest'
import type { ForecastModel } from '#domain/plan'
import type { Board, Unit } from './board.ts'

/** Sets of targets that differ; of more than these not every union is looked at, only each alone. */
const UNITED_SETS_LIMIT = 10

/**
 * The largest of: all that leaves a node over its link; the longest single guest over the fastest link that may take it; what must go
 * into some of the nodes, whoever goes where, over their links. Units without any candidate stay in every plan, and count for their own
 * node's link alone, as the contract has it.
 */
export function lowerBoundS(board: Board, model: ForecastModel): number {
  const drained = new Set(board.input.drain.map((name) => board.indexOf(name)))
  const leaving = board.units.filter(({ home }) => drained.has(home))
  let bound = intoSomeNodesS(board, leaving)
  for (const node of drained) {
    const bits = sum(leaving.map((unit) => (unit.home === node ? bitsOf(board, unit) : 0)))
    if (bits > 0) bound = Math.max(bound, bits / board.node(node).linkBitsPerSecond)
  }
  for (const unit of leaving) {
    const into = Math.max(0, ...board.candidatesOf(unit).map((node) => board.node(node).linkBitsPerSecond))
    const source = board.node(unit.home).linkBitsPerSecond
    const bitsPerSecond = Math.min(source, into || source, model.streamBitsPerSecond)
    for (const guest of unit.guests)
      bound = Math.max(bound, guestBits(board, unit, guest) / bitsPerSecond + model.fixedSecondsPerMove)
  }
  return bound
}

/** Bits to be copied wherever he goes: resident memory, and disks on a storage of the node's own. */
function guestBits(board: Board, { home }: Unit, { residentBytes, disks }: Guest): number {
  const { storages } = board.node(home)
  const isOwn = (storage: string) => storages.some(({ id, shared }) => id === storage && !shared)
  return 8 * (residentBytes + sum(disks.map(({ storage, bytes }) => (isOwn(storage) ? bytes : 0))))
}

const bitsOf = (board: Board, unit: Unit): number => sum(unit.guests.map((guest) => guestBits(board, unit, guest)))

/**
 * What goes into a set of nodes and nowhere else, over the sum of their links. The largest over every union of candidate sets is what a
 * flow from guests to nodes would need (Gale).
 */
function intoSomeNodesS(board: Board, leaving: readonly Unit[]): number {
  const groups = [...Map.groupBy(leaving, (unit) => board.candidatesOf(unit).join()).values()]
    .map((units) => ({
      nodes: new Set(units[0] === undefined ? [] : board.candidatesOf(units[0])),
      bits: sum(units.map((unit) => bitsOf(board, unit))),
    }))
    .filter(({ nodes }) => nodes.size > 0)
  let bound = 0
  for (const set of unionsOf(groups.map(({ nodes }) => nodes))) {
    const bits = sum(groups.map((group) => ([...group.nodes].every((node) => set.has(node)) ? group.bits : 0)))
    const linkBitsPerSecond = sum([...set].map((node) => board.node(node).linkBitsPerSecond))
    if (linkBitsPerSecond > 0) bound = Math.max(bound, bits / linkBitsPerSecond)
  }
  return bound
}

function* unionsOf(sets: readonly ReadonlySet<number>[]): Generator<ReadonlySet<number>> {
  if (sets.length > UNITED_SETS_LIMIT) {
    yield* sets
    return
  }
  for (let chosen = 1; chosen < 2 ** sets.length; chosen++) {
    yield new Set(sets.flatMap((set, index) => ((chosen >> index) & 1 ? [...set] : [])))
  }
}

const sum = (figures: readonly number[]): number => figures.reduce((total, figure) => total + figure, 0)
