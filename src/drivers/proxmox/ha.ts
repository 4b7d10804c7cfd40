/** What Proxmox's HA stack tells: rules (9.x) or groups (8.x), the LRM of each node, the CRM's master, maintenance mode. */

import type { z } from 'zod'
import type { Rule } from '#domain/guest'
import { type NodeName, nodeName, type Vmid, vmid } from '#domain/ids'
import type { Lrm } from '#domain/node'
import type { haCurrent, haGroups, haResources, haRules, managerStatus } from './wire.ts'

/** 'vm:100,ct:101' */
function guestsOf(resources: string | undefined): readonly Vmid[] {
  return [...(resources ?? '').matchAll(/(?:vm|ct):(\d+)/g)].map((match) => vmid(Number(match[1])))
}

/** 'pve1:2,pve2' with priorities, which order what is allowed and forbid nothing. */
function nodesOf(nodes: string | undefined): readonly NodeName[] {
  return (nodes ?? '').split(',').flatMap((part) => (part === '' ? [] : [nodeName(part.split(':')[0] ?? part)]))
}

export function rulesOfHa(rules: z.output<typeof haRules>): readonly Rule[] {
  return rules.flatMap((rule): readonly Rule[] => {
    const guests = guestsOf(rule.resources)
    if (rule.disable === true || guests.length === 0) return []
    if (rule.type === 'node-affinity') {
      return [{ kind: 'pin', guests, nodes: nodesOf(rule.nodes), strict: rule.strict === true }]
    }
    if (rule.type !== 'resource-affinity') return []
    return [{ kind: rule.affinity === 'negative' ? 'keep-apart' : 'keep-together', guests, strict: true }]
  })
}

/** 8.x: a group binds the resources that name it; `restricted` makes it strict. */
export function rulesOfGroups(
  groups: z.output<typeof haGroups>,
  resources: z.output<typeof haResources>,
): readonly Rule[] {
  return groups.flatMap((group): readonly Rule[] => {
    const members = resources.filter((resource) => resource.group === group.group)
    const guests = guestsOf(members.map((resource) => resource.sid).join(','))
    if (guests.length === 0) return []
    return [{ kind: 'pin', guests, nodes: nodesOf(group.nodes), strict: group.restricted === true }]
  })
}

export type HaView = {
  readonly managed: ReadonlyMap<Vmid, string | undefined>
  readonly lrmOf: (node: string) => Lrm
  readonly inMaintenance: (node: string) => boolean
  /** HA was never used here: nobody answers for maintenance mode. */
  readonly inUse: boolean
  readonly master: NodeName | undefined
}

/** Recorded: 'pve2 (maintenance mode, watchdog active, Sun …)', 'pve3 (old timestamp - dead?, watchdog standby, …)'. */
function lrmOf(text: string | undefined, state: string | undefined, mode: string | undefined): Lrm {
  if (text === undefined && state === undefined) return { state: 'absent', watchdog: 'unknown' }
  const watchdog = /watchdog (active|standby)/.exec(text ?? '')?.[1] as 'active' | 'standby' | undefined
  return { state: lrmState(text ?? '', state, mode), watchdog: watchdog ?? 'unknown' }
}

function lrmState(text: string, state: string | undefined, mode: string | undefined): Lrm['state'] {
  if (/old timestamp|dead\?/.test(text) || state === 'lost_agent_lock') return 'lost'
  if (mode === 'maintenance' || state === 'maintenance' || /maintenance/.test(text)) return 'maintenance'
  return state === 'active' || (state === undefined && /\(active/.test(text)) ? 'active' : 'idle'
}

export function haView(told: {
  readonly resources: z.output<typeof haResources>
  readonly current: z.output<typeof haCurrent>
  readonly manager: z.output<typeof managerStatus>
}): HaView {
  const lrmTexts = new Map(told.current.filter((item) => item.type === 'lrm').map((item) => [item.node, item.status]))
  const nodeStatus = told.manager.manager_status?.node_status ?? {}
  const master = told.manager.manager_status?.master_node ?? told.current.find((item) => item.type === 'master')?.node
  return {
    managed: new Map(
      told.resources.flatMap((resource) => guestsOf(resource.sid).map((guest) => [guest, resource.state] as const)),
    ),
    lrmOf(node) {
      const lrm = told.manager.lrm_status?.[node]
      return lrmOf(lrmTexts.get(node), lrm?.state, lrm?.mode)
    },
    inMaintenance: (node) => nodeStatus[node] === 'maintenance',
    inUse: Object.keys(nodeStatus).length > 0,
    master: master === undefined ? undefined : nodeName(master),
  }
}
