/** Chooses a node for every unit that must leave: least loaded first, then chains of ejections, residents only where nothing else helps. */
import { balance } from './balance.ts'
import { type Board, NOWHERE, type Unit } from './board.ts'
import { Links } from './links.ts'

/** Where what is missing is missing in sum, no chain of ejections brings everybody away: few looks for the best that can be had. */
const SHORT_LOOKS_LIMIT = 6_000
const CHAIN_DEPTH_LIMIT = 4
const RESIDENTS_LIMIT = 6
const TARGETS_TRIED_LIMIT = 16
const VICTIMS_TRIED_LIMIT = 40

export type Ordering = 'constrained-first' | 'memory-first' | 'cpu-first' | 'small-first'

export type Placement = { readonly unplaced: readonly Unit[]; readonly residentsMoved: readonly Unit[] }

type Search = {
  readonly board: Board
  readonly leaving: ReadonlySet<number>
  /** What was done, to take it back: unit and where it was. */
  readonly trail: { unit: Unit; from: number }[]
  readonly links: Links
  looks: number
  residentsLeft: number
}

/**
 * Moves units on the board to their new nodes; units that found none stay where they are.
 *
 * @param looks the search ends after so many, found or not
 */
export function place(board: Board, units: readonly Unit[], ordering: Ordering, looks: number): Placement {
  const search: Search = {
    board,
    leaving: new Set(units.map(({ index }) => index)),
    trail: [],
    links: new Links(board, units),
    looks,
    residentsLeft: 0,
  }
  const waiting: Unit[] = []
  for (const unit of inOrder(board, units, ordering)) {
    const target = bestTarget(search, unit)
    if (target === undefined) waiting.push(unit)
    else relocate(search, unit, target)
  }
  const isSumEnough = mayResidentsHelp(board, waiting)
  if (!isSumEnough) search.looks = Math.min(search.looks, SHORT_LOOKS_LIMIT)
  const residents = isSumEnough ? RESIDENTS_LIMIT : 0
  const unplaced = waiting.filter((unit) => !placeByEjection(search, unit, residents))
  sendResidentsBack(search)
  balance(
    board,
    units,
    (unit, target) => isWorse(search, unit, target),
    (unit, to) => relocate(search, unit, to),
  )
  return {
    unplaced,
    residentsMoved: board.units.filter((u) => !search.leaving.has(u.index) && board.placeOf(u) !== u.home),
  }
}

/** Moving residents about makes no room in sum: where the sum is short, it would only disturb more guests. */
function mayResidentsHelp(board: Board, waiting: readonly Unit[]): boolean {
  const free = (load: Float64Array, limit: Float64Array) =>
    board.takers.reduce((sum, node) => sum + Math.max(0, (limit[node] ?? 0) - (load[node] ?? 0)), 0)
  return (
    waiting.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) <= free(board.memory, board.memoryLimit) &&
    waiting.reduce((sum, { cpuCores }) => sum + cpuCores, 0) <= free(board.cpu, board.cpuLimit)
  )
}

function inOrder(board: Board, units: readonly Unit[], ordering: Ordering): readonly Unit[] {
  const choices = (unit: Unit) => board.candidatesOf(unit).length
  const byMemory = (a: Unit, b: Unit) => b.memoryBytes - a.memoryBytes || a.index - b.index
  switch (ordering) {
    case 'constrained-first':
      return units.toSorted((a, b) => choices(a) - choices(b) || b.foes.length - a.foes.length || byMemory(a, b))
    case 'memory-first':
      return units.toSorted(byMemory)
    case 'cpu-first':
      return units.toSorted((a, b) => b.cpuCores - a.cpuCores || byMemory(a, b))
    case 'small-first':
      return units.toSorted((a, b) => byMemory(b, a))
  }
}

/** What one stream fills; a source's faster link is for many streams. */
const STREAM_BITS_PER_SECOND = 8.8e9
/** Above this part of their limit cores weigh as memory does. */
const CPU_TIGHT = 0.85

