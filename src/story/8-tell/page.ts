/** One customer's page: plain words first, the annex after. Standalone HTML without script. */
import type { ProbeReading } from '#domain/measurement'
import type { CustomerStory, RepairStory } from './decide.ts'
import { type Formats, formatsFor } from './formats.ts'
import type { GuestStory, MoveStory } from './guest-story.ts'
import { type Html, html, NOTHING, trusted } from './html.ts'
import { wordsFor } from './languages.ts'
import { PAGE_STYLE } from './page-style.ts'
import { stakeOf, summaryOf } from './summary.ts'
import type { TellOptions } from './tell-options.ts'
import type { Labels } from './words.ts'

/** The day is said only where it is not the one in the title. */
function clockOf({ story, formats }: Pick<Page, 'story' | 'formats'>, atMs: number): string {
  const day = formats.date(atMs)
  return day === formats.date(story.openedAtMs) ? formats.clock(atMs) : `${day}, ${formats.clock(atMs)}`
}

type Page = {
  readonly story: CustomerStory
  readonly label: Labels
  readonly formats: Formats
  readonly options: TellOptions
}

/** In the customer's language; everything from outside is escaped. The same story gives the same bytes. */
export function customerPage(story: CustomerStory, options: TellOptions): string {
  const { label } = wordsFor(story.customer.language)
  const formats = formatsFor(story.customer.language)
  const page: Page = { story, label, formats, options }
  const title = titleOf(story)
  const document = html`<!doctype html>
<html lang="${story.customer.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${options.simulated ? `${label.simulated}${label.colon}` : ''}${title}</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<main>
<header>
<p>${options.hoster} · ${label.for} ${story.customer.name}</p>
<h1>${title}</h1>
${simulatedNote(page)}
</header>
<section class="short" aria-labelledby="short">
<h2 id="short">${label.short}</h2>
${summaryOf(story).map((paragraph) => html`<p>${paragraph}</p>`)}
</section>
<section aria-labelledby="stake">
<h2 id="stake">${label.stake}</h2>
<p>${stakeOf(story)}</p>
</section>
<section aria-labelledby="annex">
<h2 id="annex">${label.annex}</h2>
${guestsTable(page)}
${probeTable(page)}
${story.repairs.length > 0 ? html`<h3>${label.repair}</h3>${story.repairs.map((repair) => repairText(page, repair))}` : NOTHING}
${evidence(page)}
</section>
</main>
<footer><p>${label.utc}${options.simulated ? ` ${label.simulatedLong}` : ''}</p></footer>
</body>
</html>
`
  return document.html
}

export function titleOf(story: CustomerStory): string {
  const { label } = wordsFor(story.customer.language)
  return label.title({ node: story.node, date: formatsFor(story.customer.language).date(story.openedAtMs) })
}

const simulatedNote = ({ options, label }: Page): Html =>
  options.simulated ? html`<p class="simulated" role="note">${label.simulatedLong}</p>` : NOTHING

function guestsTable(page: Page): Html {
  const { story, label } = page
  return html`<h3>${label.guests}</h3>
<table>
<thead><tr><th scope="col">${label.when}</th><th scope="col">${label.way}</th><th scope="col">${label.pause}</th></tr></thead>
${story.guests.map((guest) => guestRows(page, guest))}
</table>`
}

function guestRows(page: Page, guest: GuestStory): Html {
  const { label } = page
  const rows =
    guest.moves.length > 0
      ? guest.moves.map((move) => moveRow(page, guest, move))
      : [html`<tr><td colspan="3">${label.neverMoved}</td></tr>`]
  const others = guest.movedByOthers > 0 ? html`<tr><td colspan="3">${label.movedByOthers}</td></tr>` : NOTHING
  return html`<tbody>
<tr><th colspan="3" scope="rowgroup">${guest.name} <span>${guest.vmid}</span></th></tr>
${rows}${others}
</tbody>`
}

