/** Turns counters and lasting readings into findings: levels, confidence, and what the rule is worth. */
import type { Finding, FindingClass, FindingLevel } from '#domain/finding'
import type { PartKind } from '#domain/signal'
import { countShared } from './common-cause.ts'
import { intermittentText, spanText } from './finding-text.ts'
import { lastingOf } from './floor.ts'
import { DEFAULT_DETECT_SETTINGS, type DetectSettings, type NodeRecord, type PartRecord } from './state.ts'

/** The part's name for what several parts share. */
export const SHARED_PART = 'node'

/** One node under one stream: what the detector reads and writes while it passes over signals. */
export type Run = {
  readonly name: string
  readonly node: NodeRecord
  readonly settings: DetectSettings
  readonly findings: Finding[]
}

/** Says a level that the decay counter has reached. */
export function judgeScore(run: Run, name: string, part: PartRecord, atMs: number): void {
  const { settings } = run
  const level = levelOf(part.score, settings.quarantineAtScore, settings.drainAdvisedAtScore)
  if (level === 'none' || !isHigher(run, name, level)) return
  // Five half-lives: an older episode no longer weighs in the score, so it is not told as evidence.
  const counted = part.episodes.filter(
    ({ is, startMs }) => is === 'counted' && atMs - startMs < 5 * settings.halfLifeMs,
  )
  const windowMs = atMs - (counted[0]?.startMs ?? atMs)
  const falseAlarms = falseAlarmsOf(part.kind, level, settings)
  raise(run, {
    part: name,
    level,
    class: 'intermittent',
    atMs,
    confidence: confidenceOf(counted.length, windowMs),
    episodes: counted.length,
    windowMs,
    falseAlarms,
    text: intermittentText({ node: run.name, name, part, count: counted.length, windowMs, falseAlarms }),
  })
}

/** Says what lasts. */
export function judgeLasting(run: Run, name: string, part: PartRecord, nowMs: number): void {
  const lasting = lastingOf(run.node, part, nowMs, run.settings)
  if (lasting.is === 'no' || lasting.is === 'at') return
  const sinceMs = part.severe?.sinceMs ?? part.openSinceMs ?? nowMs
  const windowMs = lasting.atMs - sinceMs
  const isShared = part.episodes.at(-1)?.is === 'shared'
  const on = isShared ? SHARED_PART : name
  const drop = part.kind === 'disk' || part.kind === 'link' ? part.open['non-recoverable'] === undefined : false
  const level = lasting.is === 'critical' ? 'quarantine' : drop ? 'drain-advised' : 'drain-now'
  const what = lasting.is === 'critical' ? 'critical' : 'lost'
  const seen = lasting.is === 'severe' && lasting.byPolls ? 'by repeated readings' : 'by the log, without a deassert'
  raise(run, {
    part: on,
    level,
    class: 'hard',
    atMs: lasting.atMs,
    confidence: lasting.is === 'severe' && lasting.byPolls ? 0.99 : 0.95,
    episodes: Math.max(1, part.episodes.filter(({ is }) => is === 'counted').length),
    windowMs,
    text: `${name} of ${run.name} ${isShared ? 'and others with it ' : ''}${what} for ${spanText(windowMs)}, ${seen}; a reading that lasts does not wait for a counter`,
  })
}

/** A shared event has settled: counts it and says what the events so far mean. */
export function judgeShared(run: Run): void {
  const { node, settings, name } = run
  const event = node.shared.at(-1)
  if (!event) return
  if (event.onlyUnreadable) {
    event.is = 'dismissed'
    return
  }
  const verdict = countShared(node, event, settings)
  const counted = node.shared.filter(({ is }) => is === 'counted')
  const windowMs = event.startMs - (counted[0]?.startMs ?? event.startMs)
  const parts = event.parts.join(', ')
  const base = { part: SHARED_PART, atMs: event.startMs, episodes: counted.length, windowMs }
  if (verdict.is === 'threshold') {
    raise(run, {
      ...base,
      level: 'watch',
      class: 'threshold',
      confidence: 0.9,
      text: `${parts} of ${name} cross a threshold together in an even rhythm, ${node.sharedOnsetsMs.length} times so far: the threshold is set wrongly for these fans, or their speed control swings`,
    })
  }
  if (verdict.is !== 'common-cause') return
  const level = levelOf(verdict.score, settings.sharedQuarantineAtScore, settings.sharedDrainAdvisedAtScore)
  if (level === 'none') return
  raise(run, {
    ...base,
    level,
    class: 'common-cause',
    confidence: confidenceOf(counted.length + 1, windowMs),
    text: `${parts} of ${name} dropped out together ${counted.length} times in ${spanText(windowMs)}: look at what they share (fan bus, connector, backplane, supply, BMC), not at the parts; the rate of false alarms of this rule is unknown`,
  })
}

