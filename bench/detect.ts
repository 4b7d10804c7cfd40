/**
 * Compares detectors on simulated fans: how soon each finds a fan that drops out now and then, and how often it accuses a healthy one.
 * Everything here is assumed, not recorded: a healthy fan has one burst of glitches in 60 days, a faulty one Poisson dropouts of mean 30 s.
 * Run: node bench/detect.ts [--json] [--seeds 20] [--svg FILE]; --calibrate prints the thresholds anew and does nothing else.
 */
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { BASELINES, type Detector } from './detect/baselines.ts'
import { calibrate } from './detect/calibrate.ts'
import { innocentCases } from './detect/cases.ts'
import { busDelayOf, delayOf, falseAlarmsIn } from './detect/ours.ts'
import { plotOf } from './detect/plot.ts'
import { memory, speed } from './detect/speed.ts'
import { chanceOf, DAY, FANS_A_NODE, faultyFan, HOUR, healthyFan, MINUTE, SECOND, YEAR } from './detect/worlds.ts'

const RATES_PER_DAY = [1, 6, 24, 144] as const
const RUNS_A_SEED = 15
const CAP_MS = 30 * DAY
/** Nodes a fleet, by noise: the more noise the more records, and the fewer fan-years say enough. */
const FLEETS = [
  { noise: 1, nodes: 50 },
  { noise: 5, nodes: 12 },
  { noise: 20, nodes: 3 },
] as const

type Delay = { readonly medianH: number | null; readonly p95H: number | null; readonly missedFraction: number }
type Figures = {
  /** By noise: ×1, ×5, ×20 of what was assumed. */
  readonly falseAlarmsPer100FanYears: Readonly<Record<string, number>>
  /** In hours, by dropouts a day; null where more than half (or 5 %) of the runs found nothing in 30 days. */
  readonly delays: Readonly<Record<string, Delay>>
}

const round = (value: number, digits = 2) => Math.round(value * 10 ** digits) / 10 ** digits

function summed(found: readonly (number | undefined)[]): Delay {
  const sorted = found.map((ms) => ms ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b)
  const hoursAt = (fraction: number) => {
    const ms = sorted[Math.floor(fraction * sorted.length)] ?? Number.POSITIVE_INFINITY
    return Number.isFinite(ms) ? round(ms / HOUR) : null
  }
  const missed = sorted.filter((ms) => !Number.isFinite(ms)).length
  return { medianH: hoursAt(0.5), p95H: hoursAt(0.95), missedFraction: round(missed / sorted.length, 3) }
}

const seedsUpTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
const runs = (seeds: number) => seedsUpTo(seeds).flatMap((seed) => seedsUpTo(RUNS_A_SEED).map((run) => ({ seed, run })))

function baselineFigures(detector: Detector, seeds: number): Figures {
  const falseAlarms = FLEETS.map(({ noise, nodes }): [string, number] => {
    const fans = nodes * FANS_A_NODE
    const alarms = seedsUpTo(seeds).flatMap((seed) =>
      seedsUpTo(fans).filter((fan) => detector(healthyFan(chanceOf(seed, fan), YEAR, noise)) !== undefined),
    )
    return [`x${noise}`, round((alarms.length / (fans * seeds)) * 100)]
  })
  const delays = RATES_PER_DAY.map((perDay): [string, Delay] => [
    String(perDay),
    summed(runs(seeds).map(({ seed, run }) => detector(faultyFan(chanceOf(seed, run), CAP_MS, perDay)))),
  ])
  return { falseAlarmsPer100FanYears: Object.fromEntries(falseAlarms), delays: Object.fromEntries(delays) }
}

type Fleets = {
  readonly noise: number
  readonly nodes: number
  readonly seeds: number
  readonly missed: number
  readonly polls: boolean
}

function ourFalseAlarms({ seeds, nodes, ...fleet }: Fleets): number {
  const alarms = seedsUpTo(seeds).reduce(
    (sum, seed) => sum + falseAlarmsIn({ ...fleet, seed, nodes, untilMs: YEAR }),
    0,
  )
  return round((alarms / (nodes * FANS_A_NODE * seeds)) * 100)
}

function ourDelay(seeds: number, given: { perDay: number; everyMs?: number; missed?: number }): Delay {
  const { perDay, everyMs = MINUTE, missed = 0 } = given
  return summed(runs(seeds).map((one) => delayOf({ ...one, perDay, everyMs, missed, capMs: CAP_MS })))
}

function ourFigures(seeds: number): Figures {
  const falseAlarms = FLEETS.map(({ noise, nodes }): [string, number] => [
    `x${noise}`,
    ourFalseAlarms({ noise, nodes, seeds, missed: 0, polls: false }),
  ])
  const delays = RATES_PER_DAY.map((perDay): [string, Delay] => [String(perDay), ourDelay(seeds, { perDay })])
  return { falseAlarmsPer100FanYears: Object.fromEntries(falseAlarms), delays: Object.fromEntries(delays) }
}

