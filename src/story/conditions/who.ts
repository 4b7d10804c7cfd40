/** Who is who: the right node, the right BMC, and what else lives there. Pure. */
import type { Blocker } from '#domain/blocker'
import { type ClusterObservation, guestsOn, nodeOf } from '#domain/cluster'
import type { NodeName } from '#domain/ids'
import type { Known } from '#domain/measured'

/** What a BMC said of itself beside what the node's DMI says; or that it said nothing. */
export type IdentityProof =
  | {
      readonly is: 'answered'
      readonly bmc: { readonly systemUuid: Known<string>; readonly serial: Known<string> }
      readonly dmi: { readonly systemUuid: string; readonly serial: Known<string> }
    }
  | { readonly is: 'silent'; readonly text: string }

/** No power command without this: the BMC's GUID or serial equals the node's DMI. Two swapped BMC addresses are a classic. */
export function identityBlockers(node: NodeName, proof: IdentityProof): readonly Blocker[] {
  if (proof.is === 'silent') {
    return [
      {
        kind: 'bmc-unreachable',
        node,
        text: `the BMC of ${node} does not answer: ${proof.text}`,
        lifts: 'the BMC answers again',
      },
    ]
  }
  const { bmc, dmi } = proof
  const pairs = [
    ['system UUID', bmc.systemUuid, dmi.systemUuid],
    ['serial', bmc.serial, dmi.serial],
  ] as const
  const known = pairs.filter(([, ofBmc, ofNode]) => ofBmc !== 'unknown' && ofNode !== 'unknown')
  const differs = known.find(([, ofBmc, ofNode]) => ofBmc.toLowerCase() !== ofNode.toLowerCase())
  const lifts = `correct the BMC address of ${node}, so that the BMC and the node name the same serial`
  if (differs !== undefined) {
    const text = `the BMC that should be ${node}’s has ${differs[0]} ${differs[1]}, the node has ${differs[2]}: it is another’s`
    return [{ kind: 'bmc-identity-unproven', node, text, lifts }]
  }
  if (known.length > 0) return []
  return [
    {
      kind: 'bmc-identity-unproven',
      node,
      text: `the BMC of ${node} names neither UUID nor serial that we know of the node`,
      lifts: `write the serial into the BMC of ${node} (its FRU may be empty), or correct its address`,
    },
  ]
}

/** Whether the node is there, online, not in somebody else's hands, and alone in its failure domain. */
export function nodeBlockers(cluster: ClusterObservation, name: NodeName): readonly Blocker[] {
  const node = nodeOf(cluster, name)
  if (node === undefined) {
    const known = cluster.nodes.map((one) => one.name).join(', ')
    const lifts = `name one of ${known}`
    return [{ kind: 'node-unknown', node: name, text: `cluster ${cluster.name} has no node ${name}`, lifts }]
  }
  const blockers: Blocker[] = []
  if (!node.online) {
    blockers.push({ kind: 'node-offline', node: name, text: `${name} is offline`, lifts: 'the node is online again' })
  }
  if (node.maintenance) {
    const text = `${name} is in maintenance mode already, and not by this maintenance`
    blockers.push({
      kind: 'node-in-maintenance',
      node: name,
      text,
      lifts: `ha-manager crm-command node-maintenance disable ${name}`,
    })
  }
  const mates = cluster.nodes.filter(
    (one) => one.chassis !== undefined && one.chassis === node.chassis && one.name !== name,
  )
  if (mates.length > 0) {
    const names = mates.map((mate) => mate.name).join(', ')
    const text = `${name} shares chassis ${node.chassis} with ${names}: fans and supplies are common`
    blockers.push({
      kind: 'chassis-shared',
      node: name,
      text,
      lifts: 'an approver lifts it: the repair touches this node’s parts alone',
    })
  }
  return [...blockers, ...roleBlockers(cluster, name)]
}

const ROLE_WORDS = {
  coulisse: 'Coulisse itself',
  qnetd: 'the QDevice’s qnetd',
  backup: 'the backup server',
  dns: 'a DNS server',
  router: 'a router',
} as const

function roleBlockers(cluster: ClusterObservation, name: NodeName): readonly Blocker[] {
  const here = new Set(guestsOn(cluster, name).map((guest) => guest.vmid))
  return cluster.roles
    .filter((role) => role.node === name || (role.guest !== undefined && here.has(role.guest)))
    .map((role): Blocker => {
      const what = role.guest === undefined ? ROLE_WORDS[role.kind] : `${ROLE_WORDS[role.kind]} (guest ${role.guest})`
      const place = { node: name, ...(role.guest === undefined ? {} : { guest: role.guest }) }
      if (role.kind !== 'coulisse') {
        const lifts = 'an approver lifts it: it may move, or be away'
        return { kind: 'role-on-node', ...place, text: `${what} lives on ${name}`, lifts }
      }
      const lifts = 'move that guest to another node first; Coulisse goes on from there'
      return { kind: 'coulisse-on-node', ...place, text: `${what} lives on ${name}: it would switch itself off`, lifts }
    })
}
