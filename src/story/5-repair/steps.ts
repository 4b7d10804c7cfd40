/** Stage 5: a work order for hands in the data centre, with an interlock that is looked after until they are out. */
import type { NooutLease } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import { workOrderId } from '#domain/ids'
import type { Interlock, WorkOrder, WorkOrderAnswer } from '#domain/maintenance'
import { renderEvent } from '#domain/render'
import { keepLease, type LeaseLook, leaseLook, shoutExpiry } from '../lease.ts'
import { setLocate } from '../locate.ts'
import { notify } from '../notify.ts'
import { perform } from '../perform.ts'
import { attend, holdWhilePaused, look, note, type Story, StoryStuck } from '../story.ts'
import { answerBlockers, CHECKLIST, type InterlockFacts, interlockOf, isSameInterlock } from './decide.ts'

const LOOK_EVERY_MS = 30_000
const LOCATE_AGAIN_MS = 2 * 3_600_000
/** After this many times the time that policy gives, nobody will come: a person must decide. */
const PATIENCE_FACTOR = 3

/** What a node that runs by itself is given, before it is switched off again: its hands may be about to say that they are done. */
const RUNS_BY_ITSELF_MS = 5 * 60_000

/**
 * Resolves with the answer of somebody who read the right serial, hands out. StoryStuck when nobody answers for too long.
 * `switchOffAgain`: for a node that starts by itself before anybody was there.
 */
export async function repairNode(
  story: Story,
  round: number,
  switchOffAgain: () => Promise<void>,
): Promise<WorkOrderAnswer> {
  await holdWhilePaused(story)
  const order = await issueOrder(story, round)
  const beganMs = await story.saga.nowMs()
  let shown: Tended | undefined
  let litMs = beganMs
  let isLate = false
  for (;;) {
    shown = await tendInterlock(story, shown)
    const nowMs = await story.saga.nowMs()
    // A BMC without its cords has no light to switch.
    if (nowMs - litMs > LOCATE_AGAIN_MS && shown.power === 'off') {
      await setLocate(story, true)
      litMs = nowMs
    }
    isLate = await sayLate(story, order, nowMs, isLate)
    if (nowMs - beganMs > PATIENCE_FACTOR * story.input.policy.repairLimitS * 1000) {
      await endSafe(story, shown.interlock)
      throw new StoryStuck(`nobody answered work order ${order.id}: ${order.node} stays off, its noout lease stays`)
    }
    // Watched through a pause too: what is safe to touch does not wait for anybody.
    const word = await attend(story, nowMs + LOOK_EVERY_MS, 'watches')
    if (word.is === 'answer' && word.answer.order === order.id) {
      if (await accept(story, order, word.answer)) return word.answer
    } else if (shown.runsSinceMs !== undefined && nowMs - shown.runsSinceMs > RUNS_BY_ITSELF_MS) {
      await switchOffAgain()
      shown = undefined
    }
  }
}

async function issueOrder(story: Story, round: number): Promise<WorkOrder> {
  const { node, policy, finding } = story.input
  const id = workOrderId(`${story.input.id}-${round}`)
  const known = await look(story, `where ${node} stands`, async () => ({
    place: await story.ports.inventory.place(node),
    restore: await restorePolicy(story),
  }))
  const nowMs = await story.saga.nowMs()
  const order: WorkOrder = {
    id,
    node,
    place: known.place,
    part: finding.part,
    why: round === 1 ? finding.text : `back from verification: ${story.heard.refusedFor ?? finding.text}`,
    checklist: CHECKLIST,
    powerNote: POWER_NOTES[known.restore],
    answerBeforeMs: nowMs + policy.repairLimitS * 1000,
    round,
  }
  await perform(story, {
    act: { kind: 'issue-work-order', order: id },
    run: async () => ({ is: 'done' }),
    undo: () => withdrawOrder(story, order),
  })
  await note(story, { kind: 'work-order-issued', order })
  const { rack, unit } = known.place
  const subject = `Work order ${id}: ${node}, rack ${rack}, unit ${unit}`
  const text = [renderEvent({ kind: 'work-order-issued', order }), order.powerNote, ...CHECKLIST].join('\n')
  await notify(story, { audience: 'technician', subject, text })
  return order
}

const POWER_NOTES = {
  'always-on': 'It starts by itself when a cord goes back in: cords last, hands out first.',
  previous:
    'It was switched off in order, so it stays off when a cord goes back in; the BMC may still start it: hands out first.',
  'always-off': 'It stays off when a cord goes back in.',
  unknown: 'Nobody knows whether it starts by itself when a cord goes back in: hands out first.',
} as const