/** What else was promised: polls, lost records, small fleets, buses, the innocent, speed, memory. */
async function moreFigures(seeds: number) {
  const byPoll = (everyMs: number) =>
    Object.fromEntries(RATES_PER_DAY.map((perDay) => [String(perDay), ourDelay(seeds, { perDay, everyMs }).medianH]))
  const byMissed = (missed: number) => ({
    medianH: Object.fromEntries(
      RATES_PER_DAY.map((perDay) => [String(perDay), ourDelay(seeds, { perDay, missed }).medianH]),
    ),
    falseAlarmsWithReadings: ourFalseAlarms({ noise: 1, nodes: 8, seeds, missed, polls: true }),
    falseAlarmsByLogAlone: ourFalseAlarms({ noise: 1, nodes: 20, seeds, missed, polls: false }),
  })
  const bus = runs(seeds).map((one) => busDelayOf({ ...one, perDay: 6, capMs: 3 * DAY }))
  return {
    medianHByPoll: { '10s': byPoll(10 * SECOND), '60s': byPoll(MINUTE), '300s': byPoll(5 * MINUTE) },
    recordsMissed: { '10%': byMissed(0.1), '30%': byMissed(0.3) },
    loneNodesFalseAlarmsPer100FanYears: Object.fromEntries(
      [1, 5, 20].map((noise) => [`x${noise}`, loneNodes(noise, noise === 20 ? 2 : 8, seeds)]),
    ),
    busAt6ADay: {
      ...summed(bus.map(({ atMs }) => atMs)),
      within24hFraction: round(bus.filter(({ atMs }) => atMs !== undefined && atMs <= DAY).length / bus.length, 3),
      fansAccused: bus.reduce((sum, { accused }) => sum + accused, 0),
    },
    innocent: innocentCases(1000),
    speed: await speed(),
    memory: memory(),
  }
}

/** Nodes that are watched each for itself: there is no fleet to learn from but five fans. */
function loneNodes(noise: number, nodes: number, seeds: number): number {
  const all = seedsUpTo(seeds * nodes)
  const alarms = all.reduce(
    (sum, seed) => sum + falseAlarmsIn({ seed, nodes: 1, noise, untilMs: YEAR, missed: 0, polls: false }),
    0,
  )
  return round((alarms / (all.length * FANS_A_NODE)) * 100)
}

const OURS = 'Coulisse'

function tableOf(all: Readonly<Record<string, Figures>>): string {
  const hours = (value: number | null) =>
    value === null
      ? 'never'
      : value < 2
        ? `${Math.round(value * 60)} min`
        : value < 72
          ? `${value.toFixed(1)} h`
          : `${(value / 24).toFixed(1)} d`
  const rows = Object.entries(all).map(([name, { falseAlarmsPer100FanYears: alarms, delays }]) => [
    name,
    ...FLEETS.map(({ noise }) => String(alarms[`x${noise}`] ?? '')),
    ...RATES_PER_DAY.map((perDay) => {
      const delay = delays[String(perDay)]
      return delay ? `${hours(delay.medianH)} / ${hours(delay.p95H)}` : ''
    }),
  ])
  const head = [
    'detector',
    ...FLEETS.map(({ noise }) => `false x${noise}`),
    ...RATES_PER_DAY.map((perDay) => `${perDay} a day`),
  ]
  const widths = [26, 11, 11, 11, 19, 19, 19, 19]
  return [head, ...rows].map((cells) => cells.map((cell, at) => cell.padEnd(widths[at] ?? 19)).join('')).join('\n')
}

async function run(seeds: number, svg: string, asJson: boolean): Promise<void> {
  const detectors: Record<string, Figures> = {}
  for (const [name, detector] of Object.entries(BASELINES)) detectors[name] = baselineFigures(detector, seeds)
  detectors[OURS] = ourFigures(seeds)
  const more = await moreFigures(seeds)
  const lines = Object.entries(detectors).map(([name, { falseAlarmsPer100FanYears, delays }]) => ({
    name,
    isOurs: name === OURS,
    falseAlarms: falseAlarmsPer100FanYears.x1 ?? 0,
    points: RATES_PER_DAY.map((perDay) => ({ perDay, hours: delays[String(perDay)]?.medianH ?? null })),
  }))
  await writeFile(svg, plotOf(lines, RATES_PER_DAY))
  process.stderr.write(`plot: ${svg}\n`)
  const text = asJson
    ? JSON.stringify({ seeds, detectors, ...more })
    : `${tableOf(detectors)}\n\nfalse: parts accused in 100 healthy fan-years, at 1, 5 and 20 times the assumed noise; delays: median / p95; ${seeds} seeds\n${JSON.stringify(more, null, 1)}`
  process.stdout.write(`${text}\n`)
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      seeds: { type: 'string', default: '20' },
      svg: { type: 'string', default: join(tmpdir(), 'coulisse-bench-detect.svg') },
      calibrate: { type: 'boolean', default: false },
    },
  })
  if (values.calibrate) process.stdout.write(calibrate(200_000))
  else await run(Number(values.seeds), values.svg, values.json)
}
