/** The live page of one maintenance: stages, who waits for what, moves, interlock, what people may do, the journal. */
import type { MaintenanceHead } from '#app/control-plane'
import { ACTIONS, type Action, can } from '#domain/can'
import type { JournalRow } from '#domain/event'
import { countText, durationText, sinceText, timeText } from '#domain/figures'
import { renderEvent } from '#domain/render'
import { statusOf, waitingIn } from '#domain/status'
import { type MaintenanceView, openWorkOrderOf, type StageView } from '#domain/view'
import { type Html, html } from './html.ts'
import { badge, blockerList, type Frame, page } from './layout.ts'
import { figuresCard, movesCard } from './maintenance-figures.ts'

const REFRESH_S = 5
/** The newest; the API gives all. */
const JOURNAL_ROWS_SHOWN = 200
/** The rest is folded: on a phone the journal would be ten times as long as everything else. */
const JOURNAL_ROWS_OPEN = 20

export type MaintenancePageInput = Frame & {
  readonly head: MaintenanceHead
  readonly rows: readonly JournalRow[]
}

export function maintenancePage({ head, rows, ...frame }: MaintenancePageInput): string {
  const { id, cluster, view } = head
  const { word, tone } = statusOf(view)
  const path = `/maintenances/${encodeURIComponent(id)}`
  const body = html`<div data-live="maintenance">
<div class="titled"><h1>${view.node} in ${cluster}</h1>${badge(word, tone)}</div>
<p>${view.finding.text} <span class="dim">Opened by ${view.requestedBy} at <span class="num">${timeText(view.openedAtMs)}</span>, maintenance <span class="mono">${id}</span>.</span></p>
<ol class="stages" aria-label="Stages">${view.stages.map((stage) => stageItem(stage, view, frame.nowMs))}</ol>
${endPanel(view)}
${waitingPanel(view, path, frame.nowMs)}
<div class="columns">
<div class="a">${view.ended === undefined && interlockPanel(view)}${actionsCard(view, path)}</div>
<div class="b">${movesCard(view)}${planCard(view)}</div>
<div class="c">${figuresCard(view)}${peopleCard(view, path)}</div>
</div>
${journalCard(view, rows, path)}
</div>`
  const isOver = view.ended !== undefined
  return page({
    ...frame,
    title: `${view.node}: ${word}`,
    body,
    ...(isOver ? {} : { refreshS: REFRESH_S, liveFrom: `/api${path}/events?after=${view.lastSeq}` }),
  })
}

function stageItem(stage: StageView, view: MaintenanceView, nowMs: number): Html {
  const isWaiting = stage.state === 'running' && (view.gate?.stage === stage.stage || view.paused !== undefined)
  const tone = stage.state === 'done' ? 'good' : stage.state === 'ahead' ? '' : isWaiting ? 'wait' : 'busy'
  return html`<li class="${tone}"${stage.state === 'running' && html` aria-current="step"`}><b>${stage.stage}</b>${stageWord(stage, isWaiting, nowMs)}</li>`
}

function stageWord({ state, rounds, beganAtMs, endedAtMs }: StageView, isWaiting: boolean, nowMs: number): string {
  if (state === 'ahead') return 'ahead'
  const tookMs = Math.max(0, (endedAtMs ?? nowMs) - (beganAtMs ?? nowMs))
  const round = rounds > 1 ? `, round ${rounds}` : ''
  const word = state === 'done' ? '✓' : isWaiting ? 'waits,' : 'runs,'
  return `${word} ${durationText(tookMs)}${round}`
}

function endPanel({ ended, undoFailures }: MaintenanceView): Html | undefined {
  if (ended === undefined) return undefined
  const tone = ended.ending === 'done' ? 'good' : ended.ending === 'undone' ? 'wait' : 'bad'
  return html`<section class="panel ${tone}"><h2>Ended: ${ended.ending}</h2><p>${ended.text}</p>${
    undoFailures.length > 0 &&
    html`<ul>${undoFailures.map(({ name, text }) => html`<li>Could not take back ${name}: ${text}</li>`)}</ul>`
  }</section>`
}

function waitingPanel(view: MaintenanceView, path: string, nowMs: number): Html | undefined {
  const waits = waitingIn(view)
  if (waits.length === 0) return undefined
  const { gate } = view
  const others = waits.filter(({ at }) => at !== 'gate')
  const list = html`<ul>${others.map(({ text, sinceMs }) => html`<li>${text} <span class="small num">(${durationText(Math.max(0, nowMs - sinceMs))})</span></li>`)}</ul>`
  const tone = gate !== undefined || view.paused !== undefined ? 'wait' : 'busy'
  return html`<section class="panel ${tone}" aria-label="Who waits for what"><h2>Who waits for what</h2>
${gate !== undefined && html`<p>Stage <b>${gate.stage}</b> waits at its gate since <span class="num">${timeText(gate.sinceMs)}</span>:</p>${blockerList(gate.blockers)}`}
${others.length > 0 && list}
${openWorkOrderOf(view) !== undefined && html`<p><a href="${path}/work-order">The technician’s page</a></p>`}</section>`
}

