/** The board that the planner plays on: where every unit is, how full every node is, and whether a unit fits a node now. */
import type { ClusterObservation } from '#domain/cluster'
import type { Guest } from '#domain/guest'
import type { NodeName, Vmid } from '#domain/ids'
import type { Node } from '#domain/node'
import type { PlanPolicy } from '#domain/policy'
import { guestFaults, modeOf, type Pins, strictPins, takersOf, targetFaults } from './eligibility.ts'
import { groupUnits } from './units.ts'

/** Constraints that may be taken away to see which one holds a guest back. */
export type Relaxable = 'memory-short' | 'cpu-short' | 'storage-short' | 'keep-apart' | 'keep-together'

export type Unit = {
  readonly index: number
  readonly guests: readonly Guest[]
  readonly home: number
  readonly memoryBytes: number
  readonly cpuCores: number
  /** Units that must not share a node with this one. */
  readonly foes: number[]
  /** Units that rather should not: rules that are not strict, or broken already. */
  readonly softFoes: number[]
  /** Units that rather should share its node. */
  readonly softFriends: number[]
  /** Nodes where a stopped guest of a keep-apart rule lies, and nodes that a lax pin does not name. */
  readonly disliked: Map<number, number>
  /** Nodes that may take it, however full; found when first asked for. */
  candidates: readonly number[] | undefined
}

export type BoardInput = {
  readonly cluster: ClusterObservation
  readonly drain: readonly NodeName[]
  readonly policy: PlanPolicy
  readonly relaxed?: ReadonlySet<Relaxable>
  /** Nodes that take guests; what `takersOf` says where absent. */
  readonly takers?: readonly Node[]
  /** Load that a node may carry although it is over the limit, because it did before. */
  readonly memoryFloorBytes?: ReadonlyMap<NodeName, number>
  readonly cpuFloorCores?: ReadonlyMap<NodeName, number>
  /** Partners of a keep-together rule move as one only where this is equal too. */
  readonly keyOf?: (guest: Guest) => string
  /** Pairs of a keep-apart rule that were on one node before, and may be again. */
  readonly pairsBroken?: (one: Guest, other: Guest) => boolean
}

export const NOWHERE = -1
/** Bytes; sums of integers are exact, limits are fractions of them. */
const SLACK = 1e-6

export class Board {
  readonly nodes: readonly Node[]
  readonly nodeIndex: ReadonlyMap<NodeName, number>
  readonly units: readonly Unit[]
  readonly unitOf: ReadonlyMap<Vmid, Unit>
  readonly takers: readonly number[]
  readonly pins: Pins
  readonly input: BoardInput
  /** By unit: the node it is on, and the node it is on its way to. */
  readonly at: Int32Array
  readonly heading: Int32Array
  /** By node. While a unit is on its way it counts on both ends. */
  readonly memory: Float64Array
  readonly cpu: Float64Array
  readonly memoryLimit: Float64Array
  readonly cpuLimit: Float64Array
  readonly unitsAt: readonly Set<number>[]
  readonly #free: readonly Map<string, number>[]
  readonly #ownStorages: readonly ReadonlySet<string>[]

