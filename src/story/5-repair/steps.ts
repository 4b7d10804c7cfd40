/** Stage 5: a work order for hands in the data centre, with an interlock that is looked after until they are out. */
import type { NooutLease } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import { workOrderId } from '#domain/ids'
import type { Interlock, WorkOrder, WorkOrderAnswer } from '#domain/maintenance'
import { keepLease, type LeaseLook, leaseLook } from '../lease.ts'
import { setLocate } from '../locate.ts'
import { notify } from '../notify.ts'
import { perform } from '../perform.ts'
import { attend, look, note, type Story, StoryStuck } from '../story.ts'
import { answerBlockers, CHECKLIST, type InterlockFacts, interlockOf, isSameInterlock } from './decide.ts'

const LOOK_EVERY_MS = 30_000
const LOCATE_AGAIN_MS = 30 * 60_000
/** After this many times the time that policy gives, nobody will come: a person must decide. */
const PATIENCE_FACTOR = 3

/** Resolves with the answer of somebody who read the right serial, hands out. StoryStuck when nobody answers for too long. */
export async function repairNode(story: Story, round: number): Promise<WorkOrderAnswer> {
  const order = await issueOrder(story, round)
  const beganMs = await story.saga.nowMs()
  let shown: Tended | undefined
  let litMs = beganMs
  let isLate = false
  for (;;) {
    shown = await tendInterlock(story, shown)
    if (shown.lease !== null) await keepLease(story, shown.lease)
    const nowMs = await story.saga.nowMs()
    // A BMC without its cords has no light to switch.
    if (nowMs - litMs > LOCATE_AGAIN_MS && shown.power !== 'dark') {
      await setLocate(story, true)
      litMs = nowMs
    }
    isLate = await sayLate(story, order, nowMs, isLate)
    if (nowMs - beganMs > PATIENCE_FACTOR * story.input.policy.repairLimitS * 1000) {
      throw new StoryStuck(
        `nobody answered work order ${order.id}; ${order.node} stays off and its noout lease is kept no longer`,
      )
    }
    const word = await attend(story, nowMs + LOOK_EVERY_MS)
    if (word.is !== 'answer' || word.answer.order !== order.id) continue
    if (await accept(story, order, word.answer)) return word.answer
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
    why: finding.text,
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
  const { site, room, rack, unit, serial } = known.place
  const where = `${site}, room ${room}, rack ${rack}, unit ${unit}, serial ${serial}`
  const subject = `Work order ${id}: ${node}, rack ${rack}, unit ${unit}`
  await notify(story, { audience: 'technician', subject, text: `${finding.text}\n${where}\n${known.restore}\n` })
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
  return isDue ? undefined : { lease: shown.lease.lease, readAtMs: shown.leaseReadAtMs }
}

/** Looks, and says so when the answer changed. Withdrawn loudly: the technician is told, not only the page. */
async function tendInterlock(story: Story, shown: Tended | undefined): Promise<Tended> {
  const { node } = story.input
  const known = await knownLease(story, shown)
  const { facts, lease } = await look(story, 'whether it is safe to touch', () => gather(story, known))
  const { power } = facts
  const leaseReadAtMs = known?.readAtMs ?? facts.nowMs
  const now = interlockOf(facts)
  if (power === 'dark' && shown?.power === 'off') await note(story, { kind: 'cords-pulled', node })
  if (power === 'on' && shown !== undefined && shown.power !== 'on')
    await note(story, { kind: 'node-on', node, by: 'itself' })
  if (isSameInterlock(shown?.interlock, now)) return { interlock: shown?.interlock ?? now, power, lease, leaseReadAtMs }
  // From the first "safe" on, hands may be inside until somebody says that they are out.
  if (now.is === 'safe') story.heard.handsMayBeInside = true
  await note(story, { kind: 'interlock', interlock: now })
  if (shown?.interlock.is === 'safe' && now.is === 'not-safe') {
    const subject = `NOT SAFE any more: ${node}`
    await notify(story, { audience: 'technician', subject, text: now.reasons.join('\n') })
  }
  return { interlock: now, power, lease, leaseReadAtMs }
}

async function gather(story: Story, known: KnownLease): Promise<{ facts: InterlockFacts; lease: LeaseLook | null }> {
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

const HANDS_OFF_LIMIT_MS = 30 * 60_000

/** The undo of a work order: withdrawn first, and nothing is powered before the hands are out by the technician's own word. */
async function withdrawOrder(story: Story, order: WorkOrder): Promise<void> {
  if (!story.heard.handsMayBeInside) return
  const reasons = ['the work order is withdrawn: close it up, answer with the serial when your hands are out']
  await note(story, { kind: 'interlock', interlock: { is: 'not-safe', reasons } })
  await notify(story, { audience: 'technician', subject: `Withdrawn: ${order.id}`, text: reasons.join('\n') })
  const untilMs = (await story.saga.nowMs()) + HANDS_OFF_LIMIT_MS
  for (let nowMs = 0; nowMs < untilMs; nowMs = await story.saga.nowMs()) {
    const word = await attend(story, untilMs)
    if (word.is === 'answer' && (await accept(story, order, word.answer))) return
  }
  throw new StoryStuck(`nobody said that the hands are out of ${order.node}: it stays off`)
}
