/** Turns evidence and lasting readings into findings: levels, confidence, and what the rule is worth. */
import type { Finding, FindingClass, FindingLevel } from '#domain/finding'
import { baselineOf, contribute, type Exposures } from './baseline.ts'
import { countShared, ownRhythm } from './common-cause.ts'
import { EPISODES_LIMIT } from './episodes.ts'
import { addEpisode, reached } from './evidence.ts'
import { intermittentText, riskText, spanText } from './finding-text.ts'
import { lastingOf } from './floor.ts'
import { isUrgent, riskOfWaiting } from './risk.ts'
import {
  DAY_MS,
  type DetectSettings,
  type Episode,
  type Evidence,
  type NodeRecord,
  type PartRecord,
  type SharedEvent,
  type Trouble,
  type Verdicts,
} from './state.ts'
import { PROMISED_PER_100_PART_YEARS, rowFor } from './thresholds.ts'

/** The part's name for what several parts share. */
export const SHARED_PART = 'node'

/**
 * None in 20,000 healthy fan-years of bench/detect.ts, for lasting readings and for shared losses: 0.02 is the upper bound that
 * no alarm in so many years leaves (rule of three, 95 %).
 */
const NONE_SEEN_PER_100_PART_YEARS = 0.02

/** One node under one stream: what the detector reads and writes while it passes over signals. */
export type Run = {
  readonly name: string
  readonly node: NodeRecord
  readonly settings: DetectSettings
  readonly exposures: Exposures
  readonly beganAtMs: number
  readonly verdicts: Readonly<Verdicts>
  readonly findings: Finding[]
}

/** Folds what no longer fits the list into the base, oldest first. */
function foldOld(trouble: Trouble, healthyPerDay: number): void {
  while (trouble.episodes.length > EPISODES_LIMIT && trouble.episodes[0]?.is !== 'waiting') {
    const oldest = trouble.episodes.shift()
    if (oldest?.is === 'counted') trouble.base = addEpisode(trouble.base, oldest, healthyPerDay)
  }
}

/** Says a level that the evidence against a part has reached. `atMs`: when the record came that decided. */
export function judgeScore(run: Run, name: string, part: PartRecord, atMs: number): void {
  const { trouble } = part
  if (!trouble) return
  const baseline = baselineOf(run.exposures, part, run.node.nowMs, run.beganAtMs)
  const { perDay, thresholds } = rowFor(baseline.perDay)
  foldOld(trouble, perDay)
  const counted = trouble.episodes.filter(({ is }) => is === 'counted')
  const evidence = counted.reduce<Evidence | null>((sum, one) => addEpisode(sum, one, perDay), trouble.base)
  if (evidence === null) return
  const level = reached(evidence, thresholds)
  // Urgency lifts quarantine to drain advised, and no further.
  if (level === 'none' || stands(run, name, 'drain-advised')) return
  if (part.kind === 'fan' && raisedAsRhythm(run, name, counted.slice(-evidence.count), atMs)) return
  const windowMs = evidence.atMs - evidence.sinceMs
  const falseAlarms = PROMISED_PER_100_PART_YEARS[level]
  const facts = { count: evidence.count, windowMs, baseline: { ...baseline, perDay }, falseAlarms }
  const urgent = level === 'quarantine' && isUrgent(riskOf(run, name))
  raise(run, {
    part: name,
    // Warnings alone are watched, however many they are.
    level: !evidence.severe ? 'watch' : urgent ? 'drain-advised' : level,
    class: 'intermittent',
    atMs,
    confidence: confidenceOf(evidence.count, windowMs, perDay, run.verdicts),
    episodes: evidence.count,
    windowMs,
    falseAlarms,
    text: intermittentText({ node: run.name, name, part, ...facts }),
  })
}

/** A fan that turns and crosses its threshold in an even rhythm: said of the node, and no finding against the fan. True: no more to say. */
function raisedAsRhythm(run: Run, name: string, counted: readonly Episode[], atMs: number): boolean {
  const rhythm = ownRhythm(counted)
  if (rhythm !== 'yes') return rhythm === 'too-early'
  const windowMs = (counted.at(-1)?.startMs ?? 0) - (counted[0]?.startMs ?? 0)
  raise(run, {
    part: SHARED_PART,
    level: 'watch',
    class: 'threshold',
    atMs,
    confidence: 0.8,
    falseAlarms: NONE_SEEN_PER_100_PART_YEARS,
    episodes: counted.length,
    windowMs,
    text: `${name} of ${run.name} turns and crosses a threshold in an even rhythm, ${counted.length} times in ${spanText(windowMs)}: the threshold is set wrongly for it, or its speed control swings`,
  })
  return true
}

