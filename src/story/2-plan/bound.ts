/** A makespan that no plan goes below, from the observation and the policy alone. */
import type { ForecastModel } from '#domain/plan'
import type { Board, Unit } from './board.ts'
import { slowLinksS } from './bound-slow.ts'
import { apartS } from './clique.ts'
import { leastFlowS } from './flow.ts'
import { Start } from './start.ts'

/**
 * The largest of: all that leaves a node over its link; the slowest guest to his best target; what must go into some of the nodes, whoever
 * goes where, over their links; what does not fit the nodes with fast links; guests of whom no two may share a node, each on another. No
 * byte flows before the first set-up. Units without any candidate stay in every plan, and count for their own node's link alone, as the
 * contract has it.
 */
export function lowerBoundS(board: Board, model: ForecastModel): number {
  const start = new Start(board, model)
  const bound = Math.max(ownLinksS(board, start), slowestS(start), slowLinksS(start), apartS(start))
  return Math.max(bound, intoNodesS(start, bound))
}

function ownLinksS(board: Board, start: Start): number {
  let bound = 0
  for (const name of board.input.drain) {
    const node = board.indexOf(name)
    const units = start.unitsAt[node] ?? []
    const each = units.map((unit) => ({
      bits: start.leastBits(unit) ?? residentBits(unit),
      setupS: start.targetsOf(unit).length === 0 ? 0 : start.leastSetupS(unit),
    }))
    // Nothing of those whose set-up is long flows before it, and all of it flows after.
    for (const setupS of new Set(each.map((one) => one.setupS))) {
      const bits = sum(each.map((one) => (one.setupS >= setupS ? one.bits : 0)))
      if (bits > 0) bound = Math.max(bound, setupS + bits / board.node(node).linkBitsPerSecond)
    }
    const bits = sum(each.map((one) => one.bits))
    bound = Math.max(bound, bits / board.node(node).linkBitsPerSecond)
  }
  return bound
}

const residentBits = ({ guests }: Unit): number => 8 * sum(guests.map(({ residentBytes }) => residentBytes))

/** Everybody needs at least his own time to the target that is best for him; where none has a way, he says nothing. */
function slowestS(start: Start): number {
  const fastest = start.leaving.map((unit) =>
    Math.min(...start.targetsOf(unit).map((node) => start.secondsTo(unit, node))),
  )
  return Math.max(0, ...fastest.filter(Number.isFinite))
}

function intoNodesS(start: Start, fromS: number): number {
  const { leaving, board } = start
  if (leaving.length === 0) return fromS
  const setupS = Math.min(...leaving.map((unit) => start.leastSetupS(unit)))
  const groups = [...Map.groupBy(leaving, (unit) => start.targetsOf(unit).join()).values()]
  const supplies = groups.map((units) => ({
    into: units[0] === undefined ? [] : start.targetsOf(units[0]),
    bits: sum(units.map((unit) => start.leastBits(unit) ?? 0)),
  }))
  const slowest = Math.min(...supplies.flatMap(({ into }) => into).map((node) => board.node(node).linkBitsPerSecond))
  const untilS = Math.max(fromS, setupS + sum(supplies.map(({ bits }) => bits)) / slowest) + 1
  const capacityAt = (node: number, seconds: number) =>
    Math.max(0, seconds - setupS) * board.node(node).linkBitsPerSecond
  return leastFlowS(supplies, capacityAt, [fromS, untilS])
}

const sum = (figures: readonly number[]): number => figures.reduce((total, figure) => total + figure, 0)
