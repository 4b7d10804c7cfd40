/**
 * The whole story of one maintenance, as one durable saga of eight stages. Newcomers start here.
 * Whatever happens, it ends: done; undone (all taken back); failed (refused before anything was touched); or stuck, and says why.
 */

import { confirmFinding } from '#detect/steps'
import { DriverError } from '#domain/driver-error'
import type { Origin } from '#domain/event'
import type { Json } from '#domain/json'
import {
  DEFINITION_VERSION,
  type Ending,
  type MaintenanceInput,
  type MaintenanceResult,
  type Stage,
} from '#domain/maintenance'
import { drainNode, hasHaGuests } from '#drain/steps'
import { isolateNode, switchOff } from '#isolate/steps'
import { isStillFresh, planAndApprove } from '#plan/steps'
import type { Ports } from '#ports/all'
import type { Saga, SagaFunction } from '#ports/saga'
import { reintegrateNode } from '#reintegrate/steps'
import { repairNode } from '#repair/steps'
import { tellCustomers } from '#tell/steps'
import { recordHardware, verifyNode } from '#verify/steps'
import { bringHome } from './homecoming.ts'
import { notify } from './notify.ts'
import { AbortAsked, note, type Story, StoryStopped, StoryStuck, tellStory } from './story.ts'

export const MAINTENANCE_SAGA = 'maintenance'

/** A node that fails verification this often is not repaired by repeating. */
const REPAIR_ROUNDS_LIMIT = 5

export function maintenanceSaga(ports: Ports): SagaFunction<MaintenanceInput & Json, MaintenanceResult & Json> {
  return async (saga: Saga, input) => {
    if (input.definitionVersion !== DEFINITION_VERSION) {
      return {
        ending: 'failed',
        text: `this program knows version ${DEFINITION_VERSION} of the story, not ${input.definitionVersion}`,
      }
    }
    const story = tellStory(saga, ports, input)
    const { node, finding, requestedBy } = input
    await note(story, { kind: 'maintenance-opened', node, finding, requestedBy })
    const known: Known = { origins: [], drainBeganMs: 0, touched: false }
    const { ending, text } = await play(story, known)
    if (known.touched) await stage(story, 'tell', () => tellCustomers(story, known.origins, known.drainBeganMs, ending))
    await note(story, { kind: 'maintenance-ended', ending, text })
    await notify(story, { audience: 'operator', subject: `${node}: maintenance ${ending}`, text })
    return { ending, text }
  }
}

/** What the end must know of the beginning, also when the middle broke. */
type Known = { origins: readonly Origin[]; drainBeganMs: number; touched: boolean }

async function play(story: Story, known: Known): Promise<MaintenanceResult> {
  const { node } = story.input
  try {
    await stage(story, 'detect', () => confirmFinding(story))
    await toTheRepairAndBack(story, known)
    return { ending: 'done', text: `${node} is repaired, proven healthy and back` }
  } catch (error) {
    if (!isAnEnd(error)) throw error
    return takeAllBack(story, known, error)
  }
}

const isAnEnd = (error: unknown): error is Error =>
  error instanceof AbortAsked ||
  error instanceof StoryStopped ||
  error instanceof StoryStuck ||
  error instanceof DriverError

async function toTheRepairAndBack(story: Story, known: Known): Promise<void> {
  const { saga } = story
  let approved = await stage(story, 'plan', () => planAndApprove(story))
  // People take their time between approval and the first move: what aged is looked at again, and approved again.
  while (!(await isStillFresh(story, approved))) approved = await stage(story, 'plan', () => planAndApprove(story))
  const hardware = await recordHardware(story)
  const haGuests = await hasHaGuests(story)
  known.origins = approved.origins
  known.drainBeganMs = await saga.nowMs()
  known.touched = true
  await saga.step('guests may leave from here', async () => null, {
    undo: async () => {
      await bringHome(story, approved.origins, haGuests)
    },
  })
  const { plan } = approved
  await stage(story, 'drain', () => drainNode(story, plan, haGuests))
  const redrain = () => drainNode(story, plan, haGuests)
  await stage(story, 'isolate', () => isolateNode(story, redrain))
  await repairUntilVerified(story, hardware, redrain)
  await stage(story, 'reintegrate', () => reintegrateNode(story, approved.origins, haGuests))
}

async function repairUntilVerified(
  story: Story,
  hardware: Awaited<ReturnType<typeof recordHardware>>,
  redrain: () => Promise<void>,
): Promise<void> {
  for (let round = 1; round <= REPAIR_ROUNDS_LIMIT; round++) {
    const answer = await stage(story, 'repair', () => repairNode(story, round))
    if (await stage(story, 'verify', () => verifyNode(story, hardware, answer))) return
    if (round < REPAIR_ROUNDS_LIMIT) await stage(story, 'isolate', () => switchOff(story, redrain))
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
  if (why instanceof StoryStuck) return { ending: 'stuck', text: why.message }
  const isRefusal = !known.touched && !(why instanceof AbortAsked)
  const failures = await story.saga.takeBack()
  for (const { name, text } of failures) await note(story, { kind: 'undo-failed', name, text })
  const ending: Ending = failures.length > 0 ? 'stuck' : isRefusal ? 'failed' : 'undone'
  const rest = failures.map((failure) => failure.text).join('; ')
  return { ending, text: rest === '' ? why.message : `${why.message}; not taken back: ${rest}` }
}
