/** The doctor's word on the cluster as it stands: votes, QDevice, networks, and what a shutdown does to HA's guests. */
import type { Check } from '#domain/check'
import type { ClusterFacts } from './look-cluster.ts'

const about = (subject: string) => ({ area: 'proxmox', subject }) as const

export const clusterChecks = (cluster: ClusterFacts): readonly Check[] => [
  quorumCheck(cluster),
  ...qdeviceChecks(cluster),
  networkCheck(cluster),
  shutdownCheck(cluster),
]

/** Votes by themselves: which node may go is asked again in each maintenance. */
function quorumCheck({ quorate, members, votes, qdeviceVotes, qdeviceUp }: ClusterFacts): Check {
  const each = members.map(({ name, online }) => ({ name, online, votes: votes[name] ?? 1 }))
  const expected = each.reduce((sum, node) => sum + node.votes, 0) + qdeviceVotes
  const needed = Math.floor(expected / 2) + 1
  const present = each.reduce((sum, node) => sum + (node.online ? node.votes : 0), 0) + (qdeviceUp ? qdeviceVotes : 0)
  if (!quorate) {
    const text = `corosync has no quorum: ${present} of ${expected} votes, ${needed} are needed; Proxmox refuses every change`
    return {
      ...about('quorum'),
      outcome: 'missing',
      text,
      stages: ['drain', 'isolate', 'reintegrate'],
      mend: 'pvecm status',
    }
  }
  const most = Math.max(0, ...each.filter(({ online }) => online).map((node) => node.votes))
  if (present - most >= needed) {
    return {
      ...about('quorum'),
      outcome: 'fine',
      text: `${present} of ${expected} votes; any node may go, ${needed} are needed`,
    }
  }
  return {
    ...about('quorum'),
    outcome: 'missing',
    text: `${present} of ${expected} votes, ${needed} are needed: a node that goes would take quorum with it`,
    stages: ['isolate'],
    mend: 'On a machine outside the cluster: apt install corosync-qnetd; on a node: pvecm qdevice setup ADDRESS',
  }
}

function qdeviceChecks({ qdeviceVotes, qdeviceUp }: ClusterFacts): readonly Check[] {
  if (qdeviceVotes === 0) return []
  const votes = `${qdeviceVotes} ${qdeviceVotes === 1 ? 'vote' : 'votes'}`
  if (qdeviceUp) return [{ ...about('QDevice'), outcome: 'fine', text: `connected, ${votes}` }]
  const text = `configured and not connected: its ${votes} do not count while a node is away`
  return [{ ...about('QDevice'), outcome: 'dangerous', text, mend: 'systemctl restart corosync-qdevice; pvecm status' }]
}

function networkCheck({ migrationNetworkIsCorosyncLink: isShared }: ClusterFacts): Check {
  const mend = "pvesh set /cluster/options --migration 'secure,network=NETWORK-OF-ITS-OWN/24'"
  const subject = about('migration network')
  if (isShared === false) return { ...subject, outcome: 'fine', text: 'apart from corosync’s links' }
  if (isShared === true) {
    const text = 'migrations run over a link of corosync’s: a drain that fills it looks like a dead node, and HA fences'
    return { ...subject, outcome: 'dangerous', text, stages: ['drain', 'reintegrate'], mend }
  }
  const text =
    'whether migrations run over a link of corosync’s cannot be told: ring addresses are names, or could not be read'
  return {
    ...subject,
    outcome: 'missing',
    text,
    stages: ['drain'],
    mend: `pvecm status; grep ring /etc/pve/corosync.conf; if they do: ${mend}`,
  }
}

/** The node is empty when it is shut down; this is about a guest that slipped back. */
const ON_SHUTDOWN = {
  conditional: { outcome: 'fine', text: 'conditional: a guest under HA that slipped back is recovered elsewhere' },
  failover: { outcome: 'fine', text: 'failover: a guest under HA that slipped back is recovered elsewhere' },
  migrate: { outcome: 'fine', text: 'migrate: HA moves its guests away by itself before the node goes' },
  freeze: {
    outcome: 'dangerous',
    text: 'freeze: a guest under HA that slipped back stays down with the node, as long as the repair takes',
    mend: "pvesh set /cluster/options --ha 'shutdown_policy=conditional'",
  },
} as const

const shutdownCheck = ({ shutdownPolicy }: ClusterFacts): Check => ({
  ...about('shutdown_policy'),
  ...ON_SHUTDOWN[shutdownPolicy],
})