/** Says what lasts. */
export function judgeLasting(run: Run, name: string, part: PartRecord): void {
  const { trouble } = part
  if (!trouble || trouble.openSinceMs === null) return
  const nowMs = run.node.nowMs
  const lasting = lastingOf(run.node, part, nowMs, run.settings)
  if (lasting.is === 'no' || lasting.is === 'at') return
  const windowMs = lasting.atMs - (trouble.severe?.sinceMs ?? trouble.openSinceMs)
  const isShared = trouble.episodes.at(-1)?.is === 'shared'
  const isCritical = lasting.is === 'critical'
  const isPolled = lasting.is === 'severe' && lasting.byPolls
  raise(run, {
    part: isShared ? SHARED_PART : name,
    level: isCritical ? (isUrgent(riskOf(run, name)) ? 'drain-now' : 'quarantine') : lostLevel(part),
    class: 'hard',
    atMs: lasting.atMs,
    confidence: isPolled ? 0.99 : 0.95,
    episodes: Math.max(1, trouble.episodes.filter(({ is }) => is === 'counted').length),
    windowMs,
    falseAlarms: NONE_SEEN_PER_100_PART_YEARS,
    text: `${name} of ${run.name} ${isShared ? 'and others with it ' : ''}${isCritical ? 'critical' : 'lost'} for ${spanText(windowMs)}, ${isPolled ? 'by repeated readings' : 'by the log, without a deassert'}; a reading that lasts does not wait for a counter`,
  })
}

/**
 * Says what had lasted when the log told of it: both edges came at once. It is back, so a drain is advised and no more.
 * Company is waited for by whoever calls; what was shared is said of the node when it happens again.
 */
export function judgeLasted(run: Run, name: string, part: PartRecord): void {
  const { trouble } = part
  if (!trouble || trouble.lastedMs < run.settings.lastingMs) return
  const windowMs = trouble.lastedMs
  const last = trouble.episodes.at(-1)
  if (last?.is === 'waiting') return
  trouble.lastedMs = 0
  // Where a record between the two is missing it may have been the end of the first loss.
  const [from, to] = trouble.lastedIds
  const isWhole = run.node.seen.some((range) => range[0] <= from && to <= range[1])
  if (last?.is !== 'counted' || !isWhole) return
  raise(run, {
    part: name,
    level: part.kind === 'other' ? 'quarantine' : 'drain-advised',
    class: 'hard',
    atMs: last.seenMs,
    confidence: 0.9,
    episodes: 1,
    windowMs,
    falseAlarms: NONE_SEEN_PER_100_PART_YEARS,
    text: `${name} of ${run.name} was lost for ${spanText(windowMs)} and came back, by its log; a reading that lasts does not wait for a counter`,
  })
}

/** Data has other copies and links have others beside them; of a part that nobody knows a person decides. */
function lostLevel({ kind, trouble }: PartRecord): FindingLevel {
  if (kind === 'other') return 'quarantine'
  const isGone = trouble?.open['non-recoverable'] !== undefined
  return (kind === 'disk' || kind === 'link') && !isGone ? 'drain-advised' : 'drain-now'
}

