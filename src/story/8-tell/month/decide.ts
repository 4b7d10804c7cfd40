/** A month of invisible work for one customer: what was done, what was measured against what was promised. Pure. */
import type { Customer } from '#domain/customer'
import type { JournalRow } from '#domain/event'
import type { CustomerId } from '#domain/ids'
import { type Known, longestBlackout, type Measured } from '#domain/measured'
import type { ProbeReading } from '#domain/measurement'
import { type CustomerStory, customersIn, storyAsTold } from '../decide.ts'
import { isMoved } from '../guest-story.ts'

/** From the first instant of a calendar month to the first of the next, UTC. */
export type MonthSpan = { readonly fromMs: number; readonly toMs: number }

/** What the outside probe watched of a customer's guests, and what of that went without an answer, summed over guests. */
export type Watched = { readonly watchedMs: number; readonly lostMs: number }

export type MonthStory = MonthSpan & {
  readonly customer: Customer
  /** Oldest first; those alone that concerned his guests. */
  readonly maintenances: readonly CustomerStory[]
  /** Visits that found nothing wrong. */
  readonly falseAlarms: number
  readonly movedTimes: number
  readonly restartedTimes: number
  readonly longestPause: Measured
  readonly overBudgetTimes: number
  /** The share of time that his guests shall answer; 'unknown': nobody promised one. */
  readonly promised: Known<number>
  readonly watched: Known<Watched>
  /** Of the lost time: what fell into maintenances. The rest is faults. */
  readonly lostInMaintenancesMs: Known<number>
}

const MONTH = /^(\d{4})-(0[1-9]|1[0-2])$/

/** '2026-11'; undefined for what is no month. */
export function monthSpan(text: string): MonthSpan | undefined {
  const match = MONTH.exec(text)
  if (match === null) return undefined
  const [year, month] = [Number(match[1]), Number(match[2])]
  return { fromMs: Date.UTC(year, month - 1, 1), toMs: Date.UTC(year, month, 1) }
}

/** A maintenance belongs to the month in which it began. */
export const beganIn = ({ fromMs, toMs }: MonthSpan, rows: readonly JournalRow[]): boolean =>
  rows[0] !== undefined && rows[0].atMs >= fromMs && rows[0].atMs < toMs

/** Each customer's own stories, in the order of the journals. */
export function storiesByCustomer(
  journals: readonly (readonly JournalRow[])[],
  customerOf: (id: CustomerId) => Customer,
): ReadonlyMap<CustomerId, readonly CustomerStory[]> {
  const stories = new Map<CustomerId, CustomerStory[]>()
  for (const rows of journals) {
    const customers = customersIn(rows).map(customerOf)
    for (const { id } of customers) {
      const story = storyAsTold(rows, customers, { customer: id })
      if (story !== undefined) stories.set(id, [...(stories.get(id) ?? []), story])
    }
  }
  return stories
}

type MonthFacts = {
  readonly span: MonthSpan
  readonly maintenances: readonly CustomerStory[]
  /** The probe's readings over the whole month, a reading a guest; none where no probe watched. */
  readonly readings: readonly ProbeReading[]
  readonly promised: Known<number>
}

export function monthStory(customer: Customer, { span, maintenances, readings, promised }: MonthFacts): MonthStory {
  const moves = maintenances.flatMap(({ guests }) => guests.flatMap((guest) => guest.moves.filter(isMoved)))
  const during = maintenances.map(({ probe }) => watchedIn(probe.readings))
  return {
    ...span,
    customer,
    maintenances,
    falseAlarms: maintenances.filter(({ repairs }) => repairs.at(-1)?.outcome === 'nothing-found').length,
    movedTimes: moves.filter(({ mode }) => mode === 'live').length,
    restartedTimes: moves.filter(({ mode }) => mode === 'restart').length,
    longestPause: longestBlackout(maintenances.map(({ longestPause }) => longestPause)),
    overBudgetTimes: maintenances.flatMap(({ guests }) => guests.flatMap(({ overBudget }) => overBudget)).length,
    promised,
    watched: watchedIn(readings),
    // One maintenance that nobody watched makes the sum unknown: what was lost in it may be anything.
    lostInMaintenancesMs: during.some((one) => one === 'unknown')
      ? 'unknown'
      : during.reduce((sum, one) => sum + (one === 'unknown' ? 0 : one.lostMs), 0),
  }
}

function watchedIn(readings: readonly ProbeReading[]): Known<Watched> {
  const measured = readings.flatMap((reading) => (reading.is === 'measured' ? [reading] : []))
  if (measured.length === 0) return 'unknown'
  const sum = (of: (reading: (typeof measured)[number]) => number) => measured.reduce((all, one) => all + of(one), 0)
  return {
    watchedMs: sum(({ sentCount, intervalMs }) => sentCount * intervalMs),
    lostMs: sum(({ lostCount, intervalMs }) => lostCount * intervalMs),
  }
}
