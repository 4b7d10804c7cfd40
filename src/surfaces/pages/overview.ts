/** The first page: which maintenances run, which ended, and what detect found. */
import type { MaintenanceHead } from '#app/control-plane'
import { dateTimeText, durationText } from '#domain/figures'
import type { Finding, FindingLevel } from '#domain/finding'
import { statusOf, waitingIn } from '#domain/status'
import { type Html, html } from './html.ts'
import { badge, type Frame, page, type Tone } from './layout.ts'

const REFRESH_S = 10

const LEVEL_TONES: Readonly<Record<FindingLevel, Tone>> = {
  watch: 'plain',
  quarantine: 'wait',
  'drain-advised': 'wait',
  'drain-now': 'bad',
}

export function overviewPage(
  input: Frame & { readonly heads: readonly MaintenanceHead[]; readonly findings: readonly Finding[] },
): string {
  const running = input.heads.filter(({ view }) => view.ended === undefined)
  const ended = input.heads.filter(({ view }) => view.ended !== undefined)
  const body = html`
<h1>What happens behind the scenes</h1>
<div data-live="overview">
<section class="card spaced"><h2>Running</h2>${running.length === 0 ? html`<p class="dim">No maintenance is running.</p>` : running.map(runningCard)}</section>
<section class="card"><h2>Findings</h2>${findingsTable(input.findings)}</section>
<section class="card"><h2>Ended</h2>${endedTable(ended)}</section>
</div>`
  return page({ ...input, title: 'Overview', body, refreshS: REFRESH_S })
}

const linkOf = ({ id }: MaintenanceHead) => `/maintenances/${encodeURIComponent(id)}`

function runningCard(head: MaintenanceHead): Html {
  const { view, cluster } = head
  const { word, tone } = statusOf(view)
  const waits = waitingIn(view)
  return html`<article>
<p class="titled"><a href="${linkOf(head)}"><b>${view.node}</b></a> <span class="dim">in ${cluster}</span> ${badge(word, tone)}</p>
<p>${view.finding.text}</p>
<ul class="small">${waits.map(({ text }) => html`<li>${text}</li>`)}</ul>
</article>`
}

function findingsTable(findings: readonly Finding[]): Html {
  if (findings.length === 0) return html`<p class="dim">Nothing found: no part of any node is under watch.</p>`
  const rows = findings.map(
    ({ node, part, level, confidence, text, atMs, cleared }) => html`<tr>
<td><b>${node}</b><br>${part === 'node' ? 'shared by several parts' : part}</td>
<td>${cleared ? badge('cleared', 'good') : badge(level.replace('-', ' '), LEVEL_TONES[level])}<br><small class="dim num">${Math.round(confidence * 100)} % sure</small></td>
<td>${text}<br><small class="dim num">${dateTimeText(atMs)}</small></td></tr>`,
  )
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Findings"><table>
<thead><tr><th scope="col">Node, part</th><th scope="col">Level</th><th scope="col">Evidence</th></tr></thead>
<tbody>${rows}</tbody></table></div>`
}

function endedTable(heads: readonly MaintenanceHead[]): Html {
  if (heads.length === 0) return html`<p class="dim">None has ended yet.</p>`
  const rows = heads.map((head) => {
    const { view } = head
    const { word, tone } = statusOf(view)
    const tookMs = (view.ended?.atMs ?? view.lastAtMs) - view.openedAtMs
    return html`<tr><td><a href="${linkOf(head)}">${view.node}</a><br><small class="dim num">${dateTimeText(view.openedAtMs)}</small></td>
<td>${badge(word, tone)}</td><td>${view.finding.text}<br><small class="dim">took ${durationText(tookMs)}</small></td></tr>`
  })
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Ended maintenances"><table>
<thead><tr><th scope="col">Node</th><th scope="col">Ending</th><th scope="col">Why</th></tr></thead>
<tbody>${rows}</tbody></table></div>`
}
