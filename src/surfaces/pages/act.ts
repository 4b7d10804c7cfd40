/** The page before a person's word is sent: what it will do, who says it, why. A button that is off says why. */
import type { MaintenanceHead } from '#app/control-plane'
import { BLOCKERS, type Blocker } from '#domain/blocker'
import { type Action, can } from '#domain/can'
import { countText } from '#domain/figures'
import type { MaintenanceView } from '#domain/view'
import { type Html, html } from './html.ts'
import { blockerList, type Frame, page } from './layout.ts'

export type PersonAction = Exclude<Action, 'answer-work-order'>

/** What somebody typed before, so that a refused form comes back as it was. */
export type ActValues = {
  readonly by?: string
  readonly reason?: string
  readonly lifted?: readonly string[]
  readonly cancelRunning?: boolean
}

export type ActPageInput = Frame & {
  readonly head: MaintenanceHead
  readonly action: PersonAction
  /** The same for the same form: sent twice, it counts once. */
  readonly key: string
  readonly values: ActValues
  readonly faults: readonly string[]
}

type Words = { readonly title: string; readonly button: string; readonly asksReason: 'needed' | 'welcome' | 'no' }

const WORDS: Readonly<Record<PersonAction, Words>> = {
  approve: { title: 'Approve the plan', button: 'Approve', asksReason: 'welcome' },
  reject: { title: 'Reject the plan', button: 'Reject', asksReason: 'needed' },
  lift: { title: 'Lift blockers', button: 'Lift what is ticked', asksReason: 'needed' },
  pause: { title: 'Pause', button: 'Pause now', asksReason: 'no' },
  resume: { title: 'Resume', button: 'Resume', asksReason: 'no' },
  abort: { title: 'Abort', button: 'Abort and take all back', asksReason: 'needed' },
}

/** Which actions cannot go without a reason in the journal. */
export const needsReason = (action: PersonAction) => WORDS[action].asksReason === 'needed'

/** What the action does, in words that terminal and page share. */
export function effectText(view: MaintenanceView, action: PersonAction): string {
  const { plan, node } = view
  switch (action) {
    case 'approve':
      return `Plan ${plan?.id ?? ''} is carried out: ${countText(plan?.moves.length ?? 0, 'move')}, then ${node} is isolated and switched off for its repair.`
    case 'reject':
      return `Plan ${plan?.id ?? ''} is not carried out. Nothing has been touched.`
    case 'lift':
      return 'The story goes on past the blockers that you name. Your name and reason stay in the journal.'
    case 'pause':
      return 'No new move begins; running ones finish, unless you cancel them. The noout lease is renewed meanwhile.'
    case 'resume':
      return 'The story goes on where it stands.'
    case 'abort':
      return `All is taken back: ${node} comes back, noout is cleared, guests go home. What cannot be taken back is said, and a person is called.`
  }
}

/** The blockers that this action may lift by name. */
function liftableFor(view: MaintenanceView, action: PersonAction): readonly Blocker[] {
  const blockers = action === 'approve' ? view.plan?.blockers : action === 'lift' ? view.gate?.blockers : []
  return (blockers ?? []).filter(({ kind }) => BLOCKERS[kind].liftable)
}

export function actPage(input: ActPageInput): string {
  const { head, action, faults, ...frame } = input
  const { view } = head
  const path = `/maintenances/${encodeURIComponent(head.id)}`
  const allowed = can(view, action)
  const body = html`<div class="narrow">
<h1>${WORDS[action].title}: ${view.node}</h1>
<p>${effectText(view, action)}</p>
${faults.length > 0 && html`<section class="panel bad" role="alert"><h2>Not sent</h2><ul>${faults.map((fault) => html`<li>${fault}</li>`)}</ul></section>`}
${allowed.is === 'yes' ? form(input, path) : html`<section class="panel wait"><h2>Not now</h2><p>${allowed.reason}.</p></section>`}
<p class="spaced"><a href="${path}">Back to the maintenance</a></p></div>`
  return page({ ...frame, title: `${WORDS[action].title}: ${view.node}`, body })
}

function form({ head, action, key, values }: ActPageInput, path: string): Html {
  const { asksReason, button } = WORDS[action]
  const hidden = head.view.plan === undefined ? '' : head.view.plan.id
  const label = asksReason === 'needed' ? 'Why' : 'Why (may stay empty)'
  const reason = html`<label for="reason">${label}</label><textarea id="reason" name="reason" maxlength="1000"${asksReason === 'needed' && html` required`}>${values.reason ?? ''}</textarea>`
  return html`<form method="post" action="${path}/act/${action}" class="card">
<input type="hidden" name="key" value="${key}"><input type="hidden" name="plan" value="${hidden}">
${liftChoices(head.view, action, values)}
${action === 'pause' && html`<label class="check" for="cancelRunning"><input type="checkbox" id="cancelRunning" name="cancelRunning" value="yes"${values.cancelRunning === true && html` checked`}> <span>Cancel the moves that run now, too: their guests stay where they are</span></label>`}
<label for="by">Your name</label><input type="text" id="by" name="by" required maxlength="100" autocomplete="name" value="${values.by ?? ''}">
${asksReason !== 'no' && reason}
<p class="spaced"><button class="main ${action === 'abort' ? 'danger' : ''}">${button}</button></p></form>`
}

function liftChoices(view: MaintenanceView, action: PersonAction, values: ActValues): Html | undefined {
  const liftable = liftableFor(view, action)
  const firm = (action === 'lift' ? (view.gate?.blockers ?? []) : []).filter(({ kind }) => !BLOCKERS[kind].liftable)
  const kinds = [...new Map(liftable.map((blocker) => [blocker.kind, blocker])).values()]
  const boxes = kinds.map(
    ({
      kind,
      text,
    }) => html`<label class="check" for="lift-${kind}"><input type="checkbox" id="lift-${kind}" name="lifted" value="${kind}"${values.lifted?.includes(kind) && html` checked`}>
<span><b>${text}</b> <span class="mono small">${kind}</span></span></label>`,
  )
  if (boxes.length === 0 && firm.length === 0) return undefined
  return html`${boxes.length > 0 && html`<fieldset><legend>Lift by name</legend>${boxes}</fieldset>`}
${firm.length > 0 && html`<h2 class="spaced">Nobody may lift these</h2>${blockerList(firm)}`}`
}
