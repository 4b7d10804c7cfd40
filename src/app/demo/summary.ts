/** What the demo prints at its end, from the journal and the lab's truth. */
import type { JournalRow } from '#domain/event'
import type { CustomerId } from '#domain/ids'
import { homecomingOf, longestBlackoutOf, longestProbeGapOf, viewOf } from '#domain/view'

export type DemoSummary = {
  readonly maintenanceId: string
  readonly ending: string
  readonly text: string
  readonly resumed: number
  readonly brokenPromises: readonly unknown[]
  readonly stages: readonly {
    readonly stage: string
    readonly startedAt: string | null
    readonly endedAt: string | null
  }[]
  readonly guestsMoved: number
  readonly guestsHome: number
  readonly longestBlackoutMs: number | 'unmeasured'
  readonly longestProbeGapMs: number | 'unmeasured'
  readonly probeIntervalMs: number | 'unmeasured'
  readonly simulated: boolean
  readonly noout: { readonly setAt: string | null; readonly clearedAt: string | null }
  readonly reports: readonly string[]
  /** Beside each report, what its customer can check offline; and the journal's roots as they were published. */
  readonly evidence: readonly string[]
  readonly roots: string | null
  readonly journalEntries: number
  /** Only where Ceph and the BMCs were real: what the client saw that wrote and verified objects throughout. */
  readonly real?: RealFigures
  /** Only there: every move of a guest that was a real QEMU, in the order they ended. */
  readonly realGuests?: readonly RealGuestMove[]
  /** What went wrong with real guests; none is what is hoped for. */
  readonly realGuestTroubles?: readonly string[]
  /** Of wallMs: until PostgreSQL, the lab and the control plane were up. */
  readonly startMs: number
  /** Since the command began. */
  readonly wallMs: number
}

export type RealFigures = {
  readonly writes: number
  readonly verified: number
  readonly errors: number
  readonly worstMs: number | 'unmeasured'
  /** While the node was away: the data move that noout prevents. */
  readonly objectsMisplaced: number | 'unmeasured'
  /** With all OSDs up again, until the returned copies had caught up with what was written meanwhile. */
  readonly objectsMisplacedOnReturn: number | 'unmeasured'
}

export type RealGuestMove = {
  readonly guest: number
  readonly from: string
  readonly to: string
  readonly bootIdBefore: string
  readonly bootIdAfter: string
  /** By QEMU's own word, known to within `hypervisorResolutionMs`. */
  readonly hypervisorPauseMs: number | 'unknown'
  readonly hypervisorResolutionMs: number
  /** The longest time without an answer to a prober outside that asks every `probeIntervalMs`, known to within `probeResolutionMs`. */
  readonly probeGapMs: number | 'unmeasured'
  readonly probeIntervalMs: number
  readonly probeResolutionMs: number | 'unmeasured'
}

export function summarize(facts: {
  readonly rows: readonly JournalRow[]
  readonly resumed: number
  readonly brokenPromises: readonly unknown[]
  readonly startMs: number
  readonly wallMs: number
  readonly simulated: boolean
  readonly evidence: readonly string[]
  readonly roots: string | null
  readonly real?: RealFigures
  readonly realGuests?: readonly RealGuestMove[]
  readonly realGuestTroubles?: readonly string[]
}): DemoSummary {
  const { rows } = facts
  const view = viewOf(rows)
  const blackout = longestBlackoutOf(view)
  const gap = longestProbeGapOf(view)
  const { home, away } = homecomingOf(view)
  return {
    maintenanceId: view.id,
    ending: view.ended?.ending ?? 'running',
    text: view.ended?.text ?? '',
    resumed: facts.resumed,
    brokenPromises: facts.brokenPromises,
    stages: view.stages.map(({ stage, beganAtMs, endedAtMs }) => ({
      stage,
      startedAt: at(beganAtMs),
      endedAt: at(endedAtMs),
    })),
    guestsMoved: home + away,
    guestsHome: home,
    longestBlackoutMs: blackout === 'unmeasured' ? 'unmeasured' : blackout.blackoutMs,
    longestProbeGapMs: gap === 'unmeasured' ? 'unmeasured' : gap.gapMs,
    probeIntervalMs: gap === 'unmeasured' ? 'unmeasured' : gap.intervalMs,
    simulated: facts.simulated,
    noout: { setAt: at(view.noout.setAtMs), clearedAt: at(view.noout.clearedAtMs) },
    reports: reportsIn(rows).map(({ path }) => path),
    evidence: facts.evidence,
    roots: facts.roots,
    journalEntries: rows.length,
    ...(facts.real === undefined ? {} : { real: facts.real }),
    ...(facts.realGuests === undefined ? {} : { realGuests: facts.realGuests }),
    ...(facts.realGuestTroubles === undefined ? {} : { realGuestTroubles: facts.realGuestTroubles }),
    startMs: facts.startMs,
    wallMs: facts.wallMs,
  }
}

/** Every real guest that moved is proven to be the one that it was before: the same boot. */
export const keptRunning = ({ realGuests = [] }: DemoSummary) =>
  realGuests.every(({ bootIdBefore, bootIdAfter }) => bootIdBefore === bootIdAfter && bootIdAfter !== 'unknown')

const at = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString())

/** Each customer's page, in the order in which they were written. */
export function reportsIn(rows: readonly JournalRow[]): readonly { customer: CustomerId; path: string }[] {
  return rows.flatMap(({ event }) => {
    if (event.kind !== 'did' || event.act.kind !== 'publish-report' || event.outcome.is !== 'done') return []
    const { customer } = event.act
    return event.outcome.text === undefined ? [] : [{ customer, path: event.outcome.text }]
  })
}