const levelOf = (score: number, quarantineAt: number, drainAdvisedAt: number): FindingLevel | 'none' =>
  score >= drainAdvisedAt ? 'drain-advised' : score >= quarantineAt ? 'quarantine' : 'none'

/**
 * Fans, with these very settings, at an assumed 1 burst of glitches in 60 days over 20,000 healthy fan-years: quarantine from the
 * comparison that chose the rule (decision 0070), drain advised from bench/detect.ts. Nothing else was measured, and says so.
 */
const MEASURED_FALSE_ALARMS: Partial<Record<FindingLevel, number>> = { quarantine: 0.4, 'drain-advised': 0.01 }

function falseAlarmsOf(kind: PartKind, level: FindingLevel, settings: DetectSettings): number | 'unknown' {
  const { halfLifeMs, quarantineAtScore, drainAdvisedAtScore, debounceMs } = DEFAULT_DETECT_SETTINGS
  const isMeasured =
    settings.halfLifeMs === halfLifeMs &&
    settings.quarantineAtScore === quarantineAtScore &&
    settings.drainAdvisedAtScore === drainAdvisedAtScore &&
    settings.debounceMs === debounceMs
  return kind === 'fan' && isMeasured ? (MEASURED_FALSE_ALARMS[level] ?? 'unknown') : 'unknown'
}

const DAY_MS = 86_400_000
const DAYS_A_YEAR = 365
const HEALTHY_PER_DAY = 1 / 60
const FAULTS_PER_PART_YEAR = 0.02

/**
 * How likely such evidence comes from a fault: faults begin 0.02 times in a part-year, and a healthy part drops out once in 60 days,
 * so `episodes` fall into `windowMs` by chance that often. The constants are assumptions; the figure ranks findings.
 */
export function confidenceOf(episodes: number, windowMs: number): number {
  const expected = HEALTHY_PER_DAY * (windowMs / DAY_MS)
  let byChancePerYear = HEALTHY_PER_DAY * DAYS_A_YEAR
  for (let more = 1; more < episodes; more++) byChancePerYear *= expected / more
  return Math.min(0.99, Math.round((FAULTS_PER_PART_YEAR / (FAULTS_PER_PART_YEAR + byChancePerYear)) * 100) / 100)
}

const RANK: Record<FindingLevel, number> = { watch: 1, quarantine: 2, 'drain-advised': 3, 'drain-now': 4 }

function isHigher({ node }: Run, part: string, level: FindingLevel): boolean {
  const standing = node.standing[part]
  return standing === undefined || RANK[level] > RANK[standing.level]
}

type Raised = {
  readonly part: string
  readonly level: FindingLevel
  readonly class: FindingClass
  readonly atMs: number
  readonly confidence: number
  readonly episodes: number
  readonly windowMs: number
  readonly falseAlarms?: number | 'unknown'
  readonly text: string
}

/** Findings are given on rises only; a level falls by positive evidence (clearPart), never by silence. */
export function raise(run: Run, raised: Raised): void {
  const { part, level, atMs, confidence, episodes, windowMs, text } = raised
  if (!isHigher(run, part, level)) return
  run.node.standing[part] = { level, class: raised.class }
  run.findings.push({
    atMs,
    node: run.name as Finding['node'],
    part,
    level,
    class: raised.class,
    confidence,
    episodes,
    windowS: Math.round(windowMs / 1000),
    expectedFalseAlarmsPer100PartYears: raised.falseAlarms ?? 'unknown',
    text,
  })
}