/** A shared event has settled: counts it and says what the events so far mean. */
export function judgeShared(run: Run, event: SharedEvent): void {
  const { node, settings, name } = run
  if (event.onlyUnreadable) {
    event.is = 'dismissed'
    return
  }
  const verdict = countShared(node, event, settings)
  const counted = node.shared.filter(({ is }) => is === 'counted')
  const windowMs = event.startMs - (counted[0]?.startMs ?? event.startMs)
  const parts = event.parts.join(', ')
  const base = { part: SHARED_PART, atMs: event.seenMs, episodes: counted.length, windowMs }
  if (verdict.is === 'threshold') {
    raise(run, {
      ...base,
      level: 'watch',
      class: 'threshold',
      confidence: 0.9,
      falseAlarms: NONE_SEEN_PER_100_PART_YEARS,
      text: `${parts} of ${name} cross a threshold together in an even rhythm, ${node.sharedOnsetsMs.length} times so far: the threshold is set wrongly for these fans, or their speed control swings`,
    })
  }
  if (verdict.is !== 'common-cause') return
  const isAdvised = verdict.score >= settings.sharedDrainAdvisedAtScore
  if (!isAdvised && verdict.score < settings.sharedQuarantineAtScore) return
  raise(run, {
    ...base,
    level: isAdvised ? 'drain-advised' : 'quarantine',
    class: 'common-cause',
    confidence: confidenceOf(counted.length + 1, windowMs, SHARED_HEALTHY_PER_DAY, run.verdicts),
    falseAlarms: NONE_SEEN_PER_100_PART_YEARS,
    text: `${parts} of ${name} dropped out together ${counted.length} times in ${spanText(windowMs)}: look at what they share (fan bus, connector, backplane, supply, BMC), not at the parts`,
  })
}

const SHARED_HEALTHY_PER_DAY = 1 / 60
const DAYS_A_YEAR = 365
/** Assumed; verdicts of technicians scale it. */
const FAULTS_PER_PART_YEAR = 0.02

/**
 * How likely such evidence comes from a fault: faults begin 0.02 times in a part-year, fewer where technicians found nothing, and
 * healthy parts drop out `healthyPerDay`, so `episodes` fall into `windowMs` by chance that often. The figure ranks findings.
 */
export function confidenceOf(episodes: number, windowMs: number, healthyPerDay: number, verdicts: Verdicts): number {
  const expected = healthyPerDay * (windowMs / DAY_MS)
  let byChancePerYear = healthyPerDay * DAYS_A_YEAR
  for (let more = 1; more < episodes; more++) byChancePerYear *= expected / more
  const { real, nothingFound } = verdicts
  const faultsPerYear = FAULTS_PER_PART_YEAR * ((real + 1) / (real + nothingFound + 1))
  return Math.min(0.99, Math.round((faultsPerYear / (faultsPerYear + byChancePerYear)) * 100) / 100)
}

const RANK: Record<FindingLevel, number> = { watch: 1, quarantine: 2, 'drain-advised': 3, 'drain-now': 4 }

type Raised = {
  readonly part: string
  readonly level: FindingLevel
  readonly class: FindingClass
  readonly atMs: number
  readonly confidence: number
  readonly episodes: number
  readonly windowMs: number
  readonly falseAlarms?: number
  readonly text: string
}

const riskOf = ({ node }: Run, part: string) =>
  riskOfWaiting(node, new Set([...Object.keys(node.standing), part]), node.nowMs)

/** Whether this or more is said of the part already. */
function stands({ node }: Run, part: string, level: FindingLevel): boolean {
  const standing = Object.hasOwn(node.standing, part) ? node.standing[part] : undefined
  return standing !== undefined && RANK[level] <= RANK[standing.level]
}

/** Findings are given on rises only; a level falls by positive evidence (clearPart), never by silence. */
export function raise(run: Run, raised: Raised): void {
  const { node } = run
  const { part, level, atMs, confidence, episodes, windowMs, text } = raised
  if (stands(run, part, level)) return
  const falseAlarms = raised.falseAlarms ?? 'unknown'
  const risk = riskOf(run, part)
  node.standing[part] = { level, class: raised.class, falseAlarms }
  withdraw(run, part)
  run.findings.push({
    atMs,
    node: run.name as Finding['node'],
    part,
    level,
    class: raised.class,
    confidence,
    episodes,
    windowS: Math.round(windowMs / 1000),
    expectedFalseAlarmsPer100PartYears: falseAlarms,
    text: level === 'watch' ? text : `${text}${riskText(risk)}`,
    risk,
  })
}

/** What stands accused no longer tells what healthy parts do. */
function withdraw({ node, exposures }: Run, name: string): void {
  const part = node.parts[name]
  if (!part?.trouble || part.trouble.contributed === 0) return
  contribute(exposures, part, -part.trouble.contributed, node.nowMs)
  part.trouble.contributed = 0
}
