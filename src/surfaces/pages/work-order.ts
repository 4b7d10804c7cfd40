/** The technician's page: where, what, may I touch it now. For a phone, gloves and a bad link; works without script. */
import type { MaintenanceHead } from '#app/control-plane'
import { timeText } from '#domain/figures'
import type { Place } from '#domain/maintenance'
import { renderEvent } from '#domain/render'
import type { MaintenanceView, WorkOrderView } from '#domain/view'
import { type Html, html } from './html.ts'
import { badge, type Frame, page } from './layout.ts'
import { interlockPanel } from './maintenance.ts'

/** The interlock asks again by itself, in a frame of its own: a reload there forgets nothing that was typed here. */
const INTERLOCK_REFRESH_S = 5

export type AnswerValues = {
  readonly by?: string
  readonly serial?: string
  readonly outcome?: string
  readonly found?: string
  readonly did?: readonly string[]
}

export type WorkOrderPageInput = Frame & {
  readonly head: MaintenanceHead
  readonly work: WorkOrderView
  readonly key: string
  readonly takesPhotos: boolean
  readonly values: AnswerValues
  readonly faults: readonly string[]
}

/** Spaces and case do not count: people read it off a label in bad light. */
const sameSerial = (a: string, b: string) => plainSerial(a) === plainSerial(b)
const plainSerial = (text: string) => text.replace(/[\s-]/g, '').toUpperCase()

const OUTCOMES = [
  ['repaired', 'Repaired: my hands are off, the cover is closed'],
  ['nothing-found', 'Nothing found: I looked at all of it'],
  ['cannot', 'Cannot be repaired now: the node stays out'],
] as const

export function workOrderPage(input: WorkOrderPageInput): string {
  const { head, work, faults } = input
  const { order } = work
  const path = pathOf(input)
  const isOpen = work.answer === undefined && head.view.ended === undefined
  const isWrongNode = isOpen && (input.values.serial ?? '') !== '' && !isRightNode(input)
  const body = html`<div class="narrow">
<div class="titled"><h1>${order.part} of ${order.node}</h1>${stateBadge(work, head.view)}</div>
<p>${order.why}</p>
${isWrongNode ? wrongNode(input) : html`<iframe src="${path}/interlock" title="May I touch it now?"></iframe>`}
${faults.length > 0 && html`<section class="panel bad" role="alert"><h2>Not sent</h2><ul>${faults.map((fault) => html`<li>${fault}</li>`)}</ul></section>`}
${placeCard(order.place)}
<section class="panel wait"><h2>Power</h2><p>${order.powerNote}</p></section>
${refusals(work)}
${isOpen ? serialStep(input) : answered(work)}
<p class="small dim">Work order <span class="mono">${order.id}</span>, round ${order.round}. Answer before ${timeText(order.answerBeforeMs)} UTC.</p></div>`
  return page({ ...input, title: `${order.part} of ${order.node}`, body })
}

/** The frame: reloads by itself; when the link is gone the browser says so, and no old "safe" is left standing. */
export function interlockPage({ view, nowMs, simulated }: Frame & { readonly view: MaintenanceView }): string {
  const panel = view.ended === undefined ? interlockPanel(view) : interlockPanel({ interlock: OVER, node: view.node })
  return page({ title: 'May I touch it now?', nowMs, simulated, body: panel }).replace(
    '</head>',
    `<meta http-equiv="refresh" content="${INTERLOCK_REFRESH_S}"><style>header,footer,.simulated,.skip{display:none}main{padding:0}</style></head>`,
  )
}

const OVER = {
  is: 'not-safe',
  reasons: ['the maintenance has ended: the node is in service or in other hands'],
} as const

const pathOf = ({ head, work }: Pick<WorkOrderPageInput, 'head' | 'work'>) =>
  `/maintenances/${encodeURIComponent(head.id)}/work-orders/${encodeURIComponent(work.order.id)}`

function stateBadge({ answer }: WorkOrderView, { ended }: MaintenanceView): Html {
  if (answer !== undefined) return badge('answered', 'good')
  return ended === undefined ? badge('open', 'wait') : badge('over', 'plain')
}

