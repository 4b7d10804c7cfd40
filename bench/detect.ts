/**
 * Compares detectors on simulated fans: how soon each finds a fan that drops out now and then, and how often it accuses a healthy one.
 * Everything here is assumed, not recorded: a healthy fan has one burst of glitches in 60 days, a faulty one Poisson dropouts of mean 30 s.
 * Run: node bench/detect.ts [--json]
 */
import { parseArgs } from 'node:util'
import { newDetector, observeSignals } from '#detect/decide'
import { DEFAULT_DETECT_SETTINGS, type DetectSettings } from '#detect/state'
import { nodeName } from '#domain/ids'
import { drawAt } from '#domain/random'
import type { PartSignal } from '#domain/signal'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const YEAR = 365 * DAY

const HEALTHY_FAN_YEARS = 20_000
const FAULTY_RUNS = 1000
const FAULTY_CAP_MS = 30 * DAY
const HEALTHY_GAP_MS = 60 * DAY
const SEEDS = [1, 2, 3, 4] as const
const RATES_PER_DAY = [1, 6, 24, 144] as const

type Dropout = { readonly startMs: number; readonly endMs: number }

/** The time of the first alarm, if there is one. */
type Detector = (dropouts: readonly Dropout[], untilMs: number) => number | undefined

const exponential = (draw: number, mean: number) => -Math.log(1 - draw) * mean

/** One fan-year: bursts of one to four glitches of 1 to 15 s within two minutes. */
function healthyYear(seed: number, fan: number): readonly Dropout[] {
  const dropouts: Dropout[] = []
  let draw = 0
  const next = () => drawAt(seed, `healthy ${fan}`, draw++)
  for (let atMs = exponential(next(), HEALTHY_GAP_MS); atMs < YEAR; atMs += exponential(next(), HEALTHY_GAP_MS)) {
    const count = 1 + Math.floor(next() * 4)
    for (let glitch = 0; glitch < count; glitch++) {
      const startMs = atMs + (glitch * 2 * MINUTE) / count
      dropouts.push({ startMs, endMs: startMs + SECOND + next() * 14 * SECOND })
    }
  }
  return dropouts
}

function faultyMonth(seed: number, run: number, perDay: number): readonly Dropout[] {
  const dropouts: Dropout[] = []
  let draw = 0
  const next = () => drawAt(seed, `faulty ${perDay} ${run}`, draw++)
  for (let atMs = exponential(next(), DAY / perDay); atMs < FAULTY_CAP_MS; atMs += exponential(next(), DAY / perDay)) {
    dropouts.push({ startMs: atMs, endMs: atMs + exponential(next(), 30 * SECOND) })
  }
  return dropouts
}

const firstEvent: Detector = ([first]) => first?.startMs

type PollRule = {
  readonly everyMs: number
  readonly oldest: number
  readonly newest: number
  readonly startPercent: number
}

/** Nagios and Icinga 2 weigh the last 20 changes of state between polls; a dropout between two polls does not exist for them. */
function polled({ everyMs, oldest, newest, startPercent }: PollRule): Detector {
  const weights = Array.from({ length: 20 }, (_, index) => oldest + ((newest - oldest) * index) / 19)
  return (dropouts, untilMs) => {
    let changes: boolean[] = Array(20).fill(false)
    let was = false
    let at = 0
    for (let poll = 0; poll * everyMs < untilMs; poll++) {
      const nowMs = poll * everyMs
      while ((dropouts[at]?.endMs ?? Number.POSITIVE_INFINITY) <= nowMs) at++
      const next = dropouts[at]
      if (!next) return undefined
      const is = next.startMs <= nowMs
      changes = [...changes.slice(1), is !== was]
      was = is
      const percent = (changes.reduce((sum, change, index) => sum + (change ? (weights[index] ?? 0) : 0), 0) / 20) * 100
      if (percent >= startPercent) return nowMs
      // Nothing is remembered and nothing is wrong: the next poll that can matter is the first one in the next dropout.
      if (!is && !changes.includes(true)) poll = Math.max(poll, Math.ceil(next.startMs / everyMs) - 1)
    }
    return undefined
  }
}

/** BGP's route flap damping on raw events: 1000 a flap, half-life 15 min, suppressed at 2000. */
const damping: Detector = (dropouts) => {
  let penalty = 0
  let lastMs = 0
  for (const { startMs } of dropouts) {
    penalty = penalty * 2 ** (-(startMs - lastMs) / (15 * MINUTE)) + 1000
    lastMs = startMs
    if (penalty >= 2000) return startMs
  }
  return undefined
}

const threeInADay: Detector = (dropouts) => {
  const onsets: number[] = []
  for (const { startMs } of dropouts) {
    if (startMs - (onsets.at(-1) ?? Number.NEGATIVE_INFINITY) < 5 * MINUTE) continue
    onsets.push(startMs)
    if (startMs - (onsets.at(-3) ?? Number.NEGATIVE_INFINITY) < DAY) return startMs
  }
  return undefined
}

