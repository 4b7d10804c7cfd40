/** What one customer reads of one maintenance, as a document: plain words first, the annex after. */

import type { Block, Cell, Document, RowGroup, Section } from '#domain/document'
import type { ProbeReading } from '#domain/measurement'
import { chartsOf } from './charts/charts.ts'
import type { CustomerStory, RepairStory } from './decide.ts'
import { formatsOf } from './formats.ts'
import type { GuestStory, MoveStory } from './guest-story.ts'
import { wordsFor } from './languages.ts'
import { stakeOf, summaryOf } from './summary.ts'
import type { TellOptions } from './tell-options.ts'
import { type Telling, tellingOf } from './telling.ts'

/** In the customer's language and time zone. The same story gives the same document. */
export function reportOf(story: CustomerStory, options: TellOptions): Document {
  const telling = tellingOf(story)
  const { words, formats } = telling
  const { label } = words
  const zone = label.zone({ zone: formats.zoneName, short: formats.zone(story.openedAtMs) })
  return {
    language: story.customer.language,
    title: titleOf(story),
    kicker: `${options.hoster} · ${label.for} ${story.customer.name}`,
    author: options.hoster,
    ...(options.simulated && { simulated: { label: label.simulated, text: label.simulatedLong } }),
    sections: [
      { id: 'short', heading: label.short, isShort: true, blocks: summaryOf(story).map(text) },
      { id: 'stake', heading: label.stake, blocks: [text(stakeOf(story))] },
      annex(telling),
      howWeKnow(telling),
    ],
    footer: [zone, ...(options.simulated ? [label.simulatedLong] : [])],
    atMs: story.lastAtMs,
  }
}

const text = (words: string): Block => ({ is: 'text', text: words })

export function titleOf(story: CustomerStory): string {
  const { label } = wordsFor(story.customer.language)
  return label.title({ node: story.node, date: formatsOf(story.customer).date(story.openedAtMs) })
}

function annex(telling: Telling): Section {
  const { story, words } = telling
  const { label } = words
  const repairs = story.repairs.flatMap((repair) => repairBlocks(telling, repair))
  const blocks: Block[] = [
    ...chartsOf(telling).map((chart): Block => ({ is: 'chart', chart, tableLabel: label.asTable })),
    { is: 'heading', text: label.guests },
    {
      is: 'table',
      table: {
        head: [label.when, label.way, label.pause],
        groups: story.guests.map((guest) => guestRows(telling, guest)),
      },
    },
    { is: 'heading', text: label.probe },
    ...probeBlocks(telling),
    ...(repairs.length > 0 ? [{ is: 'heading', text: label.repair } as const, ...repairs] : []),
  ]
  return { id: 'annex', heading: label.annex, blocks }
}

/** The day is said only where it is not the one in the title. */
function clockOf({ story, formats }: Telling, atMs: number): string {
  const day = formats.date(atMs)
  return day === formats.date(story.openedAtMs) ? formats.clock(atMs) : `${day}, ${formats.clock(atMs)}`
}

const WHOLE_ROW = 3

function guestRows(telling: Telling, guest: GuestStory): RowGroup {
  const { label } = telling.words
  const rows: (readonly Cell[])[] = guest.moves.map((move) => moveRow(telling, guest, move))
  if (rows.length === 0) rows.push([{ text: label.neverMoved, span: WHOLE_ROW }])
  if (guest.movedByOthers > 0) rows.push([{ text: label.movedByOthers, span: WHOLE_ROW }])
  return { heading: { text: guest.name, small: String(guest.vmid) }, rows }
}

function moveRow(telling: Telling, guest: GuestStory, move: MoveStory): readonly Cell[] {
  const { label } = telling.words
  const atMs = move.startedAtMs === 'unknown' ? move.endedAtMs : move.startedAtMs
  const how = move.is === 'moved' ? label.mode[move.mode] : move.is === 'failed' ? label.failed : label.open
  return [
    { text: atMs === 'unknown' ? '' : clockOf(telling, atMs), isFigure: true },
    { text: `${move.from} → ${move.to}`, why: how },
    pauseCell(telling, guest, move),
  ]
}

function pauseCell({ words: { label }, formats }: Telling, guest: GuestStory, move: MoveStory): Cell {
  if (move.pause === 'unmeasured') {
    const why = move.whyUnmeasured && label.whyUnmeasured[move.whyUnmeasured]
    // Nothing ran or nothing moved: there was no pause to measure.
    if (why && (move.whyUnmeasured === 'was-stopped' || move.whyUnmeasured === 'not-moved')) return { text: why }
    return { text: label.unmeasured, ...(why && { why }) }
  }
  const { blackoutMs } = move.pause
  const over = guest.overBudget.find((pause) => pause.blackoutMs === blackoutMs)
  const figure = formats.pause(blackoutMs)
  return over
    ? { text: figure, isOver: true, why: `${label.budget} ${formats.pause(over.budgetMs)}` }
    : { text: figure, isFigure: true }
}

function probeBlocks(telling: Telling): readonly Block[] {
  const { story, words } = telling
  const { label } = words
  const { readings } = story.probe
  if (readings.length === 0) return [text(label.probeNone)]
  const rows = readings.map((reading) => probeRow(telling, reading))
  const head = [label.guest, label.lost, label.gap]
  return [{ is: 'table', table: { head, hasRowHeads: true, groups: [{ rows }] } }]
}

function probeRow(telling: Telling, reading: ProbeReading): readonly Cell[] {
  const { story, words, formats } = telling
  const { label } = words
  const name = story.guests.find(({ vmid }) => vmid === reading.guest)?.name ?? String(reading.guest)
  if (reading.is === 'unmeasured') return [{ text: name }, { text: label.unmeasured, why: reading.reason, span: 2 }]
  const { fromMs, toMs, intervalMs, sentCount, lostCount, longestGapMs, longestGapAtMs } = reading
  return [
    { text: name, why: `${formats.time(fromMs)}–${formats.time(toMs)}` },
    {
      text: `${formats.number(lostCount)} / ${formats.number(sentCount)}`,
      isFigure: true,
      why: label.every(formats.pause(intervalMs)),
    },
    lostCount === 0
      ? { text: label.gapNone }
      : {
          text: formats.pause(longestGapMs),
          isFigure: true,
          why: clockOf(telling, longestGapAtMs),
        },
  ]
}

function repairBlocks(telling: Telling, repair: RepairStory): readonly Block[] {
  const { label } = telling.words
  const said = `${repair.by}, ${clockOf(telling, repair.answeredAtMs)}. ${label.found}${label.colon}${repair.found}`
  if (repair.did.length === 0) return [text(said)]
  return [text(said), text(`${label.did}${label.colon}`.trim()), { is: 'list', items: repair.did }]
}

function howWeKnow({ story, words: { label }, formats }: Telling): Section {
  const { entryCount, lastHash } = story.evidence
  return {
    id: 'evidence',
    heading: label.evidence,
    blocks: [
      text(label.evidenceText({ entries: formats.number(entryCount), maintenance: story.maintenance })),
      { is: 'code', label: `${label.lastHash}${label.colon}`.trim(), text: lastHash },
    ],
  }
}
