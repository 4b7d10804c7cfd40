/** The noout lease on the node's host: taken, asserted, renewed, given back. Never cleared while the host's OSDs are down. */
import { type CephObservation, isNooutSet, type NooutLease, osdsOf } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import { backBlockers } from './conditions/storage.ts'
import { passGate } from './gate.ts'
import { notify } from './notify.ts'
import { insist, perform } from './perform.ts'
import { look, note, ownerOf, type Story, StoryStopped } from './story.ts'

/** Takes the lease and proves it. Resolves 'none' where the cluster has no Ceph. */
export async function takeLease(story: Story): Promise<void> {
  const { storage } = story.ports
  const { node, policy } = story.input
  const before = await look(story, `the flags of ${node}`, async () => {
    const ceph = await storage.observe()
    if (ceph === 'none') return null
    const ofHost = ceph.hostFlags[node] ?? []
    // Where noout reaches the whole cluster, one that stood there before is not ours to clear either.
    const flags = storage.nooutScope === 'cluster' ? [...ofHost, ...ceph.flags] : ofHost
    return { flags, out: osdsOf(ceph, node).flatMap((osd) => (osd.in ? [] : [osd.id])) }
  })
  if (before === null) return
  story.heard.outBefore = before.out
  const setAtMs = await story.saga.nowMs()
  const reason = `${node}: ${story.input.finding.text}`
  const lease: NooutLease = {
    owner: ownerOf(story),
    host: node,
    reason,
    setAtMs,
    expiresAtMs: setAtMs + policy.leaseS * 1000,
    flagsBefore: before.flags,
  }
  await putLease(story, lease, { undo: () => releaseLease(story) })
  await setNoout(story)
  story.heard.lease = lease
  await note(story, { kind: 'lease-held', lease })
}

async function putLease(story: Story, lease: NooutLease, options: { readonly undo?: () => Promise<void> } = {}) {
  const { storage } = story.ports
  await insist(story, {
    act: { kind: 'put-lease', node: lease.host, expiresAtMs: lease.expiresAtMs },
    run: async () => {
      const there = await storage.readLease(lease.host)
      if (there?.owner === lease.owner && there.expiresAtMs >= lease.expiresAtMs) return { is: 'already' }
      await storage.writeLease(there?.owner === lease.owner ? { ...there, expiresAtMs: lease.expiresAtMs } : lease)
      return { is: 'done' }
    },
    ...options,
  })
}

/** Also when somebody cleared it: the host's OSDs are about to be down, or are. */
async function setNoout(story: Story): Promise<void> {
  const { storage } = story.ports
  const { node } = story.input
  const stands = async () => {
    const ceph = await storage.observe()
    return ceph !== 'none' && isNooutSet(ceph, node)
  }
  await insist(story, {
    act: { kind: 'set-noout', node, scope: storage.nooutScope },
    run: async () => {
      if (await stands()) return { is: 'already' }
      await storage.setNoout(node)
      // Some interfaces answer an error and have set it, others answer yes and have not: read back always.
      return (await stands())
        ? { is: 'done' }
        : { is: 'failed', text: `noout of ${node} does not show after it was set` }
    },
  })
}

/** Our lease as it stands in the cluster, or null; and whether the flag itself stands. */
export type LeaseLook = { readonly lease: NooutLease | null; readonly stands: boolean; readonly nowMs: number }

export function leaseLook(
  story: Story,
  lease: NooutLease | undefined,
  ceph: CephObservation | 'none',
  nowMs: number,
): LeaseLook {
  const stands = ceph !== 'none' && isNooutSet(ceph, story.input.node)
  return { lease: lease?.owner === ownerOf(story) ? lease : null, stands, nowMs }
}

/**
 * Keeps the lease from running out while people are slow; journals a flag that somebody cleared, and sets it again. A Ceph that
 * does not answer is no error here: by our own record it is known when the lease runs out, and that is said.
 */
export async function keepLease(story: Story, known?: LeaseLook): Promise<void> {
  try {
    await renewLease(story, known)
  } catch (error) {
    if (!(error instanceof DriverError) && !(error instanceof StoryStopped)) throw error
    await shoutExpiry(story)
  }
}

