/** A makespan that no plan goes below, from the observation alone. */
import type { ClusterObservation } from '#domain/cluster'
import type { NodeName } from '#domain/ids'
import type { ForecastModel } from '#domain/plan'
import { takersOf } from './eligibility.ts'

/** The largest of: all that leaves a node over its link; the longest single guest; all that leaves, over every link that takes it. */
export function lowerBoundS(cluster: ClusterObservation, drain: readonly NodeName[], model: ForecastModel): number {
  const links = new Map(cluster.nodes.map((node) => [node.name, node.linkBitsPerSecond]))
  const outBits = new Map<NodeName, number>()
  let bound = 0
  for (const guest of cluster.guests) {
    if (guest.status !== 'running' || !drain.includes(guest.node)) continue
    const bits = guest.residentBytes * 8
    const linkBitsPerSecond = links.get(guest.node) ?? Number.POSITIVE_INFINITY
    outBits.set(guest.node, (outBits.get(guest.node) ?? 0) + bits)
    bound = Math.max(bound, bits / Math.min(linkBitsPerSecond, model.streamBitsPerSecond) + model.fixedSecondsPerMove)
  }
  let allBits = 0
  for (const [node, bits] of outBits) {
    bound = Math.max(bound, bits / (links.get(node) ?? Number.POSITIVE_INFINITY))
    allBits += bits
  }
  const inBitsPerSecond = takersOf(cluster.nodes, drain).reduce((sum, node) => sum + node.linkBitsPerSecond, 0)
  return inBitsPerSecond > 0 ? Math.max(bound, allBits / inBitsPerSecond) : bound
}