export function interlockPanel({ interlock, node }: Pick<MaintenanceView, 'interlock' | 'node'>): Html {
  if (interlock.is === 'safe') {
    return html`<section class="panel interlock good"><strong>SAFE to touch ${node}</strong><p>${interlock.text}</p><p class="small">Since <span class="num">${timeText(interlock.sinceMs)}</span> UTC</p></section>`
  }
  return html`<section class="panel interlock bad"><strong>${node} is NOT safe to touch</strong><ul>${interlock.reasons.map((reason) => html`<li>${reason}</li>`)}</ul></section>`
}

const ACTION_WORDS: Readonly<Record<Action, string>> = {
  approve: 'Approve the plan',
  reject: 'Reject the plan',
  lift: 'Lift blockers',
  pause: 'Pause',
  resume: 'Resume',
  abort: 'Abort and take all back',
  'answer-work-order': 'Answer the work order',
}

const hrefOf = (action: Action, path: string) =>
  action === 'answer-work-order' ? `${path}/work-order` : `${path}/act/${action}`

/** What may be done stands first; what is off says why. */
function actionsCard(view: MaintenanceView, path: string): Html | undefined {
  const all = ACTIONS.map((action) => ({ action, allowed: can(view, action) }))
  const buttons = all.flatMap(({ action, allowed }) =>
    allowed.is === 'yes'
      ? [html`<a class="button ${TONES[action] ?? ''}" href="${hrefOf(action, path)}">${ACTION_WORDS[action]}</a>`]
      : [],
  )
  const off = all.flatMap(({ action, allowed }) =>
    allowed.is === 'no' ? [html`<li><b>${ACTION_WORDS[action]}</b>: ${allowed.reason}</li>`] : [],
  )
  if (view.ended !== undefined) return undefined
  return html`<section class="card"><h2>What you may do</h2>${buttons.length > 0 && html`<p class="buttons">${buttons}</p>`}
${off.length > 0 && html`<h3 class="small dim">Off now</h3><ul class="off small dim">${off}</ul>`}</section>`
}

const TONES: Readonly<Partial<Record<Action, string>>> = { abort: 'danger', approve: 'main' }

function planCard({ plan, approvals, rejected }: MaintenanceView): Html | undefined {
  if (plan === undefined) return undefined
  const approved = approvals.filter((approval) => approval.plan === plan.id)
  return html`<section class="card"><h2>Plan <span class="mono">${plan.id}</span>, revision ${plan.revision}</h2>
<p>${countText(plan.moves.length, 'move')}, forecast ${durationText(plan.makespanS * 1000)}; no plan whatever is faster than ${durationText(plan.lowerBoundS * 1000)}. Afterwards ${countText(plan.spare.nodesThatMayFail, 'more node')} may fail.</p>
${approved.map(({ by, lifted, reason, atMs }) => html`<p>Approved by <b>${by}</b> at <span class="num">${timeText(atMs)}</span>${lifted.length > 0 && html`, who lifted <span class="mono">${lifted.join(', ')}</span>`}${reason !== '' && `: ${reason}`}</p>`)}
${rejected?.plan === plan.id && html`<p>Rejected by <b>${rejected.by}</b>: ${rejected.reason}</p>`}
${plan.blockers.length > 0 && html`<h3>Blockers of the plan</h3>${blockerList(plan.blockers)}`}
${plan.stays.length > 0 && html`<h3>What stays</h3><ul>${plan.stays.map(({ guest, text }) => html`<li>guest ${guest}: ${text}</li>`)}</ul>`}
${plan.notes.length > 0 && html`<h3>Read before approving</h3><ul>${plan.notes.map((note) => html`<li>${note}</li>`)}</ul>`}</section>`
}

function peopleCard({ published, guests }: MaintenanceView, path: string): Html {
  const customers = [...new Set(guests.flatMap(({ customer }) => (customer === undefined ? [] : [customer])))].sort()
  const items = customers.map((customer) =>
    published.includes(customer)
      ? html`<li><a href="${path}/reports/${encodeURIComponent(customer)}">${customer}: the report</a></li>`
      : html`<li>${customer}: <span class="dim">no report yet</span></li>`,
  )
  return html`<section class="card"><h2>Customers</h2>${items.length === 0 ? html`<p class="dim">No customer is known to have guests here.</p>` : html`<ul class="actions">${items}</ul>`}</section>`
}

function journalCard(view: MaintenanceView, rows: readonly JournalRow[], path: string): Html {
  const newest = rows.slice(-JOURNAL_ROWS_SHOWN).reverse()
  const older = newest.slice(JOURNAL_ROWS_OPEN)
  return html`<section class="card"><h2>Journal</h2>
<p class="small dim">Newest first${rows.length > newest.length && `, the last ${newest.length} of ${rows.length}`}; each row names the hash of the row before. <a href="/api${path}/journal">All of it as JSON</a></p>
${journalList(newest.slice(0, JOURNAL_ROWS_OPEN), view)}
${older.length > 0 && html`<details id="older"><summary>${countText(older.length, 'older entry', 'older entries')}</summary>${journalList(older, view)}</details>`}</section>`
}

const journalList = (rows: readonly JournalRow[], view: MaintenanceView) =>
  html`<ol class="journal" reversed>${rows.map((row) => html`<li><time class="num" datetime="${new Date(row.atMs).toISOString()}" title="${timeText(row.atMs)} UTC">${sinceText(row.atMs, view.openedAtMs)}</time><span>${renderEvent(row.event)}</span></li>`)}</ol>`
