/** The cluster as it was observed, for the bounds: who leaves, what each move takes at least, and what room there can be. */
import type { ForecastModel } from '#domain/plan'
import type { Board, Unit } from './board.ts'
import { type Least, leastAnywhere, leastTo } from './least.ts'

/** Bytes and cores. */
export type Room = { readonly memory: number; readonly cores: number }

export class Start {
  readonly board: Board
  readonly model: ForecastModel
  /** Units on drained nodes that some node may take. */
  readonly leaving: readonly Unit[]
  readonly unitsAt: readonly (readonly Unit[])[]
  readonly #least = new Map<Unit, Map<number, Least>>()
  readonly #freeNow: readonly Room[]
  readonly #isLarge: boolean
  readonly #drained: ReadonlySet<number>
  readonly #fastestBitsPerSecond: number
  readonly #roomMadeS = new Map<number, readonly Leaver[]>()

  constructor(board: Board, model: ForecastModel) {
    this.board = board
    this.model = model
    this.#drained = new Set(board.input.drain.map((name) => board.indexOf(name)))
    this.leaving = board.units.filter((unit) => this.#drained.has(unit.home) && board.candidatesOf(unit).length > 0)
    const at: Unit[][] = board.nodes.map(() => [])
    for (const unit of board.units) at[unit.home]?.push(unit)
    this.unitsAt = at
    this.#isLarge = board.units.length > UNITS_LIMIT
    this.#fastestBitsPerSecond = Math.max(0, ...board.nodes.map(({ linkBitsPerSecond }) => linkBitsPerSecond))
    this.#freeNow = board.nodes.map((_, node) => {
      const limit = this.#limitOf(node)
      const load = this.#loadOf(node, at[node] ?? [])
      return { memory: Math.max(0, limit.memory - load.memory), cores: Math.max(0, limit.cores - load.cores) }
    })
  }

  targetsOf(unit: Unit): readonly number[] {
    return this.board.candidatesOf(unit)
  }

  leastTo(unit: Unit, to: number): Least {
    const known = this.#least.get(unit) ?? new Map<number, Least>()
    this.#least.set(unit, known)
    const least = known.get(to) ?? leastTo(this.board, unit, to, this.model)
    known.set(to, least)
    return least
  }

  /** Undefined for who stays in every plan. */
  leastBits(unit: Unit): number | undefined {
    const targets = this.targetsOf(unit)
    return targets.length === 0 ? undefined : Math.min(...targets.map((node) => this.leastTo(unit, node).bits))
  }

  leastSetupS(unit: Unit): number {
    return Math.min(...this.targetsOf(unit).map((node) => this.leastTo(unit, node).setupS))
  }

  /**
   * From the plan's beginning until the unit is there. Where it does not fit beside who is there now, somebody leaves first, in an
   * earlier step: whoever moves counts on both ends while his step runs. Infinite: it never fits.
   */
  secondsTo(unit: Unit, to: number): number {
    const lackBytes = unit.memoryBytes - this.freeNow(to).memory
    const lackCores = unit.cpuCores - this.freeNow(to).cores
    const { seconds } = this.leastTo(unit, to)
    return lackBytes > SLACK || lackCores > SLACK ? this.#roomS(to, lackBytes, lackCores) + seconds : seconds
  }

  /** What is free now; a node over its limit has nothing. */
  freeNow(node: number): Room {
    return this.#freeNow[node] ?? NO_ROOM
  }

  /** What would be free if everybody who can leave the node had left it. A node over its limit may stay as full as it is. */
  freeAtMost(node: number): Room {
    const units = this.unitsAt[node] ?? []
    const limit = this.#limitOf(node)
    const now = this.#loadOf(node, units)
    const staying = this.#loadOf(
      node,
      units.filter((unit) => !this.isMovable(unit)),
    )
    return {
      memory: Math.max(limit.memory, now.memory) - staying.memory,
      cores: Math.max(limit.cores, now.cores) - staying.cores,
    }
  }

  /** In large clusters nobody looks where every resident may go: he may go anywhere, which makes no bound larger. */
  isMovable(unit: Unit): boolean {
    return this.#isLarge || this.targetsOf(unit).length > 0
  }

  /** The least of all moves of the unit into one of these nodes; undefined: none of them may take it. */
  leastInto(unit: Unit, nodes: ReadonlySet<number>): Least | undefined {
    if (this.#isLarge && !this.#drained.has(unit.home))
      return leastAnywhere(unit, this.#fastestBitsPerSecond, this.model)
    const each = this.targetsOf(unit)
      .filter((node) => nodes.has(node))
      .map((node) => this.leastTo(unit, node))
    if (each.length === 0) return undefined
    return {
      bits: Math.min(...each.map(({ bits }) => bits)),
      setupS: Math.min(...each.map((least) => least.setupS)),
      seconds: Math.min(...each.map(({ seconds }) => seconds)),
    }
  }

  #limitOf(node: number): Room {
    const { memoryHeadroomFraction, cpuOvercommit } = this.board.input.policy
    const { memoryBytes, cpuCores } = this.board.node(node)
    return { memory: memoryBytes * (1 - memoryHeadroomFraction), cores: cpuCores * cpuOvercommit }
  }

  #loadOf(node: number, units: readonly Unit[]): Room {
    return {
      memory: units.reduce((sum, { memoryBytes }) => sum + memoryBytes, this.board.node(node).memoryUsedBytes),
      cores: units.reduce((sum, { cpuCores }) => sum + cpuCores, 0),
    }
  }

  #roomS(node: number, lackBytes: number, lackCores: number): number {
    const leavers = this.#roomMadeS.get(node) ?? this.#leaversOf(node)
    this.#roomMadeS.set(node, leavers)
    const memory = leavers.reduce((sum, { unit }) => sum + unit.memoryBytes, 0)
    const cores = leavers.reduce((sum, { unit }) => sum + unit.cpuCores, 0)
    if (memory < lackBytes - SLACK || cores < lackCores - SLACK) return Number.POSITIVE_INFINITY
    return leavers[0]?.seconds ?? Number.POSITIVE_INFINITY
  }

  /** Those of the node who can leave it, the quickest first. */
  #leaversOf(node: number): readonly Leaver[] {
    if (this.#isLarge) {
      return (this.unitsAt[node] ?? [])
        .map((unit) => ({ unit, seconds: leastAnywhere(unit, this.#fastestBitsPerSecond, this.model).seconds }))
        .toSorted((a, b) => a.seconds - b.seconds)
    }
    return (this.unitsAt[node] ?? [])
      .filter((unit) => this.targetsOf(unit).some((to) => to !== node))
      .map((unit) => {
        const elsewhere = this.targetsOf(unit).filter((to) => to !== node)
        return { unit, seconds: Math.min(...elsewhere.map((to) => this.leastTo(unit, to).seconds)) }
      })
      .toSorted((a, b) => a.seconds - b.seconds)
  }
}

type Leaver = { readonly unit: Unit; readonly seconds: number }

/** Of more, residents are not looked at one by one. */
const UNITS_LIMIT = 1_500
const NO_ROOM: Room = { memory: 0, cores: 0 }
/** Bytes and cores; sums of integers are exact, limits are fractions of them. */
const SLACK = 1e-6