/** A link that is clearly slower than a stream costs pause and time, which weigh more than balance. */
const isSlow = (board: Board, unit: Unit, target: number): boolean =>
  board.node(target).linkBitsPerSecond < Math.min(STREAM_BITS_PER_SECOND, board.node(unit.home).linkBitsPerSecond) / 2

function costOf({ board, links }: Search, unit: Unit, target: number): number {
  const fraction = ((board.memory[target] ?? 0) + unit.memoryBytes) / board.node(target).memoryBytes
  const cpu = ((board.cpu[target] ?? 0) + unit.cpuCores) / Math.max(1, board.cpuLimit[target] ?? 1)
  const load = cpu > CPU_TIGHT ? Math.max(fraction, cpu) : fraction
  return (
    board.dislikes(unit, target) * 1_000 +
    (isSlow(board, unit, target) ? 100 : 0) +
    10 * links.lateness(unit, target) +
    load +
    cpu / 1e3
  )
}

function bestTarget(search: Search, unit: Unit): number | undefined {
  const { board } = search
  let best: number | undefined
  let bestCost = Number.POSITIVE_INFINITY
  for (const target of board.candidatesOf(unit)) {
    if (target === board.placeOf(unit)) continue
    search.looks--
    if (!board.fits(unit, target)) continue
    const cost = costOf(search, unit, target)
    if (cost < bestCost) [best, bestCost] = [target, cost]
  }
  return best
}

function relocate(search: Search, unit: Unit, to: number): void {
  search.trail.push({ unit, from: search.board.placeOf(unit) })
  put(search, unit, to)
}

function put({ board, links }: Search, unit: Unit, to: number): void {
  links.reroute(unit, board.placeOf(unit), to)
  board.relocate(unit, to)
}

function takeBackTo(search: Search, mark: number): void {
  while (search.trail.length > mark) {
    const last = search.trail.pop()
    if (last) put(search, last.unit, last.from)
  }
}

/** First without touching residents, then with one of them, two …: fewer residents weigh more than anything below. */
function placeByEjection(search: Search, unit: Unit, residentsLimit: number): boolean {
  for (let residents = 0; residents <= residentsLimit; residents++) {
    for (let depth = 1; depth <= CHAIN_DEPTH_LIMIT; depth++) {
      search.residentsLeft = residents
      if (placeDeep(search, unit, depth, new Set([unit.index]))) return true
      if (search.looks <= 0) return false
    }
  }
  return false
}

function placeDeep(search: Search, unit: Unit, depth: number, frozen: Set<number>): boolean {
  const { board } = search
  const direct = bestTarget(search, unit)
  if (direct !== undefined) {
    relocate(search, unit, direct)
    return true
  }
  if (depth === 0) return false
  const targets = board
    .candidatesOf(unit)
    .filter((target) => target !== board.placeOf(unit))
    .toSorted((a, b) => shortage(board, unit, a) - shortage(board, unit, b))
  for (const target of targets.slice(0, TARGETS_TRIED_LIMIT)) {
    for (const victims of victimSets(search, unit, target, frozen)) {
      if (search.looks <= 0) return false
      if (swapIn(search, { unit, target, victims, depth, frozen })) return true
    }
  }
  return false
}

const shortage = (board: Board, unit: Unit, target: number): number =>
  Math.max(0, (board.memory[target] ?? 0) + unit.memoryBytes - (board.memoryLimit[target] ?? 0)) /
  board.node(target).memoryBytes

function swapIn(
  search: Search,
  {
    unit,
    target,
    victims,
    depth,
    frozen,
  }: { unit: Unit; target: number; victims: readonly Unit[]; depth: number; frozen: Set<number> },
): boolean {
  const { board } = search
  const mark = search.trail.length
  const residents = victims.filter((victim) => isResidentAtHome(search, victim))
  const guests = residents.reduce((sum, { guests: { length } }) => sum + length, 0)
  if (guests > search.residentsLeft) return false
  search.residentsLeft -= guests
  if (fitsWithout(search, unit, target, victims)) {
    // The victims step aside to nowhere, so that the unit sees the room they leave; each then looks for a place of its own.
    for (const victim of victims) relocate(search, victim, NOWHERE)
    const frozenNow = new Set([...frozen, ...victims.map(({ index }) => index)])
    if (board.fits(unit, target)) {
      relocate(search, unit, target)
      if (victims.every((victim) => placeDeep(search, victim, depth - 1, frozenNow))) return true
    }
  }
  takeBackTo(search, mark)
  search.residentsLeft += guests
  return false
}