/** Once a lease: nothing is cleared, that would start the very data move that noout prevents. */
export async function shoutExpiry(story: Story): Promise<void> {
  const { lease } = story.heard
  const { node } = story.input
  if (lease === undefined || lease.expiresAtMs === story.heard.shoutedAtMs) return
  if ((await story.saga.nowMs()) <= lease.expiresAtMs) return
  story.heard.shoutedAtMs = lease.expiresAtMs
  await note(story, { kind: 'lease-expired', node, expiredAtMs: lease.expiresAtMs })
  const text = 'It could not be renewed. noout still stands; nothing was cleared: that would start a data move.'
  await notify(story, { audience: 'operator', subject: `${node}: the noout lease ran out`, text })
}

/**
 * The story ends and cannot give the lease back: whoever takes over has its full time from now. Resolves with the lease as it
 * stands then; a Ceph that does not answer leaves it as it was.
 */
export async function leaveLease(story: Story): Promise<NooutLease | undefined> {
  const { lease } = story.heard
  if (lease === undefined) return undefined
  const expiresAtMs = (await story.saga.nowMs()) + story.input.policy.leaseS * 1000
  const outcome = await perform(story, {
    act: { kind: 'put-lease', node: story.input.node, expiresAtMs },
    run: async () => {
      await story.ports.storage.writeLease({ ...lease, expiresAtMs })
      return { is: 'done' }
    },
  })
  if (outcome.is !== 'failed') story.heard.lease = { ...lease, expiresAtMs }
  return story.heard.lease
}

async function renewLease(story: Story, known?: LeaseLook): Promise<void> {
  const { storage, clock } = story.ports
  const { node, policy } = story.input
  const seen =
    known ??
    (await look(story, `the lease of ${node}`, async () =>
      leaseLook(story, await storage.readLease(node), await storage.observe(), await clock.nowMs()),
    ))
  if (seen.lease === null) return retakeLease(story, seen.nowMs)
  if (!seen.stands) {
    await note(story, { kind: 'noout-lost', node })
    await setNoout(story)
  }
  if (seen.nowMs > seen.lease.expiresAtMs) await shoutExpiry(story)
  const halfMs = (policy.leaseS * 1000) / 2
  if (seen.lease.expiresAtMs - seen.nowMs > halfMs) return
  const renewed = { ...seen.lease, expiresAtMs: seen.nowMs + policy.leaseS * 1000 }
  await putLease(story, renewed)
  story.heard.lease = renewed
}

/** Somebody deleted it while we hold it, or wrote over it: without it nobody would know whose the flag is, and until when. */
async function retakeLease(story: Story, nowMs: number): Promise<void> {
  const { lease } = story.heard
  const { node, policy } = story.input
  if (lease === undefined) return
  const owner = await look(story, `who holds the lease of ${node}`, async () => {
    const there = await story.ports.storage.readLease(node)
    return there === undefined || there.owner === lease.owner ? null : there.owner
  })
  if (owner === null) {
    await note(story, { kind: 'said', about: node, text: 'the noout lease was deleted, and not by us: written again' })
  } else await sayWrittenOver(story, owner)
  // Whoever wants noout too keeps it when we go.
  const flagsBefore = owner === null ? lease.flagsBefore : [...new Set([...lease.flagsBefore, 'noout'])]
  const again = { ...lease, flagsBefore, expiresAtMs: nowMs + policy.leaseS * 1000 }
  await putLease(story, again)
  story.heard.lease = again
  await setNoout(story)
}

async function sayWrittenOver(story: Story, owner: string): Promise<void> {
  const { node } = story.input
  const text = `${owner} wrote its noout lease over ours while ${node} is away: ours is written again, and noout stays when we go`
  await note(story, { kind: 'said', about: node, text })
  await notify(story, { audience: 'operator', subject: `${node}: somebody else wants the noout lease`, text })
}

/** Those of the node that held data when we took the lease. */
export const osdsToComeBack = (story: Story, ceph: CephObservation) =>
  osdsOf(ceph, story.input.node).filter(({ id }) => !story.heard.outBefore.includes(id))

const READINGS_APART_MS = 10_000
/** OSDs that start and PGs that catch up are no news for this long. */
export const REJOINS_QUIETLY_MS = 5 * 60_000

