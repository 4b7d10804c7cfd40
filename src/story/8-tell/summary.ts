/** The plain words on top: what we saw, did, measured, and what remains. At most 150 words, read in a minute. */
import type { Vmid } from '#domain/ids'
import type { CustomerStory } from './decide.ts'
import { type Formats, formatsOf } from './formats.ts'
import { isHome, isMoved, type MoveStory, readingId } from './guest-story.ts'
import { wordsFor } from './languages.ts'
import { type Telling, tellingOf } from './telling.ts'
import type { PartWord, Span } from './words.ts'

/** What a sentence stands on: rows of the journal by seq, and samples. */
export type Rests = { readonly entries: readonly number[]; readonly samples: readonly string[] }

export type Sentence = {
  /** The same in every language, and once in a story. */
  readonly id: string
  readonly text: string
  readonly rests: Rests
  /** What it says where a sample that it rests on is missing. */
  readonly unmeasured: string
}

type Told = {
  readonly id: string
  readonly text: string
  readonly entries?: readonly number[]
  readonly samples?: readonly string[]
  readonly unmeasured?: string
}

/** One paragraph an entry, in the customer's language. */
export function summaryOf(story: CustomerStory): readonly string[] {
  return paragraphs(story).map((told) => told.map(({ text }) => text).join(' '))
}

/** The same, and what was at stake, sentence by sentence with what each rests on. */
export function sentencesOf(story: CustomerStory): readonly Sentence[] {
  const { label } = wordsFor(story.customer.language)
  return [...paragraphs(story).flat(), stakeTold(story), ...details(story)].map(
    ({ id, text, entries = [], samples = [], unmeasured = `${label.unmeasured}.` }) => ({
      id,
      text,
      rests: { entries: [...new Set(entries)].sort((a, b) => a - b), samples: [...new Set(samples)] },
      unmeasured,
    }),
  )
}

function paragraphs(story: CustomerStory): readonly (readonly Told[])[] {
  const told = tellingOf(story)
  return [saw(told), did(told), measured(told), reducedAndRepaired(told), remains(told)]
    .map((sentences) => sentences.filter(({ text }) => text !== ''))
    .filter((paragraph) => paragraph.length > 0)
}

/** What might have been, with its basis; never that it was prevented. */
export const stakeOf = (story: CustomerStory): string => stakeTold(story).text

function stakeTold(story: CustomerStory): Told {
  const { words, formats } = tellingOf(story)
  const { runningGuests, restart } = story.stake
  const how =
    restart === 'unmeasured'
      ? words.stakeUnmeasured
      : words.stakeRestart({
          from: formats.span(restart.fromS * 1000),
          to: formats.span(restart.toS * 1000),
          basis: restart.basis,
        })
  const text = [words.stake(runningGuests), how, words.stakeDoubt].join(' ')
  return { id: 'stake', text, entries: [...story.saw.entries, ...originEntries(story)] }
}

const originEntries = ({ guests }: CustomerStory) => guests.flatMap(({ entries }) => entries)

function saw(telling: Telling): readonly Told[] {
  const { story, words } = telling
  return [
    { id: 'saw', text: sawOf(telling), entries: story.saw.entries },
    { id: 'ending', text: words.ending[story.ending], entries: story.outcomeEntries.ending },
  ]
}

/** What began it, in one sentence. */
export function sawOf({ story, words, formats }: Telling): string {
  const { part, class: kind, episodes, windowS } = story.saw
  const span = windowS > 0 ? { span: formats.span(windowS * 1000) } : {}
  return words.saw({
    part,
    partKind: partWord(part),
    node: story.node,
    class: kind,
    times: Math.max(1, episodes),
    ...span,
  })
}

/** A finding names its part as the BMC does; the reader wants to know what kind of thing that is. */
export function partWord(part: string): PartWord {
  if (part === 'node') return 'hardware'
  if (/fan/i.test(part)) return 'fan'
  if (/^(psu|ps\d|power)/i.test(part)) return 'psu'
  if (/dimm|memory/i.test(part)) return 'memory'
  return /disk|nvme|ssd|hdd/i.test(part) ? 'disk' : 'part'
}