function moveRow(page: Page, guest: GuestStory, move: MoveStory): Html {
  const { label } = page
  const atMs = move.startedAtMs === 'unknown' ? move.endedAtMs : move.startedAtMs
  const when = atMs === 'unknown' ? '' : clockOf(page, atMs)
  const how = move.is === 'moved' ? label.mode[move.mode] : move.is === 'failed' ? label.failed : label.open
  return html`<tr><td class="figure">${when}</td><td>${move.from} → ${move.to}<span class="why">${how}</span></td><td>${pauseCell(page, guest, move)}</td></tr>
`
}

function pauseCell({ label, formats }: Page, guest: GuestStory, move: MoveStory): Html {
  if (move.pause === 'unmeasured') {
    const why = move.whyUnmeasured && label.whyUnmeasured[move.whyUnmeasured]
    // Nothing ran or nothing moved: there was no pause to measure.
    if (why && (move.whyUnmeasured === 'was-stopped' || move.whyUnmeasured === 'not-moved')) return html`${why}`
    return html`${label.unmeasured}${why ? html`<span class="why">${why}</span>` : NOTHING}`
  }
  const { blackoutMs } = move.pause
  const over = guest.overBudget.find((pause) => pause.blackoutMs === blackoutMs)
  const figure = html`<span class="figure${over ? ' over' : ''}">${formats.pause(blackoutMs)}</span>`
  return over ? html`${figure}<span class="why">${label.budget} ${formats.pause(over.budgetMs)}</span>` : figure
}

function probeTable(page: Page): Html {
  const { story, label } = page
  const { readings } = story.probe
  if (readings.length === 0) return html`<h3>${label.probe}</h3><p>${label.probeNone}</p>`
  const names = new Map(story.guests.map(({ vmid, name }) => [vmid, name]))
  const row = (reading: ProbeReading) =>
    html`<tr><th scope="row">${names.get(reading.guest) ?? reading.guest}${watched(page, reading)}</th>${probeCells(page, reading)}</tr>
`
  return html`<h3>${label.probe}</h3>
<table class="probe">
<thead><tr><th scope="col">${label.guest}</th><th scope="col">${label.lost}</th><th scope="col">${label.gap}</th></tr></thead>
<tbody>
${readings.map(row)}</tbody>
</table>`
}

const watched = ({ formats }: Page, reading: ProbeReading): Html =>
  reading.is === 'measured'
    ? html`<span class="why">${formats.time(reading.fromMs)}–${formats.time(reading.toMs)}</span>`
    : NOTHING

function probeCells(page: Page, reading: ProbeReading): Html {
  const { label, formats } = page
  if (reading.is === 'unmeasured') {
    return html`<td colspan="2">${label.unmeasured}<span class="why">${reading.reason}</span></td>`
  }
  const { intervalMs, sentCount, lostCount, longestGapMs, longestGapAtMs } = reading
  const gap =
    lostCount === 0
      ? html`${label.gapNone}`
      : html`<span class="figure">${formats.pause(longestGapMs)}</span><span class="why">${clockOf(page, longestGapAtMs)}</span>`
  const every = html`<span class="why">${label.every(formats.pause(intervalMs))}</span>`
  return html`<td><span class="figure">${formats.number(lostCount)} / ${formats.number(sentCount)}</span>${every}</td><td>${gap}</td>`
}

function repairText(page: Page, repair: RepairStory): Html {
  const { label } = page
  const done =
    repair.did.length > 0
      ? html`<p>${`${label.did}${label.colon}`.trim()}</p><ul>${repair.did.map((item) => html`<li>${item}</li>`)}</ul>`
      : NOTHING
  return html`<p>${repair.by}, ${clockOf(page, repair.answeredAtMs)}. ${label.found}${label.colon}${repair.found}</p>${done}`
}

function evidence({ story, label, formats }: Page): Html {
  const { entryCount, lastHash } = story.evidence
  return html`<h3>${label.evidence}</h3>
<p>${label.evidenceText({ entries: formats.number(entryCount), maintenance: story.maintenance })}</p>
<p>${label.lastHash}${label.colon}<code>${lastHash}</code></p>`
}
