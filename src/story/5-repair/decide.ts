/** The interlock: the answer to "may I touch it now?", and whether a technician's answer is about this node. Pure. */
import type { Blocker } from '#domain/blocker'
import { type CephObservation, osdsOf } from '#domain/ceph'
import type { ClusterObservation } from '#domain/cluster'
import type { NodeName } from '#domain/ids'
import type { Interlock, Place, WorkOrderAnswer } from '#domain/maintenance'

export type InterlockFacts = {
  readonly node: NodeName
  readonly nowMs: number
  /** 'dark': the BMC does not answer. After off was proven, that means cords pulled, while node and OSDs stay down. */
  readonly power: 'on' | 'off' | 'dark'
  /** What the BMC said when it last spoke; off was proven before anybody was sent. */
  readonly lastSeen: 'on' | 'off'
  readonly cluster: ClusterObservation | 'unseen'
  readonly ceph: CephObservation | 'none' | 'unseen'
  readonly leaseStands: boolean
}

/** Every reason against, all of them; safe only when there is none. Never safe by silence: what was not seen is a reason. */
export function interlockOf(facts: InterlockFacts): Interlock {
  const reasons = [...ownReasons(facts), ...elsewhereReasons(facts)]
  if (reasons.length > 0) return { is: 'not-safe', reasons }
  const how = facts.power === 'dark' ? 'cords are pulled, the node was proven off before' : 'off by its own BMC'
  const data = facts.ceph === 'none' ? '' : ', its data kept whole elsewhere'
  return { is: 'safe', sinceMs: facts.nowMs, text: `${how}, empty${data}` }
}

function ownReasons({ node, power, lastSeen, cluster, ceph, leaseStands }: InterlockFacts): readonly string[] {
  const reasons: string[] = []
  if (power === 'on') reasons.push(`${node} has power: hands off`)
  if (power === 'dark' && lastSeen === 'on')
    reasons.push(`the BMC of ${node} is silent, and it had power when it last spoke: hands off`)
  if (cluster === 'unseen') reasons.push('the cluster does not answer: nobody knows its state')
  else if (cluster.nodes.some((one) => one.name === node && one.online)) reasons.push(`${node} is online: hands off`)
  if (ceph === 'unseen') reasons.push('Ceph does not answer: nobody knows its state')
  else if (ceph !== 'none') {
    if (osdsOf(ceph, node).some((osd) => osd.up)) reasons.push(`an OSD of ${node} runs: hands off`)
    if (!leaseStands) reasons.push(`noout of ${node} is not set: wait until it is`)
  }
  return reasons
}

/** Redundancy elsewhere: with this node away, the next loss would hurt. Leave it, or finish fast: said which. */
function elsewhereReasons({ node, cluster, ceph }: InterlockFacts): readonly string[] {
  const reasons: string[] = []
  if (cluster !== 'unseen') {
    const away = cluster.nodes.filter((one) => one.name !== node && !one.online).map((one) => one.name)
    if (away.length > 0)
      reasons.push(`${away.join(', ')} is away too: leave ${node} as it is, or finish fast if it is open`)
    if (!cluster.quorate) reasons.push('corosync has lost quorum: leave it as it is')
  }
  if (ceph !== 'none' && ceph !== 'unseen') {
    const down = ceph.osds.filter((osd) => osd.host !== node && !osd.up)
    if (down.length > 0) {
      const names = down.map((osd) => `osd.${osd.id}`).join(', ')
      reasons.push(`${names} on other hosts down: leave ${node} as it is, or finish fast if it is open`)
    }
  }
  return reasons
}

/** Changed in what a technician reads, not in when it was looked at. */
export function isSameInterlock(one: Interlock | undefined, other: Interlock): boolean {
  if (one === undefined || one.is !== other.is) return false
  if (one.is === 'safe' || other.is === 'safe') return true
  return one.reasons.join('\n') === other.reasons.join('\n')
}

/** The serial that was read off the chassis is the node's, or it is not this node that was opened. */
export function answerBlockers(node: NodeName, place: Place, answer: WorkOrderAnswer): readonly Blocker[] {
  if (answer.serial.trim().toLowerCase() === place.serial.toLowerCase()) return []
  const text = `serial ${answer.serial} was read off, and ${node} has ${place.serial}: this is another’s`
  const lifts = `go to rack ${place.rack}, unit ${place.unit}, where the light blinks, and read the serial there`
  return [{ kind: 'wrong-serial', node, text, lifts }]
}

export const CHECKLIST = [
  'read the serial off the chassis before anything is pulled',
  'clean fans and air paths',
  'check every fan by hand: bearings, play, blades',
  'check bus and backplane for dust, corrosion, bent pins',
  'reseat the connectors of the fans and of the fan board',
  'swap what is worn, and note the new serial',
  'close the cover, all cords back in, hands off',
] as const