function signalsOf(dropouts: readonly Dropout[]): readonly PartSignal[] {
  const base = {
    is: 'part',
    node: nodeName('pve3'),
    source: 'sel',
    part: 'FAN3',
    kind: 'fan',
    state: 'non-recoverable',
  } as const
  let recordId = 0
  let freeMs = 0
  return dropouts.flatMap(({ startMs, endMs }): readonly PartSignal[] => {
    if (startMs < freeMs) return []
    freeMs = endMs
    return [
      { ...base, atMs: startMs, receivedAtMs: startMs, edge: 'assert', recordId: ++recordId },
      { ...base, atMs: endMs, receivedAtMs: endMs, edge: 'deassert', recordId: ++recordId },
    ]
  })
}

/** Ours, over the records that a BMC would write; `atLeast` says which level counts. */
const ours =
  (settings: Partial<DetectSettings>, levels: readonly string[]): Detector =>
  (dropouts, untilMs) => {
    const { findings } = observeSignals(newDetector(settings), signalsOf(dropouts), untilMs)
    return findings.find(({ level }) => levels.includes(level))?.atMs
  }

/** The counter alone, as the rule that finding.expectedFalseAlarmsPer100PartYears speaks of. */
const WITHOUT_FLOOR = { lastingMs: 10 * YEAR, longLastingMs: 10 * YEAR, pollsApartMs: 10 * YEAR }
const ANY = ['quarantine', 'drain-advised', 'drain-now']

const DETECTORS: Readonly<Record<string, Detector>> = {
  'first event': firstEvent,
  'Nagios, 5 min poll': polled({ everyMs: 5 * MINUTE, oldest: 0.75, newest: 1.25, startPercent: 30 }),
  'Icinga 2, 1 min poll': polled({ everyMs: MINUTE, oldest: 0.8, newest: 1.18, startPercent: 30 }),
  'RFC 2439 on raw events': damping,
  '3 in 24 h, debounced': threeInADay,
  'Coulisse, quarantine, counter alone': ours({ ...DEFAULT_DETECT_SETTINGS, ...WITHOUT_FLOOR }, ANY),
  'Coulisse, drain advised, counter alone': ours({ ...DEFAULT_DETECT_SETTINGS, ...WITHOUT_FLOOR }, ['drain-advised']),
  'Coulisse, with the floor': ours({}, ANY),
}

type Figures = {
  readonly falseAlarmsPer100FanYears: number
  /** In hours, by dropouts a day; null where more than half (or 5 %) of the runs found nothing in 30 days. */
  readonly delays: Readonly<Record<string, { medianH: number | null; p95H: number | null; missedFraction: number }>>
}

function figuresOf(detector: Detector): Figures {
  let alarms = 0
  for (let fan = 0; fan < HEALTHY_FAN_YEARS; fan++) {
    const seed = SEEDS[fan % SEEDS.length] ?? 1
    if (detector(healthyYear(seed, fan), YEAR) !== undefined) alarms++
  }
  const delays = Object.fromEntries(
    RATES_PER_DAY.map((perDay) => {
      const found = Array.from({ length: FAULTY_RUNS }, (_, run) => {
        const seed = SEEDS[run % SEEDS.length] ?? 1
        return detector(faultyMonth(seed, run, perDay), FAULTY_CAP_MS) ?? Number.POSITIVE_INFINITY
      }).sort((a, b) => a - b)
      const hoursAt = (fraction: number) => {
        const ms = found[Math.floor(fraction * found.length)] ?? Number.POSITIVE_INFINITY
        return Number.isFinite(ms) ? Math.round((ms / HOUR) * 100) / 100 : null
      }
      const missed = found.filter((ms) => !Number.isFinite(ms)).length
      return [String(perDay), { medianH: hoursAt(0.5), p95H: hoursAt(0.95), missedFraction: missed / found.length }]
    }),
  )
  return { falseAlarmsPer100FanYears: Math.round((alarms / HEALTHY_FAN_YEARS) * 10_000) / 100, delays }
}

export function benchDetect(): Readonly<Record<string, Figures>> {
  return Object.fromEntries(Object.entries(DETECTORS).map(([name, detector]) => [name, figuresOf(detector)]))
}

function tableOf(all: Readonly<Record<string, Figures>>): string {
  const hours = (value: number | null) =>
    value === null ? 'never' : value < 2 ? `${Math.round(value * 60)} min` : `${value.toFixed(1)} h`
  const rows = Object.entries(all).map(([name, { falseAlarmsPer100FanYears, delays }]) => {
    const cells = RATES_PER_DAY.map((perDay) => {
      const delay = delays[String(perDay)]
      return delay ? `${hours(delay.medianH)} / ${hours(delay.p95H)}` : ''
    })
    return [name, String(falseAlarmsPer100FanYears), ...cells]
  })
  const head = ['detector', 'false / 100 fan-years', ...RATES_PER_DAY.map((perDay) => `${perDay} a day`)]
  return [head, ...rows]
    .map((cells) => cells.map((cell, index) => cell.padEnd(index === 0 ? 40 : 22)).join(''))
    .join('\n')
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
  const figures = benchDetect()
  process.stdout.write(`${values.json ? JSON.stringify({ detect: figures }) : tableOf(figures)}\n`)
}
