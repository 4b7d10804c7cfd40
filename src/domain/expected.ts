/** Until when a maintenance said that it would have moved on: by what it waits for, and by the limits that it began with. */
import type { StoryPolicy } from './policy.ts'
import { awaitsApproval, type MaintenanceView, openWorkOrderOf } from './view.ts'

/** `what` goes into a sentence: "pve3-1a2b has not moved since …: WHAT until …". */
export type Expectation = { readonly byMs: number; readonly sinceMs: number; readonly what: string }

/** Where nobody and nothing is waited for, the story writes a line at least this often. */
const SILENT_LIMIT_MS = 15 * 60_000
/** Looks that fail, OSDs that start: what a limit does not count. */
const SLACK_MS = 10 * 60_000

/** Of all that is waited for, what is due first. Undefined when it has ended: nothing is expected of it any more. */
export function expectedBy(view: MaintenanceView, policy: StoryPolicy): Expectation | undefined {
  if (view.ended !== undefined) return undefined
  // Nothing else moves while it is paused, and a pause has no end of its own: a gate's patience is as good as any.
  if (view.paused !== undefined) {
    const { by, sinceMs } = view.paused
    return { sinceMs, byMs: sinceMs + policy.gateLimitS * 1000, what: `${by} paused it` }
  }
  const [first, ...rest] = [...waits(view, policy), ...work(view, policy)]
  if (first === undefined) return silence(view, policy)
  return rest.reduce((earliest, one) => (one.byMs < earliest.byMs ? one : earliest), first)
}

/** What a person or the world was asked for. */
function waits(view: MaintenanceView, policy: StoryPolicy): readonly Expectation[] {
  const found: Expectation[] = []
  const { gate, plan, plannedAtMs = view.lastAtMs } = view
  const patienceMs = Math.max(policy.gateLimitS, policy.recoveryLimitS) * 1000
  if (gate !== undefined) {
    const what = `${gate.stage} waits at a gate: ${gate.blockers.map(({ kind }) => kind).join(', ')}`
    found.push({ sinceMs: gate.sinceMs, byMs: gate.sinceMs + patienceMs, what })
  }
  if (plan !== undefined && awaitsApproval(view)) {
    found.push({ sinceMs: plannedAtMs, byMs: plannedAtMs + patienceMs, what: `plan ${plan.id} waits for approval` })
  }
  const open = openWorkOrderOf(view)
  if (open !== undefined) {
    const { id, answerBeforeMs } = open.order
    found.push({ sinceMs: open.issuedAtMs, byMs: answerBeforeMs, what: `work order ${id} waits for an answer` })
  }
  return found
}

/** What is under way by itself. */
function work(view: MaintenanceView, policy: StoryPolicy): readonly Expectation[] {
  const soak = view.verification
  const soaking: readonly Expectation[] =
    soak.is === 'soaking' && view.stage === 'verify'
      ? [{ sinceMs: soak.sinceMs, byMs: soak.untilMs + SLACK_MS, what: 'the fans soak' }]
      : []
  const copies = view.moves.flatMap(({ guest, to, state }): readonly Expectation[] => {
    if (state.is !== 'copying') return []
    const byMs = state.sinceMs + policy.migrationLimitS * 1000 + SLACK_MS
    return [{ sinceMs: state.sinceMs, byMs, what: `guest ${guest} moves to ${to}` }]
  })
  return [...soaking, ...copies]
}

/** A shutdown, a boot and OSDs that come back write nothing while they last. */
function silence({ stage, lastAtMs }: MaintenanceView, policy: StoryPolicy): Expectation {
  const quietS = {
    isolate: policy.shutdownLimitS + policy.bootLimitS,
    verify: policy.bootLimitS + policy.soakS,
    reintegrate: policy.recoveryLimitS,
  } as const satisfies Partial<Record<NonNullable<typeof stage>, number>>
  const ownS = stage === 'isolate' || stage === 'verify' || stage === 'reintegrate' ? quietS[stage] : 0
  const what = stage === undefined ? 'nothing is waited for' : `${stage} is under way`
  return { sinceMs: lastAtMs, byMs: lastAtMs + Math.max(SILENT_LIMIT_MS, ownS * 1000 + SLACK_MS), what }
}