/** PG statistics lag: two equal readings some seconds apart, and the count of OSDs up, before anything is believed. */
export async function waitUntilBack(story: Story, stage: 'verify' | 'reintegrate' | 'isolate'): Promise<void> {
  const { node, policy } = story.input
  const limitMs = policy.recoveryLimitS * 1000
  let cleanReadings = 0
  const ask = async () => {
    const ceph = await story.ports.storage.observe()
    return ceph === 'none' ? [] : backBlockers(ceph, node, story.heard.outBefore)
  }
  while (cleanReadings < 2) {
    await passGate(story, { stage, ask, limitMs, quietMs: REJOINS_QUIETLY_MS })
    await story.saga.sleepUntil((await story.saga.nowMs()) + READINGS_APART_MS)
    const again = await look(story, 'the PGs once more', ask)
    cleanReadings = again.length === 0 ? 2 : 0
  }
  const ceph = await look(story, 'the OSDs that are back', async () => {
    const now = await story.ports.storage.observe()
    return now === 'none'
      ? null
      : { osds: osdsToComeBack(story, now).map((osd) => osd.id), clean: now.placementGroups.clean }
  })
  if (ceph !== null) await note(story, { kind: 'osds-back', node, osds: ceph.osds, cleanPgs: ceph.clean })
}

/**
 * Gives the lease back: only when all OSDs of the host are up, never what stood before us. Throws StoryStopped when the OSDs
 * are down: clearing noout then would start the very data move that it prevents.
 */
export async function releaseLease(story: Story): Promise<void> {
  const { storage } = story.ports
  const { node } = story.input
  const state = await look(story, `whether the lease of ${node} may go`, async () => {
    // Deleted behind our back since the last look: the flag is ours all the same.
    const lease = (await storage.readLease(node)) ?? story.heard.lease
    const ceph = await storage.observe()
    if (ceph === 'none' || lease === undefined) return null
    if (lease.owner !== ownerOf(story)) return { by: lease.owner, isUp: false, stoodBefore: true, setAtMs: 0 }
    const isUp = osdsToComeBack(story, ceph).every((osd) => osd.up && osd.in)
    return { isUp, stoodBefore: lease.flagsBefore.includes('noout'), setAtMs: lease.setAtMs }
  })
  if (state === null) return
  if (state.by !== undefined) return leaveToOther(story, state.by)
  if (!state.isUp) throw new StoryStopped(`the OSDs of ${node} are down: noout stays, and the lease with it`)
  if (!state.stoodBefore) await clearNoout(story)
  await insist(story, {
    act: { kind: 'delete-lease', node },
    run: async () => {
      if ((await storage.readLease(node)) === undefined) return { is: 'already' }
      await storage.deleteLease(node)
      return { is: 'done' }
    },
  })
  story.heard.lease = undefined
  const heldMs = (await story.saga.nowMs()) - state.setAtMs
  await note(story, { kind: 'lease-released', node, heldMs })
}

/** Somebody wrote his own lease over ours: what the flag is for is his to say now. */
async function leaveToOther(story: Story, owner: string): Promise<void> {
  const { node } = story.input
  story.heard.lease = undefined
  const text = `the noout lease is held by ${owner} now, and not by us: noout stays for them`
  await note(story, { kind: 'said', about: node, text })
  await notify(story, { audience: 'operator', subject: `${node}: somebody else holds the noout lease`, text })
}

async function clearNoout(story: Story): Promise<void> {
  const { storage } = story.ports
  const { node } = story.input
  const scope = storage.nooutScope
  const standsIn = (ceph: CephObservation) =>
    scope === 'host' ? (ceph.hostFlags[node] ?? []).includes('noout') : ceph.flags.includes('noout')
  await insist(story, {
    act: { kind: 'clear-noout', node, scope },
    run: async () => {
      const ceph = await storage.observe()
      if (ceph === 'none' || !standsIn(ceph)) return { is: 'already' }
      if (!osdsToComeBack(story, ceph).every((osd) => osd.up)) {
        return { is: 'failed', text: `the OSDs of ${node} are down: noout stays` }
      }
      await storage.clearNoout(node)
      const after = await storage.observe()
      return after !== 'none' && standsIn(after)
        ? { is: 'failed', text: `noout of ${node} still shows after it was cleared` }
        : { is: 'done' }
    },
  })
}
