/** In what state a maintenance is, in a word, and who waits for what. Terminal, pages and API say the same. */
import { timeText } from './figures.ts'
import { awaitsApproval, type MaintenanceView, type MoveView, openWorkOrderOf } from './view.ts'

export type Status = { readonly word: string; readonly tone: 'good' | 'wait' | 'bad' | 'busy' }

/** One sentence, "the repair waits for the technician's answer …"; gate: it stands at a gate, and this is one of its blockers. */
export type Waiting = { readonly text: string; readonly sinceMs: number; readonly at: 'gate' | 'person' | 'world' }

const ENDINGS = { done: 'good', undone: 'wait', failed: 'bad', stuck: 'bad' } as const

export function statusOf(view: MaintenanceView): Status {
  if (view.ended !== undefined) return { word: view.ended.ending, tone: ENDINGS[view.ended.ending] }
  if (view.aborting !== undefined) return { word: 'aborting', tone: 'wait' }
  if (view.paused !== undefined) return { word: 'paused', tone: 'wait' }
  if (view.gate !== undefined) return { word: 'waits at a gate', tone: 'wait' }
  if (awaitsApproval(view)) return { word: 'waits for approval', tone: 'wait' }
  if (openWorkOrderOf(view) !== undefined) return { word: 'waits for the technician', tone: 'wait' }
  return { word: view.stage === undefined ? 'running' : `running: ${view.stage}`, tone: 'busy' }
}

/** How far a copy is, from 0 to 1; 'unknown' before the hypervisor has said anything. */
export function copiedFraction({ state }: MoveView): number | 'unknown' {
  if (state.is !== 'copying' || state.totalBytes <= 0) return 'unknown'
  return Math.min(1, state.transferredBytes / state.totalBytes)
}

/** Everybody who waits now, and for what; empty when nobody does. */
export function waitingIn(view: MaintenanceView): readonly Waiting[] {
  if (view.ended !== undefined) return []
  return [...waitingForPeople(view), ...waitingForTheWorld(view)]
}

function waitingForPeople(view: MaintenanceView): readonly Waiting[] {
  const { paused, plan, plannedAtMs = view.lastAtMs } = view
  const waiting: Waiting[] = []
  if (paused !== undefined) {
    const text = `everything waits for somebody to resume: ${paused.by} paused it`
    waiting.push({ text, sinceMs: paused.sinceMs, at: 'person' })
  }
  if (plan !== undefined && awaitsApproval(view)) {
    const given = view.approvals.filter((approval) => approval.plan === plan.id).map(({ by }) => by)
    const who = given.length === 0 ? 'somebody' : `another person than ${given.join(' and ')}`
    waiting.push({ text: `the drain waits for ${who} to approve plan ${plan.id}`, sinceMs: plannedAtMs, at: 'person' })
  }
  const open = openWorkOrderOf(view)
  if (open !== undefined) {
    const { id, answerBeforeMs } = open.order
    const text = `the repair waits for the technician’s answer to work order ${id}, before ${timeText(answerBeforeMs)} UTC`
    waiting.push({ text, sinceMs: open.issuedAtMs, at: 'person' })
  }
  return waiting
}

function waitingForTheWorld({ gate, verification, moves, stage }: MaintenanceView): readonly Waiting[] {
  const atGate = (gate?.blockers ?? []).map(({ text, lifts }): Waiting => {
    return { text: `${gate?.stage} waits: ${text}; lifted by: ${lifts}`, sinceMs: gate?.sinceMs ?? 0, at: 'gate' }
  })
  const soak = verification.is === 'soaking' && stage === 'verify' ? [verification] : []
  const soaking = soak.map(({ untilMs, sinceMs }): Waiting => {
    return { text: `verify waits for the soak to end at ${timeText(untilMs)} UTC`, sinceMs, at: 'world' }
  })
  const copies = moves.flatMap(({ guest, to, state }): readonly Waiting[] => {
    if (state.is !== 'copying') return []
    return [
      { text: `${stage ?? 'drain'} waits for guest ${guest} to arrive on ${to}`, sinceMs: state.sinceMs, at: 'world' },
    ]
  })
  return [...atGate, ...soaking, ...copies]
}