function did({ story, words, formats }: Telling): readonly Told[] {
  const { guests } = story
  const moved = (mode: MoveStory['mode']) =>
    guests.filter(({ moves }) => moves.some((move) => isMoved(move) && move.mode === mode)).length
  const failed = guests.flatMap(({ moves }) => moves.filter(({ is }) => is === 'failed')).length
  const wasMoved = guests.some(({ moves, movedByOthers }) => moves.some(isMoved) || movedByOthers > 0)
  const entries = [...originEntries(story), ...guests.flatMap(({ moves }) => moves.flatMap((move) => move.entries))]
  const modes = { live: moved('live'), restart: moved('restart'), offline: moved('offline'), failed }
  return [
    { id: 'moved', text: words.moved(modes), entries },
    {
      id: 'off',
      text: story.offSpan ? words.off(spanOf(story.offSpan, formats)) : '',
      entries: story.offSpan?.entries ?? [],
    },
    {
      id: 'home',
      text: wasMoved ? words.home({ home: guests.filter(isHome).length, all: guests.length }) : '',
      entries,
    },
  ]
}

const restsOf = (moves: readonly MoveStory[]) => ({
  entries: moves.flatMap((move) => move.entries),
  samples: moves.flatMap(({ sample }) => (sample === undefined ? [] : [sample])),
})

function measured(told: Telling): readonly Told[] {
  const { story, words, formats } = told
  const moves = story.guests.flatMap((guest) => guest.moves.filter(isMoved))
  const live = moves.filter(({ mode }) => mode === 'live')
  const restarts = moves.filter(({ mode }) => mode === 'restart')
  if (live.length + restarts.length === 0) return []
  const unmeasured = live.filter(({ pause }) => pause === 'unmeasured').length
  const pause =
    live.length === 0
      ? ''
      : story.longestPause === 'unmeasured'
        ? words.pauseUnmeasured
        : words.pause({ longest: formats.pause(story.longestPause.blackoutMs), unmeasured, all: live.length })
  const restart = restarts.some((move) => move.pause === 'unmeasured') ? words.restartUnmeasured : ''
  return [
    { id: 'pause', text: pause, ...restsOf(live), unmeasured: words.pauseUnmeasured },
    overBudget(told),
    { id: 'restart', text: restart, ...restsOf(restarts), unmeasured: words.restartUnmeasured },
    ...probed(told),
  ]
}

function overBudget({ story, words, formats }: Telling): Told {
  const all = story.guests.flatMap((guest) => guest.overBudget)
  const [worst] = [...all].sort((a, b) => b.blackoutMs - a.blackoutMs)
  const text =
    worst === undefined
      ? ''
      : words.overBudget({
          count: all.length,
          longest: formats.pause(worst.blackoutMs),
          budget: formats.pause(worst.budgetMs),
        })
  const rests = { entries: all.map(({ entry }) => entry), samples: all.map(({ sample }) => sample) }
  return { id: 'over-budget', text, ...rests, unmeasured: words.pauseUnmeasured }
}

function probed({ story, words, formats }: Telling): readonly Told[] {
  const { worst, coarsestIntervalMs, measuredGuests, unwatchedMoves, readings } = story.probe
  const rests = {
    entries: readings.map(({ entry }) => entry),
    samples: readings.flatMap(({ sample }) => (sample === undefined ? [] : [sample])),
    unmeasured: words.probeUnmeasured,
  }
  if (!worst || coarsestIntervalMs === undefined) return [{ id: 'probe', text: words.probeUnmeasured, ...rests }]
  const guest = story.guests.find(({ vmid }) => vmid === worst.guest)?.name ?? ''
  const seen =
    worst.lostCount === 0
      ? words.probeClean(formats.pause(coarsestIntervalMs))
      : words.probeGap({ gap: formats.pause(worst.longestGapMs), interval: formats.pause(worst.intervalMs), guest })
  const moved = story.guests.filter(({ moves }) =>
    moves.some((move) => isMoved(move) && move.mode !== 'offline'),
  ).length
  const cover =
    measuredGuests < moved
      ? words.probePartly({ measured: measuredGuests, all: moved })
      : unwatchedMoves > 0
        ? words.probeUnwatched(unwatchedMoves)
        : ''
  return [
    { id: 'probe', text: seen, ...rests },
    { id: 'probe-cover', text: cover, ...rests },
  ]
}

