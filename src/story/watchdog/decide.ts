/** What is wrong, from outside: leases, flags and modes that nobody looks after, maintenances that stand still, and who is gone. Pure. */
import { isNooutSet, type NooutLease, osdsOf } from '#domain/ceph'
import { expectedBy } from '#domain/expected'
import { dateTimeText, durationText } from '#domain/figures'
import type {
  Alert,
  AlertKind,
  CephLook,
  DatabaseLook,
  Seen,
  WatchdogFacts,
  WatchdogPolicy,
  WatchedMaintenance,
} from './observation.ts'

const OWNER_PREFIX = 'coulisse/'
/** The story renews at half of its time: one that has less than a quarter left is not renewed any more. */
const SOON_FRACTION = 4

export type Verdict = {
  readonly alerts: readonly Alert[]
  /** What could not be judged this time: an alert of such a kind that stood before is not over. */
  readonly blind: readonly AlertKind[]
}

export function decide(facts: WatchdogFacts, policy: WatchdogPolicy): Verdict {
  const { database, ceph } = facts
  const leases = ceph.is === 'seen' ? ceph.value.leases.filter(isOurs) : []
  return {
    alerts: [
      ...darknessAlerts(facts),
      ...(ceph.is === 'seen' ? ceph.value.unreadable.map(unreadableAlert) : []),
      ...leases.flatMap((lease) => leaseAlerts(facts, policy, lease)),
      ...modeAlerts(facts),
      ...(database.is === 'seen'
        ? database.value.maintenances.flatMap((one) => storyAlerts(one, facts.nowMs, policy))
        : []),
    ],
    blind: blindTo(facts),
  }
}

const isOurs = ({ owner }: NooutLease) => owner.startsWith(OWNER_PREFIX)

function blindTo({ controlPlane, database, ceph, proxmox }: WatchdogFacts): readonly AlertKind[] {
  const blind = new Set<AlertKind>()
  if (controlPlane.is === 'not-asked' && database.is !== 'seen') blind.add('control-plane-gone')
  if (ceph.is === 'unseen')
    for (const kind of ['lease-expired', 'lease-expires-soon', 'lease-unreadable', 'noout-lost'] as const)
      blind.add(kind)
  if (ceph.is === 'unseen' || database.is !== 'seen') blind.add('lease-without-maintenance')
  if (proxmox.is === 'unseen' || database.is !== 'seen') blind.add('maintenance-mode-left')
  if (database.is !== 'seen') for (const kind of ['maintenance-overdue', 'maintenance-stuck'] as const) blind.add(kind)
  return [...blind]
}

/** Answering health, or a worker's lock in the database: either says that somebody goes on with the maintenances. */
function isControlPlaneGone({ controlPlane, database }: WatchdogFacts): boolean {
  if (controlPlane.is === 'seen') return false
  return !(database.is === 'seen' && database.value.workers > 0)
}

function darknessAlerts(facts: WatchdogFacts): readonly Alert[] {
  const { controlPlane, database, ceph, proxmox } = facts
  const dark = (kind: AlertKind, subject: string, look: Seen<unknown>, mend: string): readonly Alert[] =>
    look.is === 'unseen' ? [{ kind, subject, severity: 'critical', text: look.text, mend }] : []
  return [
    ...controlPlaneAlerts(controlPlane, database),
    ...dark('database-gone', 'database', database, 'start PostgreSQL; running migrations end on their own meanwhile'),
    ...dark('ceph-unseen', 'Ceph', ceph, 'leases and noout are unseen until it answers: ceph -s, on a node'),
    ...dark(
      'proxmox-unseen',
      'Proxmox',
      proxmox,
      'maintenance mode is unseen until it answers: pvecm status, on a node',
    ),
  ]
}

const START_IT = 'systemctl status coulisse; start it again: it goes on where it was'

