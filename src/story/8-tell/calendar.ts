/** A customer's calendar entry from the journal of one maintenance: pure, and rising as the journal grows. */
import type { CalendarEntry } from '#domain/calendar-entry'
import type { Event, JournalRow } from '#domain/event'
import type { CustomerStory } from './decide.ts'
import { isMoved } from './guest-story.ts'
import { titleOf } from './report.ts'
import { summaryOf } from './summary.ts'

/** Hands, boot and soak, where nothing better is known: an entry needs an end before the work has one. */
const HANDS_ON_FORECAST_MS = 2 * 3_600_000

/** What a calendar shows changed with each of these. */
const MILESTONES: ReadonlySet<Event['kind']> = new Set([
  'plan-proposed',
  'plan-approved',
  'node-off',
  'node-on',
  'maintenance-ended',
])

/** @param rows those that `story` was told from. @param organizer whom an answer to the entry reaches */
export function calendarEntryOf(
  story: CustomerStory,
  rows: readonly JournalRow[],
  { hoster, mail }: { readonly hoster: string; readonly mail: string },
): CalendarEntry {
  const { customer, maintenance } = story
  const milestones = rows.filter(({ event }) => MILESTONES.has(event.kind) || isFirstMove(rows, event))
  return {
    uid: `${maintenance}.${customer.id}@coulisse`,
    sequence: milestones.length,
    writtenAtMs: story.lastAtMs,
    ...spanOf(story, rows),
    summary: titleOf(story),
    description: summaryOf(story).join('\n\n'),
    organizer: { name: hoster, mail },
    provider: hoster,
    account: customer.id,
    maintenance,
    objects: story.guests.map(({ name }) => name),
    impact: impactOf(story),
    status: statusOf(story, rows),
  }
}

const isMove = (event: Event) => event.kind === 'intends' && event.act.kind === 'migrate'
const isFirstMove = (rows: readonly JournalRow[], event: Event) =>
  isMove(event) && rows.find((row) => isMove(row.event))?.event === event

function spanOf(story: CustomerStory, rows: readonly JournalRow[]): { readonly fromMs: number; readonly toMs: number } {
  const fromMs = rows.find(({ event }) => isMove(event))?.atMs ?? story.openedAtMs
  if (story.ending !== 'running') return { fromMs, toMs: Math.max(fromMs, story.lastAtMs) }
  const plan = rows.findLast(({ event }) => event.kind === 'plan-proposed')?.event
  // Away and home again.
  const movesMs = plan?.kind === 'plan-proposed' ? 2 * plan.plan.makespanS * 1000 : 0
  return { fromMs, toMs: Math.max(story.lastAtMs, fromMs + movesMs + HANDS_ON_FORECAST_MS) }
}

/** The worst that he met or may meet: a restart is an outage, a pause over its budget a degradation. */
function impactOf({ guests, offSpan, reduced }: CustomerStory): CalendarEntry['impact'] {
  const moves = guests.flatMap((guest) => guest.moves)
  if (moves.some((move) => isMoved(move) && move.mode === 'restart')) return 'OUTAGE'
  if (guests.some(({ overBudget }) => overBudget.length > 0)) return 'DEGRADED'
  return moves.length > 0 || offSpan !== undefined || reduced.length > 0 ? 'REDUCED-REDUNDANCY' : 'NO-IMPACT'
}

function statusOf(story: CustomerStory, rows: readonly JournalRow[]): CalendarEntry['status'] {
  const wasTouched = rows.some(({ event }) => isMove(event) || event.kind === 'node-off')
  if (story.ending === 'stuck') return 'IN-PROCESS'
  if (story.ending !== 'running') return wasTouched ? 'COMPLETED' : 'CANCELLED'
  if (wasTouched) return 'IN-PROCESS'
  return rows.some(({ event }) => event.kind === 'plan-approved') ? 'CONFIRMED' : 'TENTATIVE'
}
