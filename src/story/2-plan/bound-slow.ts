/** What does not fit the nodes with fast links goes over slow ones: by volume of memory and cores, and by packing. */
import type { Unit } from './board.ts'
import type { Least } from './least.ts'
import { binsNeeded } from './packing.ts'
import type { Room, Start } from './start.ts'

/** Every speed of a link but the fastest: nodes with links up to it are the slow ones. */
export function slowLinksS(start: Start): number {
  const { board, leaving } = start
  if (leaving.length === 0) return 0
  const speeds = [...new Set(board.takers.map((node) => board.node(node).linkBitsPerSecond))].toSorted((a, b) => a - b)
  return Math.max(0, ...speeds.slice(0, -1).map((speed) => boundOf(start, speed)))
}

type Mover = Least & { readonly unit: Unit }

function boundOf(start: Start, speed: number): number {
  const { board, leaving } = start
  const slow = board.takers.filter((node) => board.node(node).linkBitsPerSecond <= speed)
  const fast = board.takers.filter((node) => !slow.includes(node))
  const movers = moversInto(start, slow)
  if (movers.length === 0) return 0
  const linkBitsPerSecond = slow.reduce((sum, node) => sum + board.node(node).linkBitsPerSecond, 0)
  const setupS = Math.min(...movers.map((mover) => mover.setupS))
  const quickestS = Math.min(...movers.map(({ seconds }) => seconds))
  let bound = 0
  for (const what of ['memory', 'cores'] as const) {
    // Who changes from one fast node to another makes no room in sum; whoever comes from elsewhere makes it worse.
    const comes = leaving.reduce((sum, unit) => sum + weightOf(unit, what), 0)
    const over = comes - fast.reduce((sum, node) => sum + start.freeNow(node)[what], 0)
    if (over > SLACK) bound = Math.max(bound, quickestS, setupS + leastBits(movers, over, what) / linkBitsPerSecond)
  }
  return bound === 0 && isAnyPushedOut(start, fast) ? quickestS : bound
}

const SLACK = 1e-6

const weightOf = ({ memoryBytes, cpuCores }: Unit, of: keyof Room): number => (of === 'memory' ? memoryBytes : cpuCores)

/** Everybody outside of them who may go into one of them, residents too, each at his least. */
function moversInto(start: Start, slow: readonly number[]): readonly Mover[] {
  const { board } = start
  const isSlow = new Set(slow)
  return board.units
    .filter(({ home }) => !isSlow.has(home))
    .flatMap((unit) => {
      const least = start.leastInto(unit, isSlow)
      return least === undefined ? [] : [{ unit, ...least }]
    })
}

/** The fewest bits with which so much goes: those with the fewest a byte (or a core) first, the last in part. */
function leastBits(movers: readonly Mover[], wanted: number, what: keyof Room): number {
  const per = ({ unit, bits }: Mover) => bits / Math.max(1e-9, weightOf(unit, what))
  let left = wanted
  let bits = 0
  for (const mover of movers.toSorted((a, b) => per(a) - per(b))) {
    const part = Math.min(1, left / Math.max(1e-9, weightOf(mover.unit, what)))
    bits += part * mover.bits
    left -= part * weightOf(mover.unit, what)
    if (left <= 0) break
  }
  return bits
}

/** Larger clusters have room by volume, and too many guests to look at every size. */
const PACKED_LIMIT = 2_000

/** Those who leave and those who are on the fast nodes do not all go into these, whoever is where. */
function isAnyPushedOut(start: Start, fast: readonly number[]): boolean {
  if (fast.length === 0) return true
  const residents = fast.flatMap((node) => start.unitsAt[node] ?? []).filter((unit) => start.isMovable(unit))
  const units = [...start.leaving, ...residents]
  if (units.length > PACKED_LIMIT) return false
  return (['memory', 'cores'] as const).some((what) => {
    const rooms = fast.map((node) => start.freeAtMost(node)[what])
    const capacity = Math.max(...rooms)
    // What a node has less than the largest is filled by an item of its own.
    const fillers = rooms.map((room) => capacity - room)
    return binsNeeded([...units.map((unit) => weightOf(unit, what)), ...fillers], capacity) > fast.length
  })
}
