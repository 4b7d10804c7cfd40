/** One maintenance as the public may hear of it: counts and measurements, nobody's name, no guest, no node. Pure. */
import type { Customer } from '#domain/customer'
import type { JournalRow } from '#domain/event'
import type { FindingClass } from '#domain/finding'
import type { Ending } from '#domain/maintenance'
import { type Known, longestBlackout, type Measured } from '#domain/measured'
import { originsOf, repairsOf } from '../decide.ts'
import { guestStories, isHome, isMoved } from '../guest-story.ts'
import { escapeForPattern, redactFor } from '../redact.ts'

export type PublicStory = {
  readonly openedAtMs: number
  readonly class: FindingClass
  /** As the BMC names it; which kind of thing it is the words find out. */
  readonly part: string
  readonly episodes: number
  readonly windowS: number
  readonly movedLive: number
  readonly restarted: number
  readonly home: number
  readonly guests: number
  readonly longestPause: Measured
  /** Live moves of which the hypervisor gave no figure. */
  readonly unmeasuredMoves: number
  readonly liveMoves: number
  readonly overBudget: number
  readonly handsOnMs: Known<number>
  readonly outcome: 'repaired' | 'nothing-found' | 'cannot' | 'not-reached'
  /** The technician's own words without names of customers, guests and nodes; a person reads them again before anybody else does. */
  readonly found: string
  readonly ending: Ending | 'running'
}

/** Undefined: the journal holds no maintenance. `customers`: whose names are taken out of what people wrote. */
export function publicStory(rows: readonly JournalRow[], customers: readonly Customer[]): PublicStory | undefined {
  const first = rows[0]
  if (first?.event.kind !== 'maintenance-opened') return undefined
  const { finding, node } = first.event
  const origins = originsOf(rows)
  const guests = guestStories(rows, origins)
  const live = guests.flatMap(({ moves }) => moves.filter((move) => isMoved(move) && move.mode === 'live'))
  const withoutNames = redactFor({ id: '' as Customer['id'], name: '', language: 'en' }, customers, origins)
  const nodes = new Set<string>([node, ...guests.flatMap(({ moves }) => moves.flatMap(({ from, to }) => [from, to]))])
  const repair = repairsOf(rows, (text) => withoutNodes(withoutNames(text), nodes)).at(-1)
  const ended = rows.findLast(({ event }) => event.kind === 'maintenance-ended')?.event
  return {
    openedAtMs: first.atMs,
    class: finding.class,
    part: finding.part,
    episodes: Math.max(1, finding.episodes),
    windowS: finding.windowS,
    movedLive: guests.filter(({ moves }) => moves.some((move) => isMoved(move) && move.mode === 'live')).length,
    restarted: guests.filter(({ moves }) => moves.some((move) => isMoved(move) && move.mode === 'restart')).length,
    home: guests.filter(isHome).length,
    guests: guests.length,
    longestPause: longestBlackout(live.map(({ pause }) => pause)),
    unmeasuredMoves: live.filter(({ pause }) => pause === 'unmeasured').length,
    liveMoves: live.length,
    overBudget: guests.flatMap(({ overBudget }) => overBudget).length,
    handsOnMs: repair?.tookMs ?? 'unknown',
    outcome: repair?.outcome ?? 'not-reached',
    found: repair?.found ?? '',
    ending: ended?.kind === 'maintenance-ended' ? ended.ending : 'running',
  }
}

/** Longest first: pve10 goes before pve1. */
function withoutNodes(text: string, nodes: ReadonlySet<string>): string {
  return [...nodes]
    .sort((a, b) => b.length - a.length)
    .reduce((rest, node) => rest.replaceAll(new RegExp(`\\b${escapeForPattern(node)}\\b`, 'gi'), '[…]'), text)
}