const isResidentAtHome = (search: Search, unit: Unit): boolean =>
  !search.leaving.has(unit.index) && search.board.placeOf(unit) === unit.home

function fitsWithout(search: Search, unit: Unit, target: number, victims: readonly Unit[]): boolean {
  const { board } = search
  search.looks--
  const memoryBytes = victims.reduce((sum, victim) => sum + victim.memoryBytes, 0)
  const cpuCores = victims.reduce((sum, victim) => sum + victim.cpuCores, 0)
  const gone = new Set(victims.map(({ index }) => index))
  return (
    (board.memory[target] ?? 0) - memoryBytes + unit.memoryBytes <= (board.memoryLimit[target] ?? 0) &&
    (board.cpu[target] ?? 0) - cpuCores + unit.cpuCores <= (board.cpuLimit[target] ?? 0) &&
    !unit.foes.some((foe) => board.at[foe] === target && !gone.has(foe))
  )
}

/** Sets of one or two units whose leaving would let `unit` in; units that leave anyway before residents, small before large. */
function* victimSets(
  search: Search,
  unit: Unit,
  target: number,
  frozen: ReadonlySet<number>,
): Generator<readonly Unit[]> {
  const { board } = search
  const must = unit.foes.filter((foe) => board.at[foe] === target)
  if (must.some((foe) => frozen.has(foe))) return
  const forced = must.map((foe) => board.unit(foe))
  if (forced.length > 0 && fitsWithout(search, unit, target, forced)) {
    yield forced
    return
  }
  const all = [...(board.unitsAt[target] ?? [])]
    .filter((index) => !frozen.has(index) && !must.includes(index))
    .map((index) => board.unit(index))
    .filter((victim) => mayLeave(search, victim))
    .toSorted((a, b) => rank(search, a) - rank(search, b) || a.memoryBytes - b.memoryBytes)
  // To sort and to sift them costs more than to look at each.
  search.looks -= 3 * all.length
  const enough = all.filter((victim) => fitsWithout(search, unit, target, [...forced, victim]))
  for (const victim of enough.slice(0, VICTIMS_TRIED_LIMIT)) yield [...forced, victim]
  const few = all
    .filter((victim) => !enough.includes(victim))
    .toReversed()
    .slice(0, 12)
  for (const [index, one] of few.entries()) {
    for (const other of few.slice(index + 1)) {
      if (fitsWithout(search, unit, target, [...forced, one, other])) yield [...forced, one, other]
    }
  }
}

const mayLeave = (search: Search, unit: Unit): boolean => {
  if (isResidentAtHome(search, unit) && search.residentsLeft < unit.guests.length) return false
  return search.board.candidatesOf(unit).length > 0
}

/** Guests that leave anyway cost nothing; a resident that would be restarted costs most. */
const rank = (search: Search, unit: Unit): number => {
  if (!isResidentAtHome(search, unit)) return 0
  return unit.guests.some(({ kind }) => kind === 'ct') ? 2 : 1
}

/** A chain may leave a resident away that could now stay at home. */
function sendResidentsBack(search: Search): void {
  const { board } = search
  for (const unit of board.units) {
    if (search.leaving.has(unit.index) || board.placeOf(unit) === unit.home) continue
    if (board.fits(unit, unit.home)) relocate(search, unit, unit.home)
  }
}

/** Rules that are not strict, pause and makespan weigh more than balance. */
function isWorse({ board, links }: Search, unit: Unit, target: number): boolean {
  const here = board.placeOf(unit)
  return (
    board.dislikes(unit, target) > board.dislikes(unit, here) ||
    (isSlow(board, unit, target) && !isSlow(board, unit, here)) ||
    links.lateness(unit, target) > 0
  )
}