  constructor(input: BoardInput) {
    const { cluster, policy, relaxed } = input
    this.input = input
    this.nodes = cluster.nodes
    this.nodeIndex = new Map(this.nodes.map((node, index) => [node.name, index]))
    this.pins = strictPins(cluster.rules)
    const running = cluster.guests.filter(({ status }) => status === 'running')
    const groups = relaxed?.has('keep-together')
      ? running.map((guest) => [guest])
      : groupUnits(running, cluster.rules, input.keyOf)
    this.units = groups.map((guests, index) => this.#unit(guests, index))
    this.unitOf = new Map(this.units.flatMap((unit) => unit.guests.map((guest) => [guest.vmid, unit] as const)))
    this.takers = (input.takers ?? takersOf(this.nodes, input.drain)).map(({ name }) => this.indexOf(name))
    this.at = Int32Array.from(this.units, ({ home }) => home)
    this.heading = new Int32Array(this.units.length).fill(NOWHERE)
    this.memory = Float64Array.from(this.nodes, ({ memoryUsedBytes }) => memoryUsedBytes)
    this.cpu = new Float64Array(this.nodes.length)
    this.unitsAt = this.nodes.map(() => new Set<number>())
    this.#free = this.nodes.map(() => new Map<string, number>())
    this.#ownStorages = this.nodes.map(({ storages }) => new Set(storages.filter((s) => !s.shared).map(({ id }) => id)))
    for (const unit of this.units) this.#load(unit, unit.home, 1)
    this.memoryLimit = Float64Array.from(this.nodes, (node) =>
      relaxed?.has('memory-short')
        ? Number.POSITIVE_INFINITY
        : Math.max(node.memoryBytes * (1 - policy.memoryHeadroomFraction), input.memoryFloorBytes?.get(node.name) ?? 0),
    )
    this.cpuLimit = Float64Array.from(this.nodes, (node) =>
      relaxed?.has('cpu-short')
        ? Number.POSITIVE_INFINITY
        : Math.max(node.cpuCores * policy.cpuOvercommit, input.cpuFloorCores?.get(node.name) ?? 0),
    )
    for (const [index, { storages }] of this.nodes.entries()) {
      // What is free was observed with the guests in place.
      for (const { id, freeBytes } of storages) this.#free[index]?.set(id, freeBytes)
    }
    this.#readRules()
  }

  indexOf(name: NodeName): number {
    return this.nodeIndex.get(name) ?? NOWHERE
  }

  node(index: number): Node {
    const node = this.nodes[index]
    if (node === undefined) throw new Error(`no node of index ${index}`)
    return node
  }

  unit(index: number): Unit {
    const unit = this.units[index]
    if (unit === undefined) throw new Error(`no unit of index ${index}`)
    return unit
  }

  placeOf(unit: Unit): number {
    return this.at[unit.index] ?? NOWHERE
  }

  /** Nodes that could take the whole unit if they were empty. */
  candidatesOf(unit: Unit): readonly number[] {
    unit.candidates ??= this.#findCandidates(unit)
    return unit.candidates
  }

  /** Whether the unit fits now: memory, CPU, room for local disks, keep-apart. */
  fits(unit: Unit, target: number): boolean {
    return (
      (this.memory[target] ?? 0) + unit.memoryBytes <= (this.memoryLimit[target] ?? 0) + SLACK &&
      (this.cpu[target] ?? 0) + unit.cpuCores <= (this.cpuLimit[target] ?? 0) + SLACK &&
      !unit.foes.some((foe) => this.at[foe] === target || this.heading[foe] === target) &&
      this.diskShortBytes(unit, target) <= 0
    )
  }

  /** Bytes that local disks of the unit lack on the target; 0 where all have room. */
  diskShortBytes(unit: Pick<Unit, 'guests'>, target: number): number {
    if (this.input.relaxed?.has('storage-short')) return 0
    let shortBytes = 0
    for (const [storage, bytes] of this.#ownBytes(unit, target)) {
      shortBytes += Math.max(0, bytes - (this.#free[target]?.get(storage) ?? 0))
    }
    return shortBytes
  }

  /** What the unit's disks take of storages that are the node's own, by storage. */
  #ownBytes(unit: Pick<Unit, 'guests'>, index: number): ReadonlyMap<string, number> {
    const own = this.#ownStorages[index]
    const needed = new Map<string, number>()
    if (own === undefined || own.size === 0) return needed
    for (const { disks } of unit.guests) {
      for (const { storage, bytes } of disks) {
        if (own.has(storage)) needed.set(storage, (needed.get(storage) ?? 0) + bytes)
      }
    }
    return needed
  }

  /** Rules that are not hard and would be broken there, and guests that would have to be restarted although they need not. */
  dislikes(unit: Unit, target: number): number {
    let count = unit.disliked.get(target) ?? 0
    for (const foe of unit.softFoes) if (this.at[foe] === target) count++
    for (const friend of unit.softFriends) if (this.at[friend] !== target) count++
    const source = this.node(unit.home)
    const there = this.node(target)
    for (const guest of unit.guests) {
      if (guest.kind === 'vm' && modeOf({ guest, source, target: there }) === 'restart') count += 100
    }
    return count
  }

  /** The end state: the unit is there, and nowhere else. `NOWHERE` is for units that step aside while others are placed. */
  relocate(unit: Unit, to: number): void {
    this.begin(unit, to)
    this.end(unit)
  }

  /** From now until `end` the unit counts on both ends. */
  begin(unit: Unit, to: number): void {
    this.heading[unit.index] = to
    this.#load(unit, to, 1)
  }

  end(unit: Unit): void {
    const to = this.heading[unit.index] ?? NOWHERE
    this.#load(unit, this.placeOf(unit), -1)
    this.at[unit.index] = to
    this.heading[unit.index] = NOWHERE
    this.unitsAt[to]?.add(unit.index)
  }

  #load(unit: Unit, node: number, sign: 1 | -1): void {
    if (node === NOWHERE) return
    this.memory[node] = (this.memory[node] ?? 0) + sign * unit.memoryBytes
    this.cpu[node] = (this.cpu[node] ?? 0) + sign * unit.cpuCores
    if (sign === 1) this.unitsAt[node]?.add(unit.index)
    else this.unitsAt[node]?.delete(unit.index)
    for (const [storage, bytes] of this.#ownBytes(unit, node)) {
      const free = this.#free[node]
      free?.set(storage, (free.get(storage) ?? 0) - sign * bytes)
    }
  }

  #unit(guests: readonly Guest[], index: number): Unit {
    return {
      index,
      guests,
      home: guests[0] === undefined ? NOWHERE : this.indexOf(guests[0].node),
      memoryBytes: guests.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
      cpuCores: guests.reduce((sum, { cpuCores }) => sum + cpuCores, 0),
      foes: [],
      softFoes: [],
      softFriends: [],
      disliked: new Map(),
      candidates: undefined,
    }
  }

