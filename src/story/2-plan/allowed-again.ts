/** What is over a limit or breaks a rule before anything is moved, and may again: recorded with the origins, for the way home. */
import type { ClusterObservation } from '#domain/cluster'
import type { Rule } from '#domain/guest'
import type { NodeName, Vmid } from '#domain/ids'
import type { BrokenBefore } from '#domain/plan'
import type { PlanPolicy } from '#domain/policy'
import type { BoardInput } from './board.ts'

export function allowedAgain(cluster: ClusterObservation, policy: PlanPolicy): BrokenBefore {
  const running = cluster.guests.filter(({ status }) => status === 'running')
  const byNode = Map.groupBy(running, ({ node }) => node)
  const nodes = cluster.nodes.flatMap(({ name, memoryBytes, memoryUsedBytes, cpuCores }) => {
    const here = byNode.get(name) ?? []
    const loadBytes = here.reduce((sum, guest) => sum + guest.memoryBytes, memoryUsedBytes)
    const loadCores = here.reduce((sum, guest) => sum + guest.cpuCores, 0)
    const isOver =
      loadBytes > memoryBytes * (1 - policy.memoryHeadroomFraction) || loadCores > cpuCores * policy.cpuOvercommit
    return isOver ? [{ node: name, loadBytes, memoryBytes, loadCores, cpuCores }] : []
  })
  const placeOf = new Map(running.map(({ vmid, node }) => [vmid, node]))
  return {
    nodes,
    together: pairsOf(cluster.rules, 'keep-apart', placeOf).filter(([a, b]) => placeOf.get(a) === placeOf.get(b)),
    apart: pairsOf(cluster.rules, 'keep-together', placeOf).filter(([a, b]) => placeOf.get(a) !== placeOf.get(b)),
  }
}

/** Pairs of running guests under a strict rule of this kind. */
function pairsOf(
  rules: readonly Rule[],
  kind: 'keep-apart' | 'keep-together',
  placeOf: ReadonlyMap<Vmid, NodeName>,
): readonly (readonly [Vmid, Vmid])[] {
  return rules.flatMap((rule) => {
    if (rule.kind !== kind || !rule.strict) return []
    const guests = [...new Set(rule.guests)].filter((guest) => placeOf.has(guest))
    return guests.flatMap((one, index) => guests.slice(index + 1).map((other) => [one, other] as const))
  })
}

export const isNothingAllowed = ({ nodes, together, apart }: BrokenBefore) =>
  nodes.length + together.length + apart.length === 0

/** The same for the board: loads that count still, and pairs. */
export function allowancesOf(
  before: BrokenBefore,
  { nodes }: ClusterObservation,
): Pick<BoardInput, 'memoryFloorBytes' | 'cpuFloorCores' | 'pairsBroken'> {
  const sizes = new Map(nodes.map((node) => [node.name, node]))
  const asLarge = before.nodes.filter(({ node, memoryBytes, cpuCores }) => {
    const now = sizes.get(node)
    return now !== undefined && now.memoryBytes >= memoryBytes && now.cpuCores >= cpuCores
  })
  const together = new Set(before.together.flatMap(([one, other]) => [`${one} ${other}`, `${other} ${one}`]))
  return {
    memoryFloorBytes: new Map(asLarge.map(({ node, loadBytes }) => [node, loadBytes])),
    cpuFloorCores: new Map(asLarge.map(({ node, loadCores }) => [node, loadCores])),
    pairsBroken: (one, other) => together.has(`${one.vmid} ${other.vmid}`),
  }
}
