/** Says a finding in the words of an operator: what dropped out, how often, for how long, and how much the rule is worth. */
import type { PartKind } from '#domain/signal'
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

/** "each about 30 s", from the episodes whose end was seen; empty where none was. */
function lengthText(part: PartRecord): string {
  const known = part.episodes
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
  readonly falseAlarms: number | 'unknown'
}

export function intermittentText({ node, name, part, count, windowMs, falseAlarms }: IntermittentFacts): string {
  const model = part.model === null ? PLURAL[part.kind] : `${PLURAL[part.kind]} of ${part.model}`
  const healthy =
    part.kind === 'fan'
      ? `healthy ${model} are assumed to show 1 in 60 days`
      : `how often healthy ${model} do so was never measured`
  const worth =
    falseAlarms === 'unknown'
      ? 'the rate of false alarms of this rule is unknown'
      : `at that rate this rule raises ${falseAlarms} false alarms in 100 fan-years (simulated)`
  return `${name} of ${node} dropped out ${count} times in ${spanText(windowMs)}${lengthText(part)}; ${healthy}; ${worth}`
}