function placeCard({ site, room, rack, unit, assetTag }: Place): Html {
  return html`<section class="card"><h2>Where</h2><p class="place">Rack ${rack}, unit ${unit}</p>
<p>${site}, room ${room}${assetTag !== undefined && html`, asset tag <b class="mono">${assetTag}</b>`}. Its locate LED blinks.</p></section>`
}

function refusals({ refusals: all }: WorkOrderView): Html | undefined {
  const last = all.at(-1)
  if (last === undefined) return undefined
  return html`<section class="panel bad" role="alert"><h2>Your last answer was refused</h2><p>${last.blocker.text}</p><p>${last.blocker.lifts}</p></section>`
}

/** Before anything is pulled: the serial from the chassis. It is not printed here, for then nobody would go and read it. */
function serialStep(input: WorkOrderPageInput): Html {
  const { work, values } = input
  if (isRightNode(input)) {
    return html`<section class="panel good"><h2>The right node</h2><p>Serial <b class="mono">${values.serial ?? ''}</b> is ${work.order.node}. Touch it only while the box above says SAFE.</p></section>${answerForm(input)}`
  }
  return html`<form method="get" action="${pathOf(input)}" class="card"><h2>First: is it the right node?</h2>
<label for="serial">Serial, read off the chassis</label><input type="text" id="serial" name="serial" required maxlength="100" autocomplete="off" autocapitalize="characters" spellcheck="false">
<p class="spaced"><button class="main">Compare</button></p></form>`
}

const isRightNode = ({ values, work }: WorkOrderPageInput) => sameSerial(values.serial ?? '', work.order.place.serial)

/** In the place of the interlock: whoever stands before another node must not read that some node is safe. */
function wrongNode({ values, work }: WorkOrderPageInput): Html {
  return html`<section class="panel interlock bad" role="alert"><strong>WRONG NODE</strong><p>Serial <b class="mono">${values.serial ?? ''}</b> is not ${work.order.node}. Touch nothing. Look for the blinking LED and read again.</p></section>`
}

function answerForm(input: WorkOrderPageInput): Html {
  const { work, values, key, takesPhotos } = input
  const boxes = work.order.checklist.map(
    (item, index) =>
      html`<label class="check" for="did-${index}"><input type="checkbox" id="did-${index}" name="did" value="${item}"${values.did?.includes(item) && html` checked`}> <span>${item}</span></label>`,
  )
  const choices = OUTCOMES.map(
    ([value, text]) =>
      html`<label class="check" for="outcome-${value}"><input type="radio" id="outcome-${value}" name="outcome" value="${value}" required${values.outcome === value && html` checked`}> <span>${text}</span></label>`,
  )
  const encoding = takesPhotos ? 'multipart/form-data' : 'application/x-www-form-urlencoded'
  return html`<form method="post" action="${pathOf(input)}" enctype="${encoding}" class="card">
<h2>Your answer</h2>
<input type="hidden" name="key" value="${key}"><input type="hidden" name="serial" value="${values.serial ?? ''}">
<fieldset><legend>Done</legend>${boxes}</fieldset>
<fieldset><legend>Outcome</legend>${choices}</fieldset>
<label for="found">What you found</label><textarea id="found" name="found" maxlength="2000">${values.found ?? ''}</textarea>
${takesPhotos && html`<label for="photos">Pictures (may stay empty)</label><input type="file" id="photos" name="photos" accept="image/*" multiple>`}
<label for="by">Your name</label><input type="text" id="by" name="by" required maxlength="100" autocomplete="name" value="${values.by ?? ''}">
<p class="spaced"><button class="main">Send the answer</button></p>
<p class="small dim">No answer from the page? Send it again: twice counts once.</p></form>`
}

function answered({ answer, answeredAtMs }: WorkOrderView): Html {
  if (answer === undefined)
    return html`<section class="card"><p>The maintenance has ended; this work order is closed.</p></section>`
  return html`<section class="panel good"><h2>Answered${answeredAtMs !== undefined && ` at ${timeText(answeredAtMs)} UTC`}</h2><p>${renderEvent({ kind: 'work-order-answered', answer })}</p><p>Thank you. The node is verified now; if that fails, a new work order comes.</p></section>`
}
