/** How others choose targets, as far as their ways are known: plans to be judged by the same checker, all moves in one step. */
import type { ClusterObservation } from '#domain/cluster'
import type { Guest } from '#domain/guest'
import type { NodeName } from '#domain/ids'
import type { Node } from '#domain/node'
import type { Move, Plan } from '#domain/plan'
import type { Case } from './families.ts'

export const BASELINES = ['one-target bulk', 'greedy, smallest first', 'HA-static-like'] as const
export type Baseline = (typeof BASELINES)[number]

export function baselinePlan(baseline: Baseline, one: Case, like: Plan): Plan {
  const moves = movesOf(baseline, one)
  return { ...like, moves, feasible: true, wayHome: [] }
}

function movesOf(baseline: Baseline, one: Case): readonly Move[] {
  const { cluster, drain } = one
  const leaving = cluster.guests.filter(({ node, status }) => status === 'running' && drain.includes(node))
  const loads = new Loads(cluster)
  const targets = cluster.nodes.filter(
    ({ name, online, maintenance }) => online && !maintenance && !drain.includes(name),
  )
  switch (baseline) {
    case 'one-target bulk': {
      const [target] = targets.toSorted((a, b) => loads.fraction(a) - loads.fraction(b))
      return target === undefined ? [] : leaving.map((guest) => moveTo(guest, target))
    }
    case 'greedy, smallest first':
      return leaving
        .toSorted((a, b) => a.memoryBytes - b.memoryBytes)
        .flatMap((guest) =>
          loads.send(
            guest,
            leastOf(targets, (node) => loads.fraction(node)),
          ),
        )
    case 'HA-static-like':
      return leaving.flatMap((guest) => {
        const allowed = targets.filter((node) => isAllowedByRules(cluster, loads, guest, node))
        return loads.send(
          guest,
          leastOf(allowed, (node) => loads.scoreWith(guest, node)),
        )
      })
  }
}

class Loads {
  readonly #bytes = new Map<NodeName, number>()
  readonly #cores = new Map<NodeName, number>()
  readonly at = new Map<Guest['vmid'], NodeName>()

  constructor({ nodes, guests }: ClusterObservation) {
    for (const { name, memoryUsedBytes } of nodes) this.#bytes.set(name, memoryUsedBytes)
    for (const guest of guests) if (guest.status === 'running') this.#add(guest, guest.node)
  }

  fraction = ({ name, memoryBytes }: Node): number => (this.#bytes.get(name) ?? 0) / memoryBytes

  /** Memory and cores after the guest has arrived, squared as a distance from an empty node. */
  scoreWith(guest: Guest, node: Node): number {
    const memory = ((this.#bytes.get(node.name) ?? 0) + guest.memoryBytes) / node.memoryBytes
    const cores = ((this.#cores.get(node.name) ?? 0) + guest.cpuCores) / node.cpuCores
    return memory ** 2 + (cores / 4) ** 2
  }

  send(guest: Guest, target: Node | undefined): readonly Move[] {
    if (target === undefined) return []
    this.#add(guest, target.name)
    return [moveTo(guest, target)]
  }

  #add(guest: Guest, name: NodeName): void {
    this.at.set(guest.vmid, name)
    this.#bytes.set(name, (this.#bytes.get(name) ?? 0) + guest.memoryBytes)
    this.#cores.set(name, (this.#cores.get(name) ?? 0) + guest.cpuCores)
  }
}

/** Node affinity and resource affinity, as far as each can be kept. Storage, bridges and CPU models it does not ask about. */
function isAllowedByRules({ rules }: ClusterObservation, loads: Loads, guest: Guest, node: Node): boolean {
  return rules.every((rule) => {
    if (!rule.guests.includes(guest.vmid)) return true
    if (rule.kind === 'pin') return rule.nodes.includes(node.name)
    if (rule.kind === 'keep-together') return true
    return rule.guests.every((other) => other === guest.vmid || loads.at.get(other) !== node.name)
  })
}

function leastOf(nodes: readonly Node[], costOf: (node: Node) => number): Node | undefined {
  let least: { node: Node; cost: number } | undefined
  for (const node of nodes) {
    const cost = costOf(node)
    if (least === undefined || cost < least.cost) least = { node, cost }
  }
  return least?.node
}

const moveTo = (guest: Guest, { name }: Node): Move => ({
  step: 1,
  guest: guest.vmid,
  from: guest.node,
  to: name,
  mode: guest.kind === 'ct' ? 'restart' : 'live',
  purpose: 'drain',
  startsAtS: 0,
  endsAtS: 0,
  forecastBlackoutMs: 0,
})
