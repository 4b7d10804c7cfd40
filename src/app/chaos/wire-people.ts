/** The people of a story over the wire: an operator who starts, approves and perhaps aborts, and a technician. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { awaitsApproval, openWorkOrderOf } from '#domain/view'
import { NODE_TO_REPAIR } from '../demo/cluster.ts'
import { carryAnswers, hearStory, type Told } from '../demo/people.ts'
import type { WireStage } from './wire-stage.ts'
import type { StoryPlan } from './wire-strokes.ts'

const EVERY_MS = 60
const POST_LIMIT_MS = 10_000
/** Until every watch knows of the maintenance, the lab's time runs as if there were none, and a plan would age. */
const READS_FOR_MS = 1_500

/** They turn to whoever answers, until `signal`. */
export async function actAsPeople(stage: WireStage, plan: StoryPlan, signal: AbortSignal): Promise<void> {
  const { control } = stage.ready
  const carried = new Set<string>()
  let told: Told | undefined
  let openedAtMs: number | undefined
  for (let turn = 0; !signal.aborted; turn++) {
    await sleep(EVERY_MS)
    const { well } = stage
    const url = well[turn % Math.max(1, well.length)]?.url
    if (url === undefined) continue
    told = await hearStory(url, told)
    if (told === undefined) {
      await post(`${url}/api/maintenances`, `start-${plan.seed}`, START)
      continue
    }
    openedAtMs ??= performance.now()
    if (told.view.ended !== undefined || performance.now() - openedAtMs < READS_FOR_MS) continue
    await approve(url, told)
    if (openWorkOrderOf(told.view) !== undefined) await carryAnswers(url, control, told, carried)
    if (plan.abortAtRow !== undefined && told.rows.length >= plan.abortAtRow) await abort(url, told)
  }
}

const START = { node: NODE_TO_REPAIR, part: 'FAN3', reason: 'it rattles', by: 'olga' }

/** A plan that aged before the first move wants to be approved again. */
async function approve(url: string, { id, view }: Told): Promise<void> {
  const { plan, gate } = view
  if (plan === undefined || !awaitsApproval(view)) return
  if (gate !== undefined && !gate.blockers.every(({ kind }) => kind === 'plan-aged')) return
  const key = `approve-${plan.id}-${gate?.sinceMs ?? 0}`
  const message = { kind: 'approve', by: 'olga', plan: plan.id, lifted: [], reason: 'read and agreed' }
  await post(`${url}/api/maintenances/${id}/control`, key, message)
}

const abort = (url: string, { id }: Told) =>
  post(`${url}/api/maintenances/${id}/control`, `abort-${id}`, {
    kind: 'abort',
    by: 'olga',
    reason: 'the customer says no',
  })

/** Whoever is away is asked again in the next round. */
async function post(url: string, key: string, body: unknown): Promise<void> {
  await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(POST_LIMIT_MS),
  }).catch(() => undefined)
}
