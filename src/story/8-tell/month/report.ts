/** A month of invisible work as a document: at most 150 words on top, then the work, then promise against measurement. */
import type { Cell, Document, Section } from '#domain/document'
import type { CustomerStory } from '../decide.ts'
import { type Formats, formatsOf } from '../formats.ts'
import { wordsFor } from '../languages.ts'
import { sawOf } from '../summary.ts'
import type { TellOptions } from '../tell-options.ts'
import { tellingOf } from '../telling.ts'
import type { MonthStory } from './decide.ts'
import { type MonthWords, monthWordsFor } from './words.ts'

type Telling = { readonly story: MonthStory; readonly words: MonthWords; readonly formats: Formats }

export function monthReportOf(story: MonthStory, { hoster, simulated }: TellOptions): Document {
  const { customer } = story
  const { label } = wordsFor(customer.language)
  const formats = formatsOf(customer)
  const words = monthWordsFor(customer.language)
  const telling: Telling = { story, words, formats }
  return {
    language: customer.language,
    // The middle of the month is of that month in every time zone.
    title: words.title(formats.month((story.fromMs + story.toMs) / 2)),
    kicker: `${hoster} · ${label.for} ${customer.name}`,
    author: hoster,
    ...(simulated && { simulated: { label: label.simulated, text: label.simulatedLong } }),
    sections: [
      {
        id: 'short',
        heading: label.short,
        isShort: true,
        blocks: monthSummaryOf(story).map((text) => ({ is: 'text', text }) as const),
      },
      ...(story.maintenances.length > 0 ? [work(telling)] : []),
      availability(telling),
      { id: 'how', heading: words.label.how, blocks: [{ is: 'text', text: words.label.howText }] },
    ],
    footer: simulated ? [label.simulatedLong] : [],
    atMs: story.toMs,
  }
}

/** One paragraph an entry, in the customer's language; what nobody measured is said so. */
export function monthSummaryOf(story: MonthStory): readonly string[] {
  const words = monthWordsFor(story.customer.language)
  const formats = formatsOf(story.customer)
  const telling = { story, words, formats }
  return [done(telling), measured(telling), promised(telling)].map((sentences) => sentences.join(' '))
}

function done({ story, words }: Telling): readonly string[] {
  const { maintenances, falseAlarms, movedTimes, restartedTimes } = story
  if (maintenances.length === 0) return [words.nothing]
  return [
    words.done(maintenances.length),
    ...(falseAlarms > 0 ? [words.falseAlarms(falseAlarms)] : []),
    ...(movedTimes + restartedTimes > 0 ? [words.moved({ live: movedTimes, restart: restartedTimes })] : []),
  ]
}

function measured({ story, words, formats }: Telling): readonly string[] {
  const { longestPause, overBudgetTimes, watched, movedTimes } = story
  const pause =
    movedTimes === 0
      ? []
      : [longestPause === 'unmeasured' ? words.pauseUnmeasured : words.pause(formats.pause(longestPause.blackoutMs))]
  return [
    ...pause,
    ...(overBudgetTimes > 0 ? [words.overBudget(overBudgetTimes)] : []),
    watched === 'unknown'
      ? words.notWatched
      : words.answered({ share: formats.share(answeredShare(watched)), watched: formats.span(watched.watchedMs) }),
  ]
}

function promised({ story, words, formats }: Telling): readonly string[] {
  const { promised: share, watched, lostInMaintenancesMs: lostMs, fromMs, toMs } = story
  const promise =
    share === 'unknown'
      ? words.noPromise
      : words.promise({ share: formats.share(share), allowed: formats.span((1 - share) * (toMs - fromMs)) })
  if (watched === 'unknown') return [promise]
  if (lostMs === 'unknown') return [promise, words.spentUnknown]
  const faultsMs = Math.max(0, watched.lostMs - lostMs)
  return [promise, words.spent({ maintenance: formats.pause(lostMs), faults: formats.pause(faultsMs) })]
}

const answeredShare = ({ watchedMs, lostMs }: { readonly watchedMs: number; readonly lostMs: number }) =>
  watchedMs === 0 ? 0 : 1 - lostMs / watchedMs

function work({ story, words, formats }: Telling): Section {
  const { label } = words
  const row = (one: CustomerStory): readonly Cell[] => [
    { text: formats.date(one.openedAtMs), isFigure: true, why: one.maintenance },
    { text: sawOf(tellingOf(one)) },
    one.longestPause === 'unmeasured'
      ? { text: label.unmeasured }
      : { text: formats.pause(one.longestPause.blackoutMs), isFigure: true },
    { text: words.endings[one.ending] },
  ]
  const head = [label.when, label.what, label.pause, label.ending]
  return {
    id: 'work',
    heading: label.work,
    blocks: [
      { is: 'table', table: { head, groups: [{ rows: story.maintenances.map(row) }] } },
      { is: 'text', text: label.ownPage },
    ],
  }
}

function availability({ story, words, formats }: Telling): Section {
  const { label } = words
  const { promised: share, watched, lostInMaintenancesMs: lostMs } = story
  const figure = (text: string): Cell => ({ text, isFigure: true })
  const unmeasured: Cell = { text: label.unmeasured }
  const isSplit = watched !== 'unknown' && lostMs !== 'unknown'
  const rows: readonly (readonly Cell[])[] = [
    [{ text: label.promised }, share === 'unknown' ? { text: label.none } : figure(formats.share(share))],
    [{ text: label.measured }, watched === 'unknown' ? unmeasured : figure(formats.share(answeredShare(watched)))],
    [{ text: label.byMaintenance }, isSplit ? figure(formats.pause(lostMs)) : unmeasured],
    [{ text: label.byFaults }, isSplit ? figure(formats.pause(Math.max(0, watched.lostMs - lostMs))) : unmeasured],
  ]
  return {
    id: 'availability',
    heading: label.availability,
    blocks: [{ is: 'table', table: { head: [label.what, label.measured], hasRowHeads: true, groups: [{ rows }] } }],
  }
}
