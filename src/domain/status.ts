/** In what state a maintenance is, in a word, and who waits for what. Terminal, pages and API say the same. */
import { timeText } from './figures.ts'
import { awaitsApproval, type MaintenanceView, type MoveView, openWorkOrderOf } from './view.ts'

export type Status = { readonly word: string; readonly tone: 'good' | 'wait' | 'bad' | 'busy' }

export type Waiting = { readonly who: string; readonly forWhat: string; readonly sinceMs: number }

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
  const { paused, plan, lastAtMs } = view
  const waiting: Waiting[] = []
  if (paused !== undefined) {
    waiting.push({
      who: 'the maintenance',
      forWhat: `somebody to resume it: ${paused.by} paused it`,
      sinceMs: paused.sinceMs,
    })
  }
  if (plan !== undefined && awaitsApproval(view)) {
    const given = view.approvals.filter((approval) => approval.plan === plan.id).map(({ by }) => by)
    const who = given.length === 0 ? 'somebody' : `another person than ${given.join(' and ')}`
    waiting.push({ who: 'the drain', forWhat: `${who} to approve plan ${plan.id}`, sinceMs: lastAtMs })
  }
  const open = openWorkOrderOf(view)
  if (open !== undefined) {
    const forWhat = `the technician’s answer to work order ${open.order.id}, before ${timeText(open.order.answerBeforeMs)} UTC`
    waiting.push({ who: 'the repair', forWhat, sinceMs: open.issuedAtMs })
  }
  return waiting
}

function waitingForTheWorld({ gate, verification, moves, stage }: MaintenanceView): readonly Waiting[] {
  const atGate = (gate?.blockers ?? []).map(({ text, lifts }) => ({
    who: gate?.stage ?? '',
    forWhat: `${lifts} (${text})`,
    sinceMs: gate?.sinceMs ?? 0,
  }))
  const soaking = verification.is === 'soaking' && stage === 'verify' ? [verification] : []
  const soak = soaking.map(({ untilMs, sinceMs }) => ({
    who: 'verify',
    forWhat: `the soak to end at ${timeText(untilMs)} UTC`,
    sinceMs,
  }))
  const copies = moves.flatMap((move) =>
    move.state.is === 'copying'
      ? [{ who: stage ?? 'drain', forWhat: `guest ${move.guest} to arrive on ${move.to}`, sinceMs: move.state.sinceMs }]
      : [],
  )
  return [...atGate, ...soak, ...copies]
}