async function restorePolicy(story: Story) {
  try {
    return await story.ports.bmc.powerRestorePolicy(story.input.node)
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return 'unknown' as const
  }
}

type Tended = {
  readonly interlock: Interlock
  readonly power: InterlockFacts['power']
  /** Since when it has had power although nobody of us switched it on. */
  readonly runsSinceMs?: number
  /** null: Ceph did not answer, so nobody can say. */
  readonly lease: LeaseLook | null
  readonly leaseReadAtMs: number
}

/** The flag is looked at each time; the lease beside it, which only we write, every few minutes. */
const LEASE_READ_EVERY_MS = 5 * 60_000

type KnownLease = { readonly lease: NooutLease | null; readonly readAtMs: number } | undefined

async function knownLease(story: Story, shown: Tended | undefined): Promise<KnownLease> {
  if (shown === undefined || shown.lease === null || shown.lease.lease === null) return undefined
  const isDue = (await story.saga.nowMs()) - shown.leaseReadAtMs >= LEASE_READ_EVERY_MS
  // As we wrote it last: it may have been renewed since it was read.
  return isDue ? undefined : { lease: story.heard.lease ?? shown.lease.lease, readAtMs: shown.leaseReadAtMs }
}

/** One look for interlock and lease. The flag first: one that somebody cleared is set again before hands are frightened for it. */
async function lookAtBoth(story: Story, known: KnownLease, lastSeen: InterlockFacts['lastSeen']) {
  const seen = await look(story, 'whether it is safe to touch', () => judge(story, known, lastSeen))
  // Nobody can say how it stands: by our own record it is known when it ends, and that is said.
  if (seen.lease === null) await shoutExpiry(story)
  if (seen.lease === null || story.heard.lease === undefined) return seen
  await keepLease(story, seen.lease)
  if (seen.lease.lease !== null && seen.lease.stands) return seen
  return look(story, 'whether it is safe to touch now', () => judge(story, undefined, lastSeen))
}

/** Looks, and says so when the answer changed. Withdrawn loudly: the technician is told, not only the page. */
async function tendInterlock(story: Story, shown: Tended | undefined): Promise<Tended> {
  const { node } = story.input
  const known = await knownLease(story, shown)
  const before = story.heard.mayBeOn ? 'on' : 'off'
  const { interlock: now, power, nowMs, lease } = await lookAtBoth(story, known, before)
  const leaseReadAtMs = known?.readAtMs ?? nowMs
  if (power === 'dark' && shown?.power === 'off') await note(story, { kind: 'cords-pulled', node })
  if (power === 'on' && before === 'off') await note(story, { kind: 'node-on', node, by: 'itself' })
  if (power !== 'dark') story.heard.mayBeOn = power === 'on'
  const kept = {
    lease,
    leaseReadAtMs,
    ...(power === 'on' ? { runsSinceMs: shown?.runsSinceMs ?? nowMs } : {}),
  }
  if (isSameInterlock(shown?.interlock, now)) return { interlock: shown?.interlock ?? now, power, ...kept }
  // From the first "safe" on, hands may be inside until somebody says that they are out.
  if (now.is === 'safe') {
    story.heard.handsMayBeInside = true
    story.heard.wasOpened = true
  }
  await note(story, { kind: 'interlock', interlock: now })
  if (shown?.interlock.is === 'safe' && now.is === 'not-safe') await tellNotSafe(story, now.reasons)
  return { interlock: now, power, ...kept }
}

async function tellNotSafe(story: Story, reasons: readonly string[]): Promise<void> {
  const subject = `NOT SAFE any more: ${story.input.node}`
  const text = reasons.join('\n')
  await notify(story, { audience: 'technician', subject, text })
  await notify(story, { audience: 'operator', subject, text })
}

/** The story ends here and looks no more: a "safe" that nobody could take back must not stand. */
async function endSafe(story: Story, shown: Interlock): Promise<void> {
  if (shown.is !== 'safe') return
  const { node } = story.input
  const reasons = [
    `nobody looks after ${node} from now on: leave it as it is, and call the operator before you touch it`,
  ]
  await note(story, { kind: 'interlock', interlock: { is: 'not-safe', reasons } })
  await tellNotSafe(story, reasons)
}

type Judged = Pick<InterlockFacts, 'power' | 'nowMs'> & {
  readonly interlock: Interlock
  readonly lease: LeaseLook | null
}

