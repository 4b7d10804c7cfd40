/**
 * The whole story of one maintenance, as one durable saga of eight stages. Newcomers start here.
 * Whatever happens, it ends: done; undone (all taken back); failed (refused before anything was touched); or stuck, and says why.
 */

import { confirmFinding } from '#detect/steps'
import type { NooutLease } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import { dateTimeText } from '#domain/figures'
import type { Vmid } from '#domain/ids'
import type { Json } from '#domain/json'
import {
  DEFINITION_VERSION,
  type Ending,
  type MaintenanceInput,
  type MaintenanceResult,
  type Stage,
} from '#domain/maintenance'
import type { Plan } from '#domain/plan'
import { drainNode, hasHaGuests } from '#drain/steps'
import { isolateNode, switchOffAgain } from '#isolate/steps'
import { isStillFresh, planAndApprove } from '#plan/steps'
import type { Ports } from '#ports/all'
import type { Saga, SagaFunction } from '#ports/saga'
import { reintegrateNode } from '#reintegrate/steps'
import { repairNode } from '#repair/steps'
import { tellCustomers } from '#tell/steps'
import { verifyNode } from '#verify/steps'
import { recordHardware } from './hardware.ts'
import { bringHome, whoStoppedMeanwhile } from './homecoming.ts'
import { leaveLease } from './lease.ts'
import { notify } from './notify.ts'
import { AbortAsked, holdWhilePaused, note, type Story, StoryStopped, StoryStuck, tellStory } from './story.ts'
import { undoing } from './undoing.ts'

export const MAINTENANCE_SAGA = 'maintenance'

/** A node that fails verification this often is not repaired by repeating. */
const REPAIR_ROUNDS_LIMIT = 5

export function maintenanceSaga(ports: Ports): SagaFunction<MaintenanceInput & Json, MaintenanceResult & Json> {
  return async (saga: Saga, input) => {
    if (input.definitionVersion !== DEFINITION_VERSION) {
      // Crashed, not ended: its keys stay held, its node may be off, and a program that knows its version goes on with it.
      throw new Error(
        `it began under version ${input.definitionVersion} of the story, and this program knows ${DEFINITION_VERSION}`,
      )
    }
    const story = tellStory(saga, ports, input)
    const { cluster, node, finding, requestedBy } = input
    await note(story, { kind: 'maintenance-opened', cluster, node, finding, requestedBy })
    const known: Known = { drainBeganMs: 0, touched: false }
    const { ending, text } = await play(story, known)
    // What is done is done: telling of it is neither paused nor aborted.
    story.heard.undoing = true
    story.heard.paused = false
    if (known.touched) await stage(story, 'tell', () => tellCustomers(story, known.drainBeganMs, ending))
    await note(story, { kind: 'maintenance-ended', ending, text })
    await notify(story, { audience: 'operator', subject: `${node}: maintenance ${ending}`, text })
    return { ending, text }
  }
}

/** What the end must know of the beginning, also when the middle broke. */
type Known = { drainBeganMs: number; touched: boolean }

async function play(story: Story, known: Known): Promise<MaintenanceResult> {
  const { node } = story.input
  try {
    await stage(story, 'detect', () => confirmFinding(story))
    const away = await toTheRepairAndBack(story, known)
    const stopped = await whoStoppedMeanwhile(story)
    const rest = [
      away.length === 0 ? '' : `; not home: ${guestsText(away)}`,
      stopped.length === 0 ? '' : `; not running any more: ${guestsText(stopped)}`,
    ]
    return { ending: 'done', text: `${node} is repaired, proven healthy and back${rest.join('')}` }
  } catch (error) {
    if (!isAnEnd(error)) throw error
    return takeAllBack(story, known, error)
  }
}

const guestsText = (guests: readonly Vmid[]) => `${guests.length === 1 ? 'guest' : 'guests'} ${guests.join(', ')}`

const isAnEnd = (error: unknown): error is Error =>
  error instanceof AbortAsked ||
  error instanceof StoryStopped ||
  error instanceof StoryStuck ||
  error instanceof DriverError