function controlPlaneAlerts(health: Seen<'answers'>, database: Seen<DatabaseLook>): readonly Alert[] {
  const base = { kind: 'control-plane-gone', subject: 'control plane', mend: START_IT } as const
  const workers = database.is === 'seen' ? database.value.workers : undefined
  if (health.is === 'unseen') {
    if (workers === undefined || workers === 0) return [{ ...base, severity: 'critical', text: health.text }]
    return [{ ...base, severity: 'warning', text: `${health.text}; another works on the same database and goes on` }]
  }
  if (workers !== 0) return []
  const [severity, text] =
    health.is === 'seen'
      ? (['warning', 'it answers, and holds no lock in the database: no maintenance goes on'] as const)
      : (['critical', 'none holds its lock in the database: no maintenance goes on'] as const)
  return [{ ...base, severity, text }]
}

const unreadableAlert = ({ host, text }: CephLook['unreadable'][number]): Alert => ({
  kind: 'lease-unreadable',
  subject: host,
  severity: 'critical',
  text: `nobody knows until when: ${text}`,
  mend: `ceph config-key get coulisse/lease/${host}; when nobody works on ${host}: ceph config-key rm coulisse/lease/${host}`,
})

function leaseAlerts(facts: WatchdogFacts, policy: WatchdogPolicy, lease: NooutLease): readonly Alert[] {
  if (facts.ceph.is !== 'seen') return []
  const look = facts.ceph.value
  const { nowMs } = facts
  return [
    ...(nowMs > lease.expiresAtMs
      ? [expired(facts, policy, lease)]
      : soonAlerts(lease, nowMs, leaseMsOf(facts, policy, lease))),
    ...lostAlerts(lease, look),
    ...orphanAlerts(facts, lease),
  ]
}

function expired(facts: WatchdogFacts, policy: WatchdogPolicy, lease: NooutLease): Alert {
  const { host, owner, expiresAtMs } = lease
  const ranOut = `the noout lease of ${owner} on ${host} ran out ${durationText(facts.nowMs - expiresAtMs)} ago`
  const kept = whyNotReleased(facts, policy, lease)
  const text = kept.length === 0 ? `${ranOut}; it may be released` : `${ranOut}; nothing is cleared: ${kept.join('; ')}`
  const mend = `bring ${host} up with all its OSDs; then ceph osd unset-group noout ${host}`
  return { kind: 'lease-expired', subject: host, severity: 'critical', text, mend }
}

/** As long as its maintenance takes it for, where that is known: a renewed lease does not say by how much. */
function leaseMsOf({ database }: WatchdogFacts, { leaseMs }: WatchdogPolicy, lease: NooutLease): number {
  const owner = database.is === 'seen' ? ownerIn(database.value, lease) : undefined
  return owner === undefined ? leaseMs : owner.policy.leaseS * 1000
}

function soonAlerts({ host, owner, expiresAtMs }: NooutLease, nowMs: number, leaseMs: number): readonly Alert[] {
  const leftMs = expiresAtMs - nowMs
  if (leftMs > leaseMs / SOON_FRACTION) return []
  const text = `the noout lease of ${owner} on ${host} ends in ${durationText(leftMs)}, and nobody has renewed it`
  return [{ kind: 'lease-expires-soon', subject: host, severity: 'warning', text, mend: START_IT }]
}

/** Somebody cleared it: with the host's OSDs down, the data move has begun or is about to. */
function lostAlerts(lease: NooutLease, { ceph }: CephLook): readonly Alert[] {
  if (ceph === 'none' || isNooutSet(ceph, lease.host)) return []
  const { host } = lease
  const down = osdsOf(ceph, host).filter((osd) => !osd.up)
  const severity = down.length > 0 ? 'critical' : 'warning'
  const text = `a lease stands on ${host} and noout does not; ${down.length} of its OSDs are down`
  return [{ kind: 'noout-lost', subject: host, severity, text, mend: `ceph osd set-group noout ${host}` }]
}

