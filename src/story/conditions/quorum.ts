/** Corosync's votes, the other nodes, and what the cluster is busy with. Pure. */
import type { Blocker } from '#domain/blocker'
import { type ClusterObservation, guestsOn, nodeOf } from '#domain/cluster'
import type { NodeName } from '#domain/ids'

/** Quorum now, and after this node's votes are gone; a QDevice counts only where it is up and its qnetd is not on this node. */
export function quorumBlockers(cluster: ClusterObservation, name: NodeName): readonly Blocker[] {
  const lifts = 'bring the other nodes (or the QDevice) back first'
  if (!cluster.quorate) {
    return [{ kind: 'cluster-not-quorate', text: `corosync of ${cluster.name} has no quorum`, lifts }]
  }
  const votesOf = (node: NodeName) => cluster.votes[node] ?? 1
  const total = cluster.nodes.reduce((sum, node) => sum + votesOf(node.name), 0) + cluster.qdeviceVotes
  const qnetdIsHere = cluster.roles.some((role) => role.kind === 'qnetd' && role.node === name)
  const qdevice = cluster.qdeviceUp && !qnetdIsHere ? cluster.qdeviceVotes : 0
  const others = cluster.nodes.filter((node) => node.name !== name && node.online)
  const left = others.reduce((sum, node) => sum + votesOf(node.name), 0) + qdevice
  const needed = Math.floor(total / 2) + 1
  if (left >= needed) return []
  const text = `without ${name} corosync has ${left} of ${total} votes, and needs ${needed}`
  return [{ kind: 'quorum-after-loss', node: name, text, lifts }]
}

/** Nobody else is away: one failure domain at a time. */
export function othersAwayBlockers(cluster: ClusterObservation, name: NodeName): readonly Blocker[] {
  return cluster.nodes
    .filter((node) => node.name !== name && (!node.online || node.maintenance))
    .map((node) => ({
      kind: 'another-node-away',
      node: node.name,
      text: node.online ? `${node.name} is in maintenance mode` : `${node.name} is offline`,
      lifts: `${node.name} is back`,
    }))
}

/** What makes moving guests unsafe at this moment. */
function movingBlockers(cluster: ClusterObservation): readonly Blocker[] {
  const blockers: Blocker[] = cluster.corosyncLinksDown.map(({ node, link }) => ({
    kind: 'corosync-unstable',
    node,
    text: `corosync ${link} of ${node} is down`,
    lifts: 'the link is up again',
  }))
  if (cluster.migrationNetworkIsCorosyncLink === true) {
    blockers.push({
      kind: 'migration-network-is-corosync',
      text: 'migrations run over a corosync link: a copy can cost the cluster its token',
      lifts: 'set migration: network= in datacenter.cfg to another network, or an approver lifts it',
    })
  }
  if (cluster.blind.length > 0) {
    const text = `this was not seen: ${cluster.blind.join('; ')}`
    blockers.push({
      kind: 'observation-blind',
      text,
      lifts: 'grant the missing rights, set the clocks right, or bring back what does not answer',
    })
  }
  return blockers
}

/** What stops new moves at once, on the way out and on the way home; the ones under way go on to their end. */
export const brakeBlockers = (cluster: ClusterObservation, name: NodeName): readonly Blocker[] => [
  ...quorumBlockers(cluster, name),
  ...othersAwayBlockers(cluster, name),
  ...movingBlockers(cluster),
]

/** Tasks on the node that are not ours: restores, clones, backups are waited for. */
export function busyBlockers(cluster: ClusterObservation, name: NodeName): readonly Blocker[] {
  const ours = new Set(['qmigrate', 'vzmigrate', 'hamigrate'])
  return cluster.tasks
    .filter((task) => task.node === name && !ours.has(task.type))
    .map((task) => ({
      kind: 'node-busy',
      node: name,
      text: `PVE task ${task.type}${task.guest === undefined ? '' : ` of guest ${task.guest}`} runs on ${name}`,
      lifts: 'it ends',
    }))
}

/** A node may lose power only when HA would not answer by fencing it or by starting its guests elsewhere. */
export function lrmBlockers(cluster: ClusterObservation, name: NodeName): readonly Blocker[] {
  const lrm = nodeOf(cluster, name)?.lrm
  if (lrm === undefined || lrm.state === 'absent') return []
  const blockers: Blocker[] = []
  const hasHaGuests = guestsOn(cluster, name).some((guest) => guest.ha.managed && guest.status === 'running')
  if (lrm.state === 'lost' || (lrm.state === 'active' && hasHaGuests)) {
    const text = `the LRM of ${name} is ${lrm.state}`
    blockers.push({ kind: 'lrm-not-idle', node: name, text, lifts: 'it is idle, or in maintenance mode' })
  }
  if (lrm.watchdog === 'active' && lrm.state !== 'maintenance') {
    const text = `the watchdog of ${name} is armed: the node would be fenced`
    blockers.push({ kind: 'watchdog-armed', node: name, text, lifts: 'HA maintenance mode is on, or the LRM is idle' })
  }
  return blockers
}