async function toTheRepairAndBack(story: Story, known: Known): Promise<readonly Vmid[]> {
  const { plan, haGuests } = await prepare(story)
  known.drainBeganMs = await story.saga.nowMs()
  known.touched = true
  await story.saga.step(`guests leave ${story.input.node}`, async () => null, {
    undo: undoing(story, async () => {
      const away = await bringHome(story, haGuests)
      await whoStoppedMeanwhile(story)
      if (away.length > 0) throw new StoryStopped(`not home: ${guestsText(away)}`)
    }),
  })
  await stage(story, 'drain', () => drainNode(story, plan, haGuests))
  const redrain = () => drainNode(story, plan, haGuests)
  await stage(story, 'isolate', () => isolateNode(story, redrain))
  await repairUntilVerified(story, redrain)
  return stage(story, 'reintegrate', () => reintegrateNode(story, haGuests))
}

/** Everything before the first touch: an approved plan that is fresh, and what the node is made of. */
async function prepare(story: Story): Promise<{ readonly plan: Plan; readonly haGuests: boolean }> {
  let approved = await stage(story, 'plan', () => planAndApprove(story))
  for (;;) {
    const hardware = await recordHardware(story)
    const haGuests = await hasHaGuests(story)
    await holdWhilePaused(story)
    const { plan, ledger } = approved
    // People take their time between approval and the first move: what aged is looked at again, and approved again.
    if (await isStillFresh(story, approved)) {
      story.heard.hardware = hardware
      story.heard.origins = ledger.origins
      story.heard.before = ledger.before
      return { plan, haGuests }
    }
    approved = await stage(story, 'plan', () => planAndApprove(story, plan))
  }
}

async function repairUntilVerified(story: Story, redrain: () => Promise<void>): Promise<void> {
  const offAgain = () => switchOffAgain(story, redrain)
  for (let round = 1; round <= REPAIR_ROUNDS_LIMIT; round++) {
    const answer = await stage(story, 'repair', () => repairNode(story, round, offAgain))
    if (await stage(story, 'verify', () => verifyNode(story, answer))) return
    if (round < REPAIR_ROUNDS_LIMIT) await stage(story, 'isolate', offAgain)
  }
  throw new StoryStuck(
    `${story.input.node} failed verification ${REPAIR_ROUNDS_LIMIT} times: it stays out, a person decides`,
  )
}

async function stage<T>(story: Story, name: Stage, play: () => Promise<T>): Promise<T> {
  story.heard.stage = name
  await note(story, { kind: 'stage-began', stage: name })
  const result = await play()
  await note(story, { kind: 'stage-ended', stage: name })
  return result
}

async function takeAllBack(story: Story, known: Known, why: Error): Promise<MaintenanceResult> {
  story.heard.undoing = true
  story.heard.paused = false
  // Hands may be inside, or the hardware is not proven: what stands now is safer than anything a program could do.
  if (why instanceof StoryStuck) {
    const left = await leaveLease(story)
    const lease = left === undefined ? '' : `; ${leaseStays(left).text}`
    return { ending: 'stuck', text: `${why.message}${lease}` }
  }
  const isRefusal = !known.touched && !(why instanceof AbortAsked)
  const failures = [...(await story.saga.takeBack())]
  for (const { name, text } of failures) await note(story, { kind: 'undo-failed', name, text })
  const left = failures.length > 0 ? await leaveLease(story) : undefined
  if (left !== undefined) failures.push(leaseStays(left))
  const ending: Ending = failures.length > 0 ? 'stuck' : isRefusal ? 'failed' : 'undone'
  const rest = [...new Set(failures.map((failure) => failure.text))].join('; ')
  return { ending, text: rest === '' ? why.message : `${why.message}; not taken back: ${rest}` }
}

/** Nobody renews it when the story has ended: whoever takes over must know until when it holds. */
const leaseStays = ({ host, expiresAtMs }: NooutLease) => ({
  name: 'noout',
  text: `noout of ${host} stays set, and its lease ends at ${dateTimeText(expiresAtMs)}: nobody renews it from now on`,
})
