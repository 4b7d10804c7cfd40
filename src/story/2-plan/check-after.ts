/** What the checker asks of a plan's own picture of the end: how full every node is by then. */
import type { NodeName } from '#domain/ids'
import type { Plan, Violation } from '#domain/plan'
import type { CheckWorld } from './check-world.ts'

/** Fractions are rounded to four places. */
const TOLERANCE = 1.5e-4

/**
 * `world` stands at the end of the plan. Asked only with the look that the plan was made from: what hosts use themselves drifts from look to
 * look. A person's plan need not say it.
 */
export function checkAfter(world: CheckWorld, plan: Plan): readonly Violation[] {
  if (plan.observedAtMs !== world.cluster.observedAtMs) return []
  const memory = world.memoryByNode()
  const cores = world.coresByNode()
  return plan.after.flatMap(({ node: name, memoryAllocatedFraction, cpuAllocatedFraction }) => {
    const node = world.node(name)
    if (node === undefined) return [unlike(name, 'the cluster does not have it')]
    const memoryFraction = (memory.get(name) ?? 0) / node.memoryBytes
    const cpuFraction = (cores.get(name) ?? 0) / node.cpuCores
    return [
      ...(isUnlike(memoryFraction, memoryAllocatedFraction)
        ? [unlike(name, `memory ${memoryAllocatedFraction}, its moves make it ${memoryFraction.toFixed(4)}`)]
        : []),
      ...(isUnlike(cpuFraction, cpuAllocatedFraction)
        ? [unlike(name, `cores ${cpuAllocatedFraction}, its moves make it ${cpuFraction.toFixed(4)}`)]
        : []),
    ]
  })
}

const isUnlike = (one: number, other: number): boolean => Math.abs(one - other) > TOLERANCE

const unlike = (node: NodeName, what: string): Violation => ({
  kind: 'after',
  node,
  text: `the plan says of ${node} afterwards: ${what}`,
})
