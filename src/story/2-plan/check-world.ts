/** The checker's own picture of the cluster while it replays a plan. */
import type { ClusterObservation } from '#domain/cluster'
import type { Guest, Rule } from '#domain/guest'
import type { NodeName, Vmid } from '#domain/ids'
import type { Node } from '#domain/node'
import type { BrokenBefore, Move, Violation } from '#domain/plan'
import type { PlanPolicy } from '#domain/policy'

const GIB = 2 ** 30
const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`
/** Fractions of sums: what is smaller is arithmetic. */
const BYTES_TOLERANCE = 1
const CORES_TOLERANCE = 1e-6

type PairRule = Extract<Rule, { kind: 'keep-apart' | 'keep-together' }>

export class CheckWorld {
  readonly cluster: ClusterObservation
  readonly policy: PlanPolicy
  readonly #nodes: ReadonlyMap<NodeName, Node>
  readonly #guests: ReadonlyMap<Vmid, Guest>
  readonly #place: Map<Vmid, NodeName>
  readonly #memoryAtFirst: ReadonlyMap<NodeName, number>
  readonly #coresAtFirst: ReadonlyMap<NodeName, number>
  readonly #before: BrokenBefore | undefined
  /** Kept while guests move: a way home of hundreds of moves is replayed one by one. */
  readonly #memory: Map<NodeName, number>
  readonly #cores: Map<NodeName, number>
  /** Guests with a disk on a storage that is some node's own. */
  readonly #withOwnDisks: readonly Guest[]

  /** `place`: where guests are by now. `before`: what was broken before the observation, and may be so again. */
  constructor(
    cluster: ClusterObservation,
    policy: PlanPolicy,
    { place, before }: { place?: ReadonlyMap<Vmid, NodeName>; before?: BrokenBefore } = {},
  ) {
    this.#before = before
    this.cluster = cluster
    this.policy = policy
    this.#nodes = new Map(cluster.nodes.map((node) => [node.name, node]))
    this.#guests = new Map(cluster.guests.map((guest) => [guest.vmid, guest]))
    this.#place = new Map(cluster.guests.map((guest) => [guest.vmid, guest.node]))
    this.#memoryAtFirst = this.#sumMemory()
    this.#coresAtFirst = this.#sumCores()
    for (const [guest, node] of place ?? []) this.#place.set(guest, node)
    this.#memory = this.#sumMemory()
    this.#cores = this.#sumCores()
    const own = new Set(
      cluster.nodes.flatMap(({ storages }) => storages.filter((one) => !one.shared).map(({ id }) => id)),
    )
    this.#withOwnDisks = cluster.guests.filter(({ disks }) => disks.some(({ storage }) => own.has(storage)))
  }

  /** The same cluster with the guests where they are now; limits and broken rules still those of the observation. */
  forWayHome(): CheckWorld {
    return new CheckWorld(this.cluster, this.policy, { place: this.#place })
  }

  hasGuest(vmid: Vmid): boolean {
    return this.#guests.has(vmid)
  }

  hasNode(name: NodeName): boolean {
    return this.#nodes.has(name)
  }

  guest(vmid: Vmid): Guest | undefined {
    return this.#guests.get(vmid)
  }

  node(name: NodeName): Node | undefined {
    return this.#nodes.get(name)
  }

  placeOf(vmid: Vmid): NodeName {
    return this.#place.get(vmid) ?? ('' as NodeName)
  }

  originOf(vmid: number): NodeName | undefined {
    return this.#guests.get(vmid as Vmid)?.node
  }

  runs(vmid: Vmid): boolean {
    return this.#guests.get(vmid)?.status === 'running'
  }

  runningOn(nodes: readonly NodeName[]): readonly Vmid[] {
    return [...this.#place].filter(([vmid, node]) => nodes.includes(node) && this.runs(vmid)).map(([vmid]) => vmid)
  }

  runningByNode(): ReadonlyMap<NodeName, readonly Vmid[]> {
    const running = [...this.#place.keys()].filter((vmid) => this.runs(vmid))
    return Map.groupBy(running, (vmid) => this.placeOf(vmid))
  }

  memoryByNode(): Map<NodeName, number> {
    return new Map(this.#memory)
  }

  coresByNode(): Map<NodeName, number> {
    return new Map(this.#cores)
  }

  #sumMemory(): Map<NodeName, number> {
    const sums = new Map(this.cluster.nodes.map((node) => [node.name, node.memoryUsedBytes]))
    for (const [vmid, node] of this.#place) {
      const guest = this.#guests.get(vmid)
      if (guest?.status === 'running') sums.set(node, (sums.get(node) ?? 0) + guest.memoryBytes)
    }
    return sums
  }

  #sumCores(): Map<NodeName, number> {
    const sums = new Map<NodeName, number>()
    for (const [vmid, node] of this.#place) {
      const guest = this.#guests.get(vmid)
      if (guest?.status === 'running') sums.set(node, (sums.get(node) ?? 0) + guest.cpuCores)
    }
    return sums
  }

  memoryLimit(node: Node): number {
    const limit = node.memoryBytes * (1 - this.policy.memoryHeadroomFraction)
    return Math.max(limit, this.#memoryAtFirst.get(node.name) ?? 0, this.#loadBefore(node)?.loadBytes ?? 0)
  }

  coresLimit(node: Node): number {
    const atFirst = this.#coresAtFirst.get(node.name) ?? 0
    return Math.max(node.cpuCores * this.policy.cpuOvercommit, atFirst, this.#loadBefore(node)?.loadCores ?? 0)
  }

  /** A node that came back smaller carries no more for what it carried once. */
  #loadBefore({ name, memoryBytes, cpuCores }: Node): BrokenBefore['nodes'][number] | undefined {
    const known = this.#before?.nodes.find(({ node }) => node === name)
    return known !== undefined && memoryBytes >= known.memoryBytes && cpuCores >= known.cpuCores ? known : undefined
  }

  /** Already so at first, or before it. */
  #isExempt(kind: PairRule['kind'], one: Vmid, other: Vmid): boolean {
    const isOneNode = this.originOf(one) === this.originOf(other)
    if (kind === 'keep-apart' ? isOneNode : !isOneNode) return true
    const pairs = (kind === 'keep-apart' ? this.#before?.together : this.#before?.apart) ?? []
    return pairs.some((pair) => pair.includes(one) && pair.includes(other))
  }

  apply(moves: readonly Move[]): void {
    for (const { guest: vmid, to } of moves) {
      const guest = this.#guests.get(vmid)
      const from = this.placeOf(vmid)
      this.#place.set(vmid, to)
      if (guest?.status !== 'running') continue
      this.#memory.set(from, (this.#memory.get(from) ?? 0) - guest.memoryBytes)
      this.#memory.set(to, (this.#memory.get(to) ?? 0) + guest.memoryBytes)
      this.#cores.set(from, (this.#cores.get(from) ?? 0) - guest.cpuCores)
      this.#cores.set(to, (this.#cores.get(to) ?? 0) + guest.cpuCores)
    }
  }

  /** Every guest that moves counts on both ends. */
  checkWhileMoving(moves: readonly Move[], atStep: number): readonly Violation[] {
    return [
      ...this.#memoryWhile(moves, atStep),
      ...this.#disksWhile(moves, atStep),
      ...this.#apartWhile(moves, atStep),
      ...this.#togetherIn(moves, atStep),
    ]
  }

  /** Whether a strict rule keeps them together, who were so at first. */
  arePartners(one: Vmid, other: Vmid): boolean {
    if (one === other || !this.runs(one) || !this.runs(other)) return false
    return this.cluster.rules.some(
      ({ kind, strict, guests }) =>
        kind === 'keep-together' &&
        strict &&
        guests.includes(one) &&
        guests.includes(other) &&
        !this.#isExempt(kind, one, other),
    )
  }

  /** When the step has ended: cores, and that partners are still together. */
  checkAfter(atStep: number): readonly Violation[] {
    const violations: Violation[] = []
    const cores = this.coresByNode()
    for (const node of this.cluster.nodes) {
      const has = cores.get(node.name) ?? 0
      const limit = this.coresLimit(node)
      if (has <= limit + CORES_TOLERANCE) continue
      const text = `${node.name} would carry ${has} cores, its limit is ${limit}`
      violations.push({ kind: 'cpu-short', node: node.name, atStep, text })
    }
    for (const [one, other] of this.#strictPairs('keep-together')) {
      if (this.#isExempt('keep-together', one, other) || this.placeOf(one) === this.placeOf(other)) continue
      const text = `guests ${one} and ${other} must stay together: ${this.placeOf(one)}, ${this.placeOf(other)}`
      violations.push({ kind: 'keep-together', guest: one, atStep, text })
    }
    return violations
  }

  #memoryWhile(moves: readonly Move[], atStep: number): readonly Violation[] {
    const loads = this.memoryByNode()
    const touched = new Set<NodeName>()
    for (const { guest, to } of moves) {
      if (!this.runs(guest) || this.placeOf(guest) === to) continue
      touched.add(to)
      loads.set(to, (loads.get(to) ?? 0) + (this.guest(guest)?.memoryBytes ?? 0))
    }
    const violations: Violation[] = []
    for (const name of touched) {
      const node = this.node(name)
      const load = loads.get(name) ?? 0
      if (node === undefined || load <= this.memoryLimit(node) + BYTES_TOLERANCE) continue
      const text = `${name} would carry ${gib(load)} while step ${atStep} runs, its limit is ${gib(this.memoryLimit(node))}`
      violations.push({ kind: 'memory-short', node: name, atStep, text })
    }
    return violations
  }

  /** Local disks: what was copied in so far, less what had left before this step, against what was free. */
  #disksWhile(moves: readonly Move[], atStep: number): readonly Violation[] {
    const used = new Map<string, { node: NodeName; storage: string; bytes: number }>()
    const add = (node: NodeName, storage: string, bytes: number) => {
      const entry = this.node(node)?.storages.find(({ id }) => id === storage)
      if (entry === undefined || entry.shared) return
      const key = `${node} ${storage}`
      used.set(key, { node, storage, bytes: (used.get(key)?.bytes ?? 0) + bytes })
    }
    for (const guest of this.#withOwnDisks) {
      const place = this.placeOf(guest.vmid)
      if (place === guest.node) continue
      for (const disk of guest.disks) {
        add(place, disk.storage, disk.bytes)
        add(guest.node, disk.storage, -disk.bytes)
      }
    }
    for (const { guest: vmid, to } of moves) {
      if (this.placeOf(vmid) !== to) for (const disk of this.guest(vmid)?.disks ?? []) add(to, disk.storage, disk.bytes)
    }
    const violations: Violation[] = []
    for (const { node, storage, bytes } of used.values()) {
      const freeBytes = this.node(node)?.storages.find(({ id }) => id === storage)?.freeBytes ?? 0
      if (bytes <= 0 || bytes <= freeBytes) continue
      const text = `${storage} of ${node} has ${gib(freeBytes)} free, ${gib(bytes)} would be needed`
      violations.push({ kind: 'storage-short', node, atStep, text })
    }
    return violations
  }

  #apartWhile(moves: readonly Move[], atStep: number): readonly Violation[] {
    const going = new Map(moves.map(({ guest, to }) => [guest, to]))
    if (going.size === 0) return []
    const violations: Violation[] = []
    for (const [one, other] of this.#strictPairs('keep-apart')) {
      if (!going.has(one) && !going.has(other)) continue
      if (this.#isExempt('keep-apart', one, other)) continue
      const places = (vmid: Vmid) => [this.placeOf(vmid), going.get(vmid) ?? this.placeOf(vmid)]
      const met = places(one).find((node) => places(other).includes(node))
      if (met === undefined) continue
      const text = `guests ${one} and ${other} must be kept apart and meet on ${met} while step ${atStep} runs`
      violations.push({ kind: 'keep-apart', guest: one, node: met, atStep, text })
    }
    return violations
  }

  #togetherIn(moves: readonly Move[], atStep: number): readonly Violation[] {
    const going = new Map(moves.map(({ guest, to }) => [guest, to]))
    if (going.size === 0) return []
    const violations: Violation[] = []
    for (const [one, other] of this.#strictPairs('keep-together')) {
      if (this.#isExempt('keep-together', one, other) || going.get(one) === going.get(other)) continue
      const text = `guests ${one} and ${other} must stay together and do not move to one node in one step`
      violations.push({ kind: 'keep-together', guest: going.has(one) ? one : other, atStep, text })
    }
    return violations
  }

  /** Pairs of running guests under a strict rule. */
  *#strictPairs(kind: PairRule['kind']): Generator<readonly [Vmid, Vmid]> {
    for (const rule of this.cluster.rules) {
      if (rule.kind !== kind || !rule.strict) continue
      const running = [...new Set(rule.guests)].filter((vmid) => this.runs(vmid))
      for (const [index, one] of running.entries()) {
        for (const other of running.slice(index + 1)) yield [one, other]
      }
    }
  }
}
