/** What was over a limit or against a strict rule before anything moved: said, and never made worse. */
import type { ClusterObservation } from '#domain/cluster'
import type { Guest, Rule } from '#domain/guest'
import type { Vmid } from '#domain/ids'
import type { Node } from '#domain/node'
import type { Violation } from '#domain/plan'
import type { PlanPolicy } from '#domain/policy'

const GIB = 2 ** 30
const inGib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`

/** Of running guests alone: who is stopped fills nothing and meets nobody. */
export function brokenBefore({ nodes, guests, rules }: ClusterObservation, policy: PlanPolicy): readonly Violation[] {
  const running = guests.filter(({ status }) => status === 'running')
  const byNode = Map.groupBy(running, ({ node }) => node)
  const byId = new Map(running.map((guest) => [guest.vmid, guest]))
  return [
    ...nodes.flatMap((node) => overLimits(node, byNode.get(node.name) ?? [], policy)),
    ...rules.flatMap((rule, index) => (rule.strict ? ruleBroken(rule, index, byId) : [])),
  ]
}

function overLimits(node: Node, here: readonly Guest[], policy: PlanPolicy): readonly Violation[] {
  const found: Violation[] = []
  const { name } = node
  const bytes = here.reduce((sum, { memoryBytes }) => sum + memoryBytes, node.memoryUsedBytes)
  const limitBytes = node.memoryBytes * (1 - policy.memoryHeadroomFraction)
  if (bytes > limitBytes + 1) {
    const text = `${name} carries ${inGib(bytes)} already, its limit is ${inGib(limitBytes)}`
    found.push({ kind: 'memory-short', node: name, text })
  }
  const cores = here.reduce((sum, { cpuCores }) => sum + cpuCores, 0)
  const limitCores = node.cpuCores * policy.cpuOvercommit
  if (cores > limitCores + 1e-6) {
    found.push({
      kind: 'cpu-short',
      node: name,
      text: `${name} carries ${cores} cores already, its limit is ${limitCores}`,
    })
  }
  return found
}

function ruleBroken(rule: Rule, index: number, byId: ReadonlyMap<Vmid, Guest>): readonly Violation[] {
  const members = [...new Set(rule.guests)].flatMap((vmid) => byId.get(vmid) ?? [])
  const name = `rules[${index}]`
  switch (rule.kind) {
    case 'pin':
      return members
        .filter(({ node }) => !rule.nodes.includes(node))
        .map(({ vmid, node }) => ({
          kind: 'pinned',
          guest: vmid,
          node,
          text: `guest ${vmid} runs on ${node} already, and ${name} pins it to ${rule.nodes.join(', ')}`,
        }))
    case 'keep-apart':
      return [...Map.groupBy(members, ({ node }) => node)]
        .filter(([, group]) => group.length > 1)
        .map(([node, group]) => ({
          kind: 'keep-apart',
          node,
          text: `guests ${idsOf(group)} share ${node} already, and ${name} keeps them apart`,
        }))
    case 'keep-together': {
      const places = new Set(members.map(({ node }) => node))
      if (places.size < 2) return []
      const text = `guests ${idsOf(members)} are on ${[...places].join(', ')} already, and ${name} keeps them together`
      return [{ kind: 'keep-together', text }]
    }
  }
}

const idsOf = (guests: readonly Guest[]): string => guests.map(({ vmid }) => vmid).join(', ')