/** Whose lease it is does not run: nobody will give it back. */
function orphanAlerts({ database }: WatchdogFacts, lease: NooutLease): readonly Alert[] {
  if (database.is !== 'seen') return []
  const owner = ownerIn(database.value, lease)
  if (owner?.saga === 'running') return []
  const { host } = lease
  const why = owner === undefined ? 'no such maintenance is open' : `its maintenance is ${owner.saga}`
  const text = `${lease.owner} holds noout on ${host} until ${dateTimeText(lease.expiresAtMs)}, and ${why}`
  const mend = `bring ${host} up with all its OSDs; then ceph osd unset-group noout ${host}`
  return [{ kind: 'lease-without-maintenance', subject: host, severity: 'critical', text, mend }]
}

const ownerIn = ({ maintenances }: DatabaseLook, { owner }: NooutLease) =>
  maintenances.find(({ id }) => `${OWNER_PREFIX}${id}` === owner)

/**
 * Why the watchdog leaves an expired lease alone; empty: it may be released. With OSDs down, clearing noout starts the very data
 * move that it should prevent; without a journal nothing is done; and while somebody looks after it, it is his.
 */
export function whyNotReleased(
  facts: WatchdogFacts,
  { mayRelease }: WatchdogPolicy,
  lease: NooutLease,
): readonly string[] {
  const { ceph, database, nowMs } = facts
  const reasons: string[] = []
  if (!mayRelease) reasons.push('the policy does not let the watchdog')
  if (!isOurs(lease)) reasons.push(`${lease.owner} is not ours`)
  if (nowMs <= lease.expiresAtMs) reasons.push('it has not run out')
  if (database.is !== 'seen') reasons.push('the journal cannot be written')
  else if (ownerIn(database.value, lease)?.saga === 'running' && !isControlPlaneGone(facts))
    reasons.push('its maintenance runs, and looks after it')
  return [...reasons, ...(ceph.is === 'seen' ? osdReasons(ceph.value, lease) : ['Ceph does not answer'])]
}

function osdReasons({ ceph, nooutScope }: CephLook, { host }: NooutLease): readonly string[] {
  if (ceph === 'none') return ['there is no Ceph']
  // Where noout reaches the whole cluster, it keeps everybody's data in its place.
  const held = nooutScope === 'cluster' ? ceph.osds : osdsOf(ceph, host)
  if (osdsOf(ceph, host).length === 0) return [`Ceph knows no OSD of ${host}`]
  const away = held.filter((osd) => !(osd.up && osd.in))
  if (away.length === 0) return []
  return [`${away.map(({ id }) => `osd.${id}`).join(', ')} not up and in`]
}

function modeAlerts({ proxmox, database }: WatchdogFacts): readonly Alert[] {
  if (proxmox.is !== 'seen' || database.is !== 'seen') return []
  const { maintenances } = database.value
  return proxmox.value
    .filter(({ node, mode }) => mode === 'on' && !maintenances.some((one) => nodeOf(one) === node))
    .map(({ node }) => ({
      kind: 'maintenance-mode-left',
      subject: node,
      severity: 'warning',
      text: `${node} is in maintenance mode, and no maintenance of ours is open on it`,
      mend: `whoever set it, on a node: ha-manager crm-command node-maintenance disable ${node}`,
    }))
}

const nodeOf = ({ view }: WatchedMaintenance) => view?.node

function storyAlerts(one: WatchedMaintenance, nowMs: number, { graceMs }: WatchdogPolicy): readonly Alert[] {
  const { id, saga, text = 'no reason is known', view } = one
  if (saga !== 'running') {
    const mend = `coulisse status ${id}; when all is mended: coulisse release ${id} --reason … --yes`
    const said = saga === 'stuck' ? text : `it broke off by a fault of ours: ${text}`
    return [{ kind: 'maintenance-stuck', subject: id, severity: 'critical', text: said, mend }]
  }
  const due = view === undefined ? undefined : expectedBy(view, one.policy)
  if (due === undefined || nowMs <= due.byMs + graceMs) return []
  const late = `${due.what} since ${dateTimeText(due.sinceMs)}; it was to move on by ${dateTimeText(due.byMs)}`
  const mend = `coulisse status ${id}`
  return [{ kind: 'maintenance-overdue', subject: id, severity: 'warning', text: late, mend }]
}
