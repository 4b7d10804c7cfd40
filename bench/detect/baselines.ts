/** The usual detectors, each after its own source, over the dropouts of one fan. */
import { DAY, type Dropout, MINUTE } from './worlds.ts'

/** The time of the first alarm, if there is one. Dropouts are in order and apart. */
export type Detector = (dropouts: readonly Dropout[]) => number | undefined

const firstEvent: Detector = ([first]) => first?.startMs

type FlapRule = {
  readonly everyMs: number
  /** Weights of the oldest and the newest of the last 20 possible changes. */
  readonly oldest: number
  readonly newest: number
  readonly startPercent: number
  /** Icinga 2 asks for more than its threshold, Nagios for as much. */
  readonly strictly: boolean
}

const CHANGES = 20

/**
 * Flap detection of Nagios (base/flapping.c: 21 states, weights 0.75 to 1.25, flapping at 30 %) and Icinga 2
 * (checkable-flapping.cpp: 20 bits, weights 0.8 to 1.18, above 30 %). A dropout between two checks does not exist for them.
 */
function flapDetection({ everyMs, oldest, newest, startPercent, strictly }: FlapRule): Detector {
  return (dropouts) => {
    const changes: number[] = []
    for (const check of changesSeen(dropouts, everyMs)) {
      changes.push(check)
      while ((changes[0] ?? check) <= check - CHANGES) changes.shift()
      const weight = changes.reduce(
        (sum, at) => sum + oldest + ((newest - oldest) * (CHANGES - 1 - (check - at))) / (CHANGES - 1),
        0,
      )
      const percent = (weight / CHANGES) * 100
      if (strictly ? percent > startPercent : percent >= startPercent) return check * everyMs
    }
    return undefined
  }
}

/** The numbers of the checks at which the state differs from the check before. */
function changesSeen(dropouts: readonly Dropout[], everyMs: number): readonly number[] {
  const changes: number[] = []
  for (const { startMs, endMs } of dropouts) {
    const first = Math.ceil(startMs / everyMs)
    const after = Math.ceil(endMs / everyMs)
    if (first >= after) continue
    // Good again and bad again between two checks: no change was seen.
    if (changes.at(-1) === first) changes.pop()
    else changes.push(first)
    changes.push(after)
  }
  return changes
}

const PENALTY = 1000
const SUPPRESS_AT = 2000
const PENALTY_CEILING = 12_000
const DAMPING_HALF_LIFE_MS = 15 * MINUTE

/** BGP's route flap damping (RFC 2439, figures of its appendix) on raw events: suppressed is alarmed. */
const damping: Detector = (dropouts) => {
  let penalty = 0
  let lastMs = 0
  for (const { startMs } of dropouts) {
    penalty = Math.min(PENALTY_CEILING, penalty * 2 ** (-(startMs - lastMs) / DAMPING_HALF_LIFE_MS) + PENALTY)
    lastMs = startMs
    // Damping measures at the flap itself, so two flaps at once reach the limit and any decay stays below it.
    if (penalty >= SUPPRESS_AT) return startMs
  }
  return undefined
}

/** `count` episodes within `withinMs`, debounced by 5 min. */
function countWithin(count: number, withinMs: number): Detector {
  return (dropouts) => {
    const onsets: number[] = []
    for (const { startMs } of dropouts) {
      if (startMs - (onsets.at(-1) ?? Number.NEGATIVE_INFINITY) < 5 * MINUTE) continue
      onsets.push(startMs)
      if (startMs - (onsets.at(-count) ?? Number.NEGATIVE_INFINITY) < withinMs) return startMs
    }
    return undefined
  }
}

/** Prometheus' `for`: the condition at every evaluation of a stretch of time; one good sample begins it anew. */
function prometheusFor(everyMs: number, forMs: number): Detector {
  return (dropouts) => {
    for (const { startMs, endMs } of dropouts) {
      const pendingMs = Math.ceil(startMs / everyMs) * everyMs
      const firesMs = pendingMs + Math.ceil(forMs / everyMs) * everyMs
      if (firesMs < endMs) return firesMs
    }
    return undefined
  }
}

/** `changes(fan_ok[24h]) >= 4` over samples: the way Prometheus does see intermittents, as far as they last until a sample. */
function prometheusChanges(everyMs: number, changeCount: number): Detector {
  return (dropouts) => {
    const changes = changesSeen(dropouts, everyMs).map((check) => check * everyMs)
    return changes.find((atMs, index) => atMs - (changes[index - changeCount + 1] ?? Number.NEGATIVE_INFINITY) < DAY)
  }
}

export const BASELINES: Readonly<Record<string, Detector>> = {
  'first event': firstEvent,
  'Nagios, 5 min check': flapDetection({
    everyMs: 5 * MINUTE,
    oldest: 0.75,
    newest: 1.25,
    startPercent: 30,
    strictly: false,
  }),
  'Icinga 2, 1 min check': flapDetection({
    everyMs: MINUTE,
    oldest: 0.8,
    newest: 1.18,
    startPercent: 30,
    strictly: true,
  }),
  'RFC 2439, raw events': damping,
  '3 in 24 h, debounced': countWithin(3, DAY),
  'Prometheus for: 5m': prometheusFor(MINUTE, 5 * MINUTE),
  'Prometheus changes() 24h': prometheusChanges(MINUTE, 4),
}
