/**
 * What healthy parts do: a rate assumed for the kind, shrunk towards what the fleet shows, and that towards what the model shows
 * (Gamma-Poisson: an assumption weighs as much as two episodes). A part is never measured by itself, nor by parts that stand accused.
 */
import type { PartKind } from '#domain/signal'
import { DAY_MS, type Exposure, type PartRecord } from './state.ts'
import { RATES_PER_DAY } from './thresholds.ts'

/** Episodes a day of a healthy part, assumed until a fleet shows otherwise: glitches of fans as in decision 0070, the rest alike. */
const ASSUMED_PER_DAY = 1 / 60
const PRIOR_EPISODES = 2
/** One part adds at most one episode in this time, so that a flapping one does not make its fleet look noisy before it is found. */
export const CONTRIBUTES_EVERY_MS = DAY_MS

export type Baseline = {
  readonly perDay: number
  /** 'assumed': the fleet has shown less than the assumption weighs. */
  readonly source: 'model' | 'fleet' | 'assumed'
  /** So much of healthy life stands behind it. */
  readonly partDays: number
}

export type Exposures = Record<string, Exposure>

const keysOf = (kind: PartKind, model: string | undefined) =>
  model === undefined ? [kind as string] : [kind as string, `${kind}/${model}`]

function accrue(exposure: Exposure, nowMs: number): void {
  exposure.partMs += exposure.parts * Math.max(0, nowMs - exposure.atMs)
  exposure.atMs = Math.max(exposure.atMs, nowMs)
}

/** A part joins its kind and its model: from now on its quiet time speaks too. */
export function joinFleet(exposures: Exposures, kind: PartKind, model: string | undefined, nowMs: number): void {
  for (const key of keysOf(kind, model)) joinOne(exposures, key, nowMs)
}

/** A part whose model is told only later. */
export function joinModel(exposures: Exposures, kind: PartKind, model: string, nowMs: number): void {
  joinOne(exposures, `${kind}/${model}`, nowMs)
}

function joinOne(exposures: Exposures, key: string, nowMs: number): void {
  const exposure = exposures[key] ?? { parts: 0, partMs: 0, atMs: nowMs, episodes: 0 }
  accrue(exposure, nowMs)
  exposure.parts++
  exposures[key] = exposure
}

/** Adds an episode of a part that stands unaccused, or takes back what one gave that does no longer (`episodes` < 0). */
export function contribute(exposures: Exposures, part: PartRecord, episodes: number, nowMs: number): void {
  for (const key of keysOf(part.kind, part.model)) {
    const exposure = exposures[key]
    if (!exposure) continue
    accrue(exposure, nowMs)
    exposure.episodes = Math.max(0, exposure.episodes + episodes)
  }
}

/** The rate that a part is held against, without what it did itself, within the rows of the thresholds. */
export function baselineOf(exposures: Exposures, part: PartRecord, nowMs: number, beganAtMs: number): Baseline {
  const own = { episodes: part.trouble?.contributed ?? 0, ms: Math.max(0, nowMs - (part.sinceMs ?? beganAtMs)) }
  const [ofKind, ofModel] = keysOf(part.kind, part.model).map((key) => othersIn(exposures[key], own, nowMs))
  const fleet = shrink(ASSUMED_PER_DAY, ofKind)
  const model = ofModel === undefined ? fleet : shrink(fleet, ofModel)
  const lowest = RATES_PER_DAY[0] ?? ASSUMED_PER_DAY
  const highest = RATES_PER_DAY.at(-1) ?? ASSUMED_PER_DAY
  const priorDays = PRIOR_EPISODES / ASSUMED_PER_DAY
  const source = (ofModel?.days ?? 0) > priorDays ? 'model' : (ofKind?.days ?? 0) > priorDays ? 'fleet' : 'assumed'
  const partDays = source === 'model' ? ofModel?.days : source === 'fleet' ? ofKind?.days : 0
  return { perDay: Math.min(highest, Math.max(lowest, model)), source, partDays: partDays ?? 0 }
}

type Others = { readonly episodes: number; readonly days: number }

function othersIn(all: Exposure | undefined, own: { episodes: number; ms: number }, nowMs: number): Others | undefined {
  if (!all) return undefined
  const partMs = all.partMs + all.parts * Math.max(0, nowMs - all.atMs)
  return { episodes: Math.max(0, all.episodes - own.episodes), days: Math.max(0, partMs - own.ms) / DAY_MS }
}

const shrink = (perDay: number, others: Others | undefined): number =>
  others === undefined ? perDay : (PRIOR_EPISODES + others.episodes) / (PRIOR_EPISODES / perDay + others.days)