function reducedAndRepaired({ story, words, formats }: Telling): readonly Told[] {
  const first = story.reduced[0]
  const last = story.reduced.at(-1)
  const open = last !== undefined && last.toMs === undefined
  const reduced = first && { fromMs: first.fromMs, ...(!open && last?.toMs !== undefined && { toMs: last.toMs }) }
  const repair = story.repairs.at(-1)
  const took = repair !== undefined && repair.tookMs !== 'unknown' && { took: formats.span(repair.tookMs) }
  return [
    {
      id: 'repair',
      text: repair ? words.repair({ by: repair.by, outcome: repair.outcome, ...took }) : '',
      entries: repair?.entries ?? [],
    },
    {
      id: 'unverified',
      text: story.verified === 'failed' ? words.unverified : '',
      entries: story.outcomeEntries.verified,
    },
    { id: 'reduced', text: reduced ? words.reduced(spanOf(reduced, formats)) : '', entries: reducedEntries(story) },
  ]
}

const reducedEntries = ({ reduced }: CustomerStory) => reduced.flatMap(({ entries }) => entries)

/** Said only where everything that we know of is back as it was. */
function remains({ story, words }: Telling): readonly Told[] {
  const isWhole =
    story.ending === 'done' &&
    story.verified === 'passed' &&
    story.guests.every(isHome) &&
    story.reduced.every(({ toMs }) => toMs !== undefined)
  const { verified, ending } = story.outcomeEntries
  const moves = story.guests.flatMap((guest) => guest.moves.flatMap((move) => move.entries))
  const entries = [...verified, ...ending, ...originEntries(story), ...moves, ...reducedEntries(story)]
  return [{ id: 'remains', text: isWhole ? words.nothingRemains : '', entries }]
}

/** The figures of the annex, a line each: every move with its pause, every reading of the probe. */
function details({ guests, probe, customer }: CustomerStory): readonly Told[] {
  const { label } = wordsFor(customer.language)
  const formats = formatsOf(customer)
  const moves = guests.flatMap(({ name, moves: all }) =>
    all.map((move): Told => {
      const { from, to, mode, is, pause, entries, sample, whyUnmeasured: why } = move
      const how = is === 'moved' ? label.mode[mode] : is === 'failed' ? label.failed : label.open
      const reason = why === undefined ? '' : ` (${label.whyUnmeasured[why]})`
      const figure = pause === 'unmeasured' ? `${label.unmeasured}${reason}` : formats.pause(pause.blackoutMs)
      const text = `${name}, ${from} → ${to}, ${how}. ${label.pause}${label.colon}${figure}.`
      return { id: `move ${entries.join('-')}`, text, entries, ...(sample !== undefined && { samples: [sample] }) }
    }),
  )
  const nameOf = (guest: Vmid) => guests.find(({ vmid }) => vmid === guest)?.name ?? String(guest)
  const readings = probe.readings.map((reading): Told => {
    const { entry, sample, guest } = reading
    const rests = { id: `probe ${readingId(entry, reading)}`, entries: [entry] }
    if (reading.is === 'unmeasured')
      return { ...rests, text: `${nameOf(guest)}. ${label.probe}${label.colon}${label.unmeasured}.` }
    const { sentCount, lostCount, longestGapMs, intervalMs } = reading
    const lost = `${label.lost}${label.colon}${formats.number(lostCount)} / ${formats.number(sentCount)}`
    const gap = lostCount === 0 ? label.gapNone : formats.pause(longestGapMs)
    const text = `${nameOf(guest)}. ${lost}, ${label.every(formats.pause(intervalMs))}. ${label.gap}${label.colon}${gap}.`
    return { ...rests, text, ...(sample !== undefined && { samples: [sample] }) }
  })
  return [...moves, ...readings]
}

/** Times of day; with the date where both are not of one day. */
function spanOf(span: { readonly fromMs: number; readonly toMs?: number }, formats: Formats): Span {
  const { fromMs, toMs } = span
  const zone = formats.zone(fromMs)
  if (toMs === undefined) return { from: formats.time(fromMs), zone }
  const isOneDay = formats.date(fromMs) === formats.date(toMs)
  const text = (atMs: number) => (isOneDay ? formats.time(atMs) : `${formats.date(atMs)} ${formats.time(atMs)}`)
  return { from: text(fromMs), to: text(toMs), zone }
}