/** The judgement is kept, not the whole cluster that it was made of: this look comes every half minute for hours. */
async function judge(story: Story, known: KnownLease, lastSeen: InterlockFacts['lastSeen']): Promise<Judged> {
  const { facts, lease } = await gather(story, known, lastSeen)
  return { interlock: interlockOf(facts), power: facts.power, nowMs: facts.nowMs, lease }
}

async function gather(
  story: Story,
  known: KnownLease,
  lastSeen: InterlockFacts['lastSeen'],
): Promise<{ facts: InterlockFacts; lease: LeaseLook | null }> {
  const { hypervisor, storage, bmc, clock } = story.ports
  const { node } = story.input
  const power = await quietly(() => bmc.power(node))
  const ceph = await quietly(() => storage.observe())
  const lease = known === undefined ? await quietly(() => storage.readLease(node)) : (known.lease ?? undefined)
  const nowMs = await clock.nowMs()
  const isSeen = ceph !== 'unseen' && lease !== 'unseen'
  const leaseNow = isSeen ? leaseLook(story, lease, ceph, nowMs) : null
  const facts: InterlockFacts = {
    node,
    nowMs,
    lastSeen,
    power: power === 'unseen' || power.is === 'unknown' ? 'dark' : power.is,
    cluster: await quietly(() => hypervisor.observe({ avoid: node })),
    ceph,
    leaseStands: leaseNow !== null && leaseNow.lease !== null && leaseNow.stands,
  }
  return { facts, lease: leaseNow }
}

async function quietly<T>(ask: () => Promise<T>): Promise<T | 'unseen'> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return 'unseen'
  }
}

async function accept(story: Story, order: WorkOrder, answer: WorkOrderAnswer): Promise<boolean> {
  const { node } = story.input
  const [blocker] = answerBlockers(node, order.place, answer)
  if (blocker !== undefined) {
    await note(story, { kind: 'work-order-refused', order: order.id, by: answer.by, blocker })
    await notify(story, { audience: 'technician', subject: `Not ${node}: ${blocker.text}`, text: blocker.lifts })
    return false
  }
  const reasons = ['the work is reported done: power comes on, hands off']
  story.heard.handsMayBeInside = false
  // The cords are back in, or may be: from now on a BMC that is dark says nothing about the power.
  story.heard.mayBeOn = true
  await note(
    story,
    { kind: 'work-order-answered', answer },
    { kind: 'interlock', interlock: { is: 'not-safe', reasons } },
  )
  return true
}

async function sayLate(story: Story, order: WorkOrder, nowMs: number, saidBefore: boolean): Promise<boolean> {
  if (saidBefore || nowMs < order.answerBeforeMs) return saidBefore
  const text = `work order ${order.id} is unanswered past its time; redundancy is reduced until somebody comes`
  await note(story, { kind: 'said', text, about: order.node })
  await notify(story, { audience: 'operator', subject: `Late: ${order.id}`, text })
  return true
}

const HANDS_OFF_LIMIT_MS = 2 * 3_600_000

/** The undo of a work order: withdrawn first, and nothing is powered before the hands are out by the technician's own word. */
async function withdrawOrder(story: Story, order: WorkOrder): Promise<void> {
  if (!story.heard.handsMayBeInside) return
  const { node } = order
  const reasons = ['the work order is withdrawn: close it up, answer with the serial when your hands are out']
  const text = `hands may be inside ${node} until somebody says that they are out`
  const lifts = `the answer to ${order.id}, with the serial`
  const sinceMs = await story.saga.nowMs()
  await note(
    story,
    { kind: 'interlock', interlock: { is: 'not-safe', reasons } },
    { kind: 'gate-closed', stage: 'repair', blockers: [{ kind: 'hands-on', node, text, lifts }] },
  )
  await notify(story, { audience: 'technician', subject: `Withdrawn: ${order.id}`, text: reasons.join('\n') })
  const untilMs = sinceMs + HANDS_OFF_LIMIT_MS
  for (let nowMs = sinceMs; nowMs < untilMs; nowMs = await story.saga.nowMs()) {
    const word = await attend(story, Math.min(untilMs, nowMs + KEEP_EVERY_MS))
    await keepLease(story)
    if (word.is !== 'answer' || !(await accept(story, order, word.answer))) continue
    await note(story, { kind: 'gate-opened', stage: 'repair', waitedMs: (await story.saga.nowMs()) - sinceMs })
    return
  }
  throw new StoryStuck(`nobody said that the hands are out of ${node}: it stays off`)
}

const KEEP_EVERY_MS = 5 * 60_000
