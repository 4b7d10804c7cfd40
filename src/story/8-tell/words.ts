/** The sentences that a customer reads, one implementation a language. Facts come formatted; grammar is the language's own. */
import type { FindingClass } from '#domain/finding'
import type { CustomerStory } from './decide.ts'
import type { MoveStory } from './guest-story.ts'

export type PartWord = 'fan' | 'psu' | 'memory' | 'disk' | 'part' | 'hardware'

export type SawFacts = {
  readonly part: string
  readonly partKind: PartWord
  readonly node: string
  readonly class: FindingClass
  readonly times: number
  readonly span?: string
}

export type MovedFacts = {
  readonly live: number
  readonly restart: number
  readonly offline: number
  readonly failed: number
}

/** Times of day, and the zone in which they are said. */
export type Span = { readonly from: string; readonly to?: string; readonly zone: string }

export type Words = {
  readonly saw: (facts: SawFacts) => string
  readonly moved: (facts: MovedFacts) => string
  readonly off: (span: Span) => string
  readonly home: (facts: { readonly home: number; readonly all: number }) => string
  readonly pause: (facts: { readonly longest: string; readonly unmeasured: number; readonly all: number }) => string
  readonly pauseUnmeasured: string
  readonly restartUnmeasured: string
  readonly probeClean: (interval: string) => string
  readonly probeGap: (facts: { readonly gap: string; readonly interval: string; readonly guest: string }) => string
  readonly probeUnmeasured: string
  readonly probePartly: (facts: { readonly measured: number; readonly all: number }) => string
  readonly probeUnwatched: (moves: number) => string
  readonly overBudget: (facts: { readonly count: number; readonly longest: string; readonly budget: string }) => string
  readonly reduced: (span: Span) => string
  readonly repair: (facts: {
    readonly by: string
    readonly outcome: CustomerStory['repairs'][number]['outcome']
    readonly took?: string
  }) => string
  readonly unverified: string
  readonly ending: Record<CustomerStory['ending'], string>
  readonly nothingRemains: string
  readonly stake: (runningGuests: number) => string
  readonly stakeRestart: (facts: { readonly from: string; readonly to: string; readonly basis: string }) => string
  readonly stakeUnmeasured: string
  readonly stakeDoubt: string
  readonly label: Labels
}

export type Labels = {
  readonly title: (facts: { readonly node: string; readonly date: string }) => string
  readonly for: string
  readonly simulated: string
  readonly simulatedLong: string
  readonly short: string
  readonly stake: string
  readonly annex: string
  readonly guests: string
  readonly when: string
  readonly way: string
  readonly pause: string
  readonly budget: string
  readonly mode: Record<MoveStory['mode'], string>
  readonly failed: string
  readonly open: string
  readonly unmeasured: string
  readonly whyUnmeasured: Record<NonNullable<MoveStory['whyUnmeasured']>, string>
  readonly neverMoved: string
  readonly movedByOthers: string
  readonly probe: string
  readonly probeNone: string
  readonly lost: string
  readonly every: (interval: string) => string
  readonly gap: string
  readonly gapNone: string
  readonly guest: string
  readonly repair: string
  readonly found: string
  readonly did: string
  readonly evidence: string
  readonly evidenceText: (facts: { readonly entries: string; readonly maintenance: string }) => string
  readonly lastHash: string
  readonly zone: (facts: { readonly zone: string; readonly short: string }) => string
  readonly chart: Record<
    | 'timeline'
    | 'away'
    | 'off'
    | 'repair'
    | 'home'
    | 'redundancy'
    | 'whole'
    | 'reduced'
    | 'probe'
    | 'what'
    | 'watched'
    | 'moved'
    | 'probeLegend',
    string
  >
  /** Opens the figures behind a picture. */
  readonly asTable: string
  /** What stands between a name and what it names. */
  readonly colon: string
}
