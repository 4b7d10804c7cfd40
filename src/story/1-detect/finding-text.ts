/** Says a finding in the words of an operator: what dropped out, how often, for how long, and how much the rule is worth. */
import type { Risk } from '#domain/finding'
import type { PartKind } from '#domain/signal'
import type { Baseline } from './baseline.ts'
import type { PartRecord } from './state.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export function spanText(ms: number): string {
  if (ms < 90 * SECOND) return `${Math.max(1, Math.round(ms / SECOND))} s`
  if (ms < 90 * MINUTE) return `${Math.round(ms / MINUTE)} min`
  if (ms < 72 * HOUR) return `${Math.round(ms / HOUR)} h`
  return `${Math.round(ms / DAY)} days`
}

const PLURAL: Record<PartKind, string> = {
  fan: 'fans',
  psu: 'power supplies',
  temperature: 'temperature sensors',
  memory: 'memory modules',
  disk: 'disks',
  link: 'links',
  other: 'parts of this kind',
}

/** What one part does over a year: "fan-years". */
const YEARS: Record<PartKind, string> = {
  fan: 'fan-years',
  psu: 'supply-years',
  temperature: 'sensor-years',
  memory: 'module-years',
  disk: 'disk-years',
  link: 'link-years',
  other: 'part-years',
}

/** ", each about 30 s", from the episodes whose end was seen; empty where none was. */
function lengthText(part: PartRecord): string {
  const known = (part.trouble?.episodes ?? [])
    .flatMap(({ durationMs }) => (durationMs === null ? [] : [durationMs]))
    .sort((a, b) => a - b)
  const median = known[Math.floor(known.length / 2)]
  return median === undefined ? '' : `, each about ${spanText(median)}`
}

export type IntermittentFacts = {
  readonly node: string
  readonly name: string
  readonly part: PartRecord
  readonly count: number
  readonly windowMs: number
  readonly baseline: Baseline
  readonly falseAlarms: number
}

export function intermittentText(facts: IntermittentFacts): string {
  const { node, name, part, count, windowMs, baseline, falseAlarms } = facts
  const model = part.model === undefined ? PLURAL[part.kind] : `${PLURAL[part.kind]} of ${part.model}`
  const days = Math.round(1 / baseline.perDay)
  const source = baseline.source === 'assumed' ? 'assumed' : `by ${Math.round(baseline.partDays)} days of them`
  const worth = `this rule raises 1 false alarm in ${Math.round(100 / falseAlarms)} ${YEARS[part.kind]} (simulated)`
  const evidence = `${count} ${count === 1 ? 'episode' : 'episodes'} in ${spanText(windowMs)}${lengthText(part)}`
  return `${name} of ${node} dropped out: ${evidence}; ${model} show 1 in ${days} days (${source}); ${worth}`
}

/** "; 5 of 6 known fans are sound; Inlet Temp rises 6 °C/h, too warm in 2 h (limit assumed)"; what is unknown is left out. */
export function riskText({ fansLeft, fansKnown, warmerCPerH, tooWarmInS, sensor }: Risk): string {
  const isSaid = fansLeft !== 'unknown' && fansLeft !== fansKnown
  const fans = isSaid ? `; ${fansLeft} of ${fansKnown} known fans are sound` : ''
  if (warmerCPerH === 'unknown' || tooWarmInS === 'unknown') return fans
  return `${fans}; ${sensor} rises ${warmerCPerH} °C/h, too warm in ${spanText(tooWarmInS * SECOND)} (limit assumed)`
}
