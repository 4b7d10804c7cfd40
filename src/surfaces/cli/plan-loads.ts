/** What every node carries before and after a plan. */
import type { ClusterObservation } from '#domain/cluster'
import type { Plan } from '#domain/plan'

/** Of larger clusters, the drained nodes and those that change most. */
const NODES_SHOWN = 24

type Load = { readonly memory: number; readonly cores: number }

export type NodeLoad = {
  readonly name: string
  /** 'drained', 'offline', 'maintenance', or empty. */
  readonly state: string
  /** Parts of its memory, and cores allocated by each core that it has. */
  readonly was: Load
  readonly is: Load
}

export type NodeLoads = {
  readonly shown: readonly NodeLoad[]
  /** The others, and the largest change of memory among them. */
  readonly others: number
  readonly othersChange: number
  /** The most of them, 1 at least: where a bar of cores ends. */
  readonly mostCores: number
}

export function nodeLoads(plan: Plan, cluster: ClusterObservation): NodeLoads {
  const running = Map.groupBy(
    cluster.guests.filter(({ status }) => status === 'running'),
    ({ node }) => node,
  )
  const after = new Map(plan.after.map((then) => [then.node, then]))
  const all = cluster.nodes.map(({ name, memoryBytes, memoryUsedBytes, cpuCores, online, maintenance }): NodeLoad => {
    const here = running.get(name) ?? []
    const bytes = here.reduce((sum, guest) => sum + guest.memoryBytes, memoryUsedBytes)
    const was = { memory: bytes / memoryBytes, cores: here.reduce((sum, guest) => sum + guest.cpuCores, 0) / cpuCores }
    const then = after.get(name)
    return {
      name,
      state: plan.drain.includes(name) ? 'drained' : online ? (maintenance ? 'maintenance' : '') : 'offline',
      was,
      is: { memory: then?.memoryAllocatedFraction ?? was.memory, cores: then?.cpuAllocatedFraction ?? was.cores },
    }
  })
  const change = ({ was, is }: NodeLoad) => Math.abs(was.memory - is.memory)
  const byChange = all.toSorted((a, b) => rank(a) - rank(b) || change(b) - change(a))
  const others = byChange.slice(NODES_SHOWN)
  const shown = all.filter((node) => !others.includes(node))
  const mostCores = Math.max(1, ...shown.flatMap(({ was, is }) => [was.cores, is.cores]))
  return { shown, others: others.length, othersChange: Math.max(0, ...others.map(change)), mostCores }
}

const rank = ({ state }: NodeLoad): number => (state === 'drained' ? 0 : 1)
