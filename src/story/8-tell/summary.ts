/** The plain words on top: what we saw, did, measured, and what remains. At most 150 words, read in a minute. */
import type { CustomerStory } from './decide.ts'
import type { Formats } from './formats.ts'
import { isHome, isMoved, type MoveStory } from './guest-story.ts'
import { type Telling, tellingOf } from './telling.ts'
import type { PartWord, Span } from './words.ts'

/** One paragraph an entry, in the customer's language. */
export function summaryOf(story: CustomerStory): readonly string[] {
  const told = tellingOf(story)
  return [saw(told), did(told), measured(told), reducedAndRepaired(told), remains(told)]
    .map((sentences) => sentences.filter((sentence) => sentence !== '').join(' '))
    .filter((paragraph) => paragraph !== '')
}

/** What might have been, with its basis; never that it was prevented. */
export function stakeOf(story: CustomerStory): string {
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
  return [words.stake(runningGuests), how, words.stakeDoubt].join(' ')
}

const saw = (telling: Telling): string[] => [sawOf(telling), telling.words.ending[telling.story.ending]]

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
function partWord(part: string): PartWord {
  if (part === 'node') return 'hardware'
  if (/fan/i.test(part)) return 'fan'
  if (/^(psu|ps\d|power)/i.test(part)) return 'psu'
  if (/dimm|memory/i.test(part)) return 'memory'
  return /disk|nvme|ssd|hdd/i.test(part) ? 'disk' : 'part'
}

function did({ story, words, formats }: Telling): string[] {
  const { guests } = story
  const moved = (mode: MoveStory['mode']) =>
    guests.filter(({ moves }) => moves.some((move) => isMoved(move) && move.mode === mode)).length
  const failed = guests.flatMap(({ moves }) => moves.filter(({ is }) => is === 'failed')).length
  const wasMoved = guests.some(({ moves, movedByOthers }) => moves.some(isMoved) || movedByOthers > 0)
  return [
    words.moved({ live: moved('live'), restart: moved('restart'), offline: moved('offline'), failed }),
    story.offSpan ? words.off(spanOf(story.offSpan, formats)) : '',
    wasMoved ? words.home({ home: guests.filter(isHome).length, all: guests.length }) : '',
  ]
}

function measured(told: Telling): string[] {
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
  return [pause, overBudget(told), restart, ...probed(told)]
}

function overBudget({ story, words, formats }: Telling): string {
  const all = story.guests.flatMap((guest) => guest.overBudget)
  const [worst] = [...all].sort((a, b) => b.blackoutMs - a.blackoutMs)
  if (!worst) return ''
  return words.overBudget({
    count: all.length,
    longest: formats.pause(worst.blackoutMs),
    budget: formats.pause(worst.budgetMs),
  })
}

function probed({ story, words, formats }: Telling): string[] {
  const { worst, coarsestIntervalMs, measuredGuests, unwatchedMoves } = story.probe
  if (!worst || coarsestIntervalMs === undefined) return [words.probeUnmeasured]
  const guest = story.guests.find(({ vmid }) => vmid === worst.guest)?.name ?? ''
  const seen =
    worst.lostCount === 0
      ? words.probeClean(formats.pause(coarsestIntervalMs))
      : words.probeGap({ gap: formats.pause(worst.longestGapMs), interval: formats.pause(worst.intervalMs), guest })
  const moved = story.guests.filter(({ moves }) =>
    moves.some((move) => isMoved(move) && move.mode !== 'offline'),
  ).length
  if (measuredGuests < moved) return [seen, words.probePartly({ measured: measuredGuests, all: moved })]
  return [seen, unwatchedMoves > 0 ? words.probeUnwatched(unwatchedMoves) : '']
}

function reducedAndRepaired({ story, words, formats }: Telling): string[] {
  const first = story.reduced[0]
  const last = story.reduced.at(-1)
  const open = last !== undefined && last.toMs === undefined
  const reduced = first && { fromMs: first.fromMs, ...(!open && last?.toMs !== undefined && { toMs: last.toMs }) }
  const repair = story.repairs.at(-1)
  return [
    repair
      ? words.repair({
          by: repair.by,
          outcome: repair.outcome,
          ...(repair.tookMs !== 'unknown' && { took: formats.span(repair.tookMs) }),
        })
      : '',
    story.verified === 'failed' ? words.unverified : '',
    reduced ? words.reduced(spanOf(reduced, formats)) : '',
  ]
}

/** Said only where everything that we know of is back as it was. */
function remains({ story, words }: Telling): string[] {
  const isWhole =
    story.ending === 'done' &&
    story.verified === 'passed' &&
    story.guests.every(isHome) &&
    story.reduced.every(({ toMs }) => toMs !== undefined)
  return [isWhole ? words.nothingRemains : '']
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
