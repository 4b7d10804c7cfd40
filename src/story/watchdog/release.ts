/** Gives back a lease of ours that ran out and that nobody looks after: look, write the intent, act, prove. */
import type { Act, Outcome } from '#domain/act'
import { type CephObservation, type NooutLease, osdsOf } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import type { Event } from '#domain/event'
import { durationText } from '#domain/figures'
import { maintenanceId } from '#domain/ids'
import type { Journal } from '#ports/journal'
import type { Storage } from '#ports/storage'
import { whyNotReleased } from './decide.ts'
import type { WatchdogFacts, WatchdogPolicy } from './observation.ts'

const OWNER_PREFIX = 'coulisse/'

export type Release =
  | { readonly is: 'released'; readonly text: string }
  /** What a second look, or the world, said against it. */
  | { readonly is: 'refused'; readonly text: string }

type Hands = { readonly storage: Storage; readonly journal: Journal }

/** Those of the look that may be released; each is looked at again before anything is touched. */
export function releasable(facts: WatchdogFacts, policy: WatchdogPolicy): readonly NooutLease[] {
  if (facts.ceph.is !== 'seen') return []
  return facts.ceph.value.leases.filter((lease) => whyNotReleased(facts, policy, lease).length === 0)
}

/** `look`: a fresh one. Without a journal nothing is done: whatever cannot be written first is refused. */
export async function releaseLease(
  { storage, journal }: Hands,
  lease: NooutLease,
  { look, policy }: { readonly look: () => Promise<WatchdogFacts>; readonly policy: WatchdogPolicy },
): Promise<Release> {
  try {
    const facts = await look()
    const now = facts.ceph.is === 'seen' ? facts.ceph.value.leases.find(isSame(lease)) : undefined
    if (now === undefined) return { is: 'refused', text: `the lease on ${lease.host} is not the same any more` }
    const reasons = whyNotReleased(facts, policy, now)
    if (reasons.length > 0) return { is: 'refused', text: reasons.join('; ') }
    return await giveBack({ storage, journal }, now, facts.nowMs)
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return { is: 'refused', text: error.message }
  }
}

const isSame = (lease: NooutLease) => (other: NooutLease) =>
  other.host === lease.host && other.owner === lease.owner && other.expiresAtMs === lease.expiresAtMs

async function giveBack({ storage, journal }: Hands, lease: NooutLease, nowMs: number): Promise<Release> {
  const { host, owner } = lease
  const maintenance = maintenanceId(owner.slice(OWNER_PREFIX.length))
  // One that ran out again after it was renewed is another: its rows have keys of their own.
  const append = (name: string, event: Event) =>
    journal.append({ maintenance, key: `watchdog/${host}/${lease.expiresAtMs}/${name}`, event })
  const perform = async (act: Act, run: () => Promise<Outcome>): Promise<Outcome> => {
    await append(`${act.kind}/${nowMs}/intends`, { kind: 'intends', act })
    const outcome = await run().catch((error: unknown): Outcome => {
      if (!(error instanceof DriverError)) throw error
      return { is: 'failed', text: error.message }
    })
    await append(`${act.kind}/${nowMs}/did`, { kind: 'did', act, outcome })
    return outcome
  }
  const about = `the watchdog gives back the noout lease of ${host}, which ran out and which nobody looks after`
  await append(`${nowMs}/said`, { kind: 'said', about: host, text: `${about}; its OSDs are all up and in` })
  // What stood before us is not ours to clear: then the lease alone goes.
  if (!lease.flagsBefore.includes('noout')) {
    const act = { kind: 'clear-noout', node: host, scope: storage.nooutScope } as const
    const cleared = await perform(act, () => clearNoout(storage, lease))
    if (cleared.is === 'failed') return { is: 'refused', text: cleared.text }
  }
  const deleted = await perform({ kind: 'delete-lease', node: host }, () => deleteLease(storage, lease))
  if (deleted.is === 'failed') return { is: 'refused', text: deleted.text }
  const heldMs = nowMs - lease.setAtMs
  await append('released', { kind: 'lease-released', node: host, heldMs })
  return { is: 'released', text: `the noout lease of ${owner} on ${host} was given back after ${durationText(heldMs)}` }
}

async function clearNoout(storage: Storage, { host }: NooutLease): Promise<Outcome> {
  const stands = (ceph: CephObservation) =>
    (storage.nooutScope === 'host' ? (ceph.hostFlags[host] ?? []) : ceph.flags).includes('noout')
  const before = await storage.observe()
  if (before === 'none' || !stands(before)) return { is: 'already' }
  const held = storage.nooutScope === 'host' ? osdsOf(before, host) : before.osds
  if (!held.every((osd) => osd.up && osd.in)) return { is: 'failed', text: `the OSDs of ${host} are down: noout stays` }
  await storage.clearNoout(host)
  const after = await storage.observe()
  return after !== 'none' && stands(after)
    ? { is: 'failed', text: `noout of ${host} still shows after it was cleared` }
    : { is: 'done' }
}

/** Taken again by its story meanwhile, it is another: that one stays. */
async function deleteLease(storage: Storage, lease: NooutLease): Promise<Outcome> {
  const there = await storage.readLease(lease.host)
  if (there === undefined) return { is: 'already' }
  if (!isSame(lease)(there)) return { is: 'failed', text: `the lease on ${lease.host} was renewed meanwhile` }
  await storage.deleteLease(lease.host)
  return (await storage.readLease(lease.host)) === undefined
    ? { is: 'done' }
    : { is: 'failed', text: `the lease on ${lease.host} still stands after it was deleted` }
}
