/** Guests of whom no two may share a node: each goes to another, and the slowest of them in the best of all such ways is a bound. */
import type { Unit } from './board.ts'
import type { Start } from './start.ts'

/** Of more, only the longest are looked at: pairs are many. */
const UNITS_LIMIT = 150
/** Cliques are grown from so many of them. */
const CLIQUES_LIMIT = 24

export function apartS(start: Start): number {
  const quickestS = (unit: Unit) => Math.min(...start.targetsOf(unit).map((node) => start.secondsTo(unit, node)))
  const units = start.leaving
    .map((unit) => ({ unit, seconds: quickestS(unit) }))
    .filter(({ seconds }) => Number.isFinite(seconds))
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, UNITS_LIMIT)
    .map(({ unit }) => unit)
  const rooms = new Map(start.board.takers.map((node) => [node, start.freeAtMost(node)]))
  const mayShare = (one: Unit, other: Unit) =>
    !one.foes.includes(other.index) &&
    start.targetsOf(one).some((node) => {
      const room = rooms.get(node)
      return (
        room !== undefined &&
        one.memoryBytes + other.memoryBytes <= room.memory &&
        one.cpuCores + other.cpuCores <= room.cores &&
        start.targetsOf(other).includes(node)
      )
    })
  let bound = 0
  for (const first of units.slice(0, CLIQUES_LIMIT)) {
    const clique = [first]
    for (const unit of units) {
      if (unit !== first && clique.every((other) => !mayShare(unit, other))) clique.push(unit)
    }
    if (clique.length > 1) bound = Math.max(bound, spreadS(start, clique))
  }
  return bound
}

/** The least time in which each reaches a node of its own; 0 where there is no such way, for then no plan is whole. */
function spreadS(start: Start, clique: readonly Unit[]): number {
  const times = clique.map((unit) => new Map(start.targetsOf(unit).map((node) => [node, start.secondsTo(unit, node)])))
  const steps = [...new Set(times.flatMap((one) => [...one.values()]))]
    .filter(Number.isFinite)
    .toSorted((a, b) => a - b)
  let [from, until] = [0, steps.length]
  while (from < until) {
    const middle = (from + until) >> 1
    if (isSpread(times, steps[middle] ?? 0)) until = middle
    else from = middle + 1
  }
  return steps[from] ?? 0
}

/** Whether each finds a node of its own within so many seconds (a matching by augmenting paths). */
function isSpread(times: readonly ReadonlyMap<number, number>[], seconds: number): boolean {
  const takenBy = new Map<number, number>()
  const find = (index: number, seen: Set<number>): boolean => {
    for (const [node, takes] of times[index] ?? []) {
      if (takes > seconds || seen.has(node)) continue
      seen.add(node)
      const before = takenBy.get(node)
      if (before === undefined || find(before, seen)) {
        takenBy.set(node, index)
        return true
      }
    }
    return false
  }
  return times.every((_, index) => find(index, new Set()))
}