  #findCandidates(unit: Unit): readonly number[] {
    const { policy } = this.input
    if (unit.guests.some((guest) => guestFaults(guest, policy).length > 0)) return []
    const source = this.node(unit.home)
    if (!source.online) return []
    return this.takers.filter((target) =>
      unit.guests.every(
        (guest) => targetFaults({ guest, source, target: this.node(target), pins: this.pins, policy }).length === 0,
      ),
    )
  }

  #readRules(): void {
    const { cluster, relaxed, pairsBroken } = this.input
    const stopped = new Map(cluster.guests.filter(({ status }) => status === 'stopped').map((g) => [g.vmid, g]))
    for (const rule of cluster.rules) {
      if (rule.kind === 'pin') {
        if (!rule.strict) this.#readLaxPin(rule.guests, rule.nodes)
        continue
      }
      for (const id of rule.guests) {
        const unit = this.unitOf.get(id)
        if (unit === undefined) continue
        for (const otherId of rule.guests) {
          const other = this.unitOf.get(otherId)
          if (other === unit) continue
          if (other !== undefined) {
            const broken = unit.home === other.home || this.#wereBroken(pairsBroken, id, otherId)
            const isHard = rule.strict && !broken && !relaxed?.has('keep-apart')
            if (rule.kind === 'keep-together') unit.softFriends.push(other.index)
            else (isHard ? unit.foes : unit.softFoes).push(other.index)
          } else if (rule.kind === 'keep-apart') {
            this.#dislike(unit, this.indexOf(stopped.get(otherId)?.node ?? ('' as NodeName)))
          }
        }
      }
    }
  }

  #wereBroken(pairsBroken: BoardInput['pairsBroken'], id: Vmid, otherId: Vmid): boolean {
    if (pairsBroken === undefined) return false
    const one = this.unitOf.get(id)?.guests.find(({ vmid }) => vmid === id)
    const other = this.unitOf.get(otherId)?.guests.find(({ vmid }) => vmid === otherId)
    return one !== undefined && other !== undefined && pairsBroken(one, other)
  }

  #readLaxPin(guests: readonly Vmid[], nodes: readonly NodeName[]): void {
    for (const id of guests) {
      const unit = this.unitOf.get(id)
      if (unit === undefined) continue
      for (const node of this.nodes) if (!nodes.includes(node.name)) this.#dislike(unit, this.indexOf(node.name))
    }
  }

  #dislike(unit: Unit, node: number): void {
    if (node !== NOWHERE) unit.disliked.set(node, (unit.disliked.get(node) ?? 0) + 1)
  }
}
