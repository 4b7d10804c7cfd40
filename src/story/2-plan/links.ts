/** What goes into every node over its link: a target that takes longer to fill than the source to empty makes the plan longer. */
import type { Board, Unit } from './board.ts'

/** A link that is slower than the source's is not always busy: streams to other nodes share the source. */
const FILLED_PART = 0.6

export class Links {
  readonly #board: Board
  readonly #leaving: ReadonlySet<Unit>
  /** Bytes, by node. */
  readonly #into: Float64Array
  /** Nothing is faster: the slowest of the emptied nodes over its own link. */
  readonly #leastS: number

  constructor(board: Board, leaving: readonly Unit[]) {
    this.#board = board
    this.#leaving = new Set(leaving)
    this.#into = new Float64Array(board.nodes.length)
    const outOf = new Float64Array(board.nodes.length)
    for (const unit of leaving) outOf[unit.home] = (outOf[unit.home] ?? 0) + bytesOf(unit)
    this.#leastS = Math.max(...outOf.map((bytes, node) => this.#secondsOver(node, bytes)))
  }

  /** By how much of the least time the target would be filled late; 0 where it is not. */
  lateness(unit: Unit, target: number): number {
    if (!this.#leaving.has(unit) || this.#leastS <= 0) return 0
    const intoS = this.#secondsOver(target, (this.#into[target] ?? 0) + bytesOf(unit))
    const isSlower = this.#board.node(target).linkBitsPerSecond < this.#board.node(unit.home).linkBitsPerSecond
    return Math.max(0, intoS / (this.#leastS * (isSlower ? FILLED_PART : 1)) - 1)
  }

  reroute(unit: Unit, from: number, to: number): void {
    if (!this.#leaving.has(unit)) return
    // Nowhere and home are not targets.
    if (from >= 0 && from !== unit.home) this.#into[from] = (this.#into[from] ?? 0) - bytesOf(unit)
    if (to >= 0 && to !== unit.home) this.#into[to] = (this.#into[to] ?? 0) + bytesOf(unit)
  }

  #secondsOver(node: number, bytes: number): number {
    return (bytes * 8) / this.#board.node(node).linkBitsPerSecond
  }
}

const bytesOf = ({ guests }: Unit): number => guests.reduce((sum, { residentBytes }) => sum + residentBytes, 0)
