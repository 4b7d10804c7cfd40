/** What detect concluded about one part of one node, with its evidence. */
import type { NodeName } from './ids.ts'

export type FindingLevel = 'watch' | 'quarantine' | 'drain-advised' | 'drain-now'
export type FindingClass = 'intermittent' | 'hard' | 'common-cause' | 'threshold' | 'bmc' | 'operator'

/** What waiting may cost. A lone log that names one fan says nothing of the others: 'unknown', never 0. */
export type Risk = {
  /** Fans without a finding, of those that are known. */
  readonly fansLeft: number | 'unknown'
  readonly fansKnown: number | 'unknown'
  /** The steepest rise among the node's temperatures over the last half hour, and whose it is. */
  readonly warmerCPerH: number | 'unknown'
  readonly sensor?: string
  /** At that slope the sensor reaches an assumed limit (risk.ts) so soon. */
  readonly tooWarmInS: number | 'unknown'
}

export type Finding = {
  readonly atMs: number
  readonly node: NodeName
  /** 'node' for what several parts share: fan bus, backplane, connector, supply. */
  readonly part: string
  readonly level: FindingLevel
  readonly class: FindingClass
  readonly confidence: number
  readonly episodes: number
  readonly windowS: number
  /** 'unknown' where the rule's rate was never measured; an operator's word has none. */
  readonly expectedFalseAlarmsPer100PartYears: number | 'unknown'
  readonly text: string
  readonly risk?: Risk
  readonly cleared?: true
}

/** What somebody says, without any evidence of a detector's: enough to begin a maintenance, and no figure in it is measured. */
export const findingByWord = (word: Pick<Finding, 'atMs' | 'node' | 'part' | 'text'>): Finding => ({
  ...word,
  level: 'drain-advised',
  class: 'operator',
  confidence: 1,
  episodes: 0,
  windowS: 0,
  expectedFalseAlarmsPer100PartYears: 'unknown',
})
