/** What waiting may cost: how many fans still carry the load, how fast it gets warmer, and how soon that would be too warm. */
import type { Risk } from '#domain/finding'
import { HOUR_MS, type NodeRecord, type PartRecord } from './state.ts'

/** Assumed where a BMC tells no limit: usual upper bounds of air that goes in (ASHRAE A2 allows 35 °C) and of processors. */
const INLET_LIMIT_C = 35
const OTHER_LIMIT_C = 90
const SAMPLE_EVERY_MS = 2 * 60_000
const SAMPLES_LIMIT = 16
/** A slope over less than this is noise; an older one no longer says what happens now. */
const SLOPE_OVER_AT_LEAST_MS = 8 * 60_000
const SLOPE_FRESH_MS = 30 * 60_000
/** Slower than this is weather. */
const RISING_C_PER_H = 2

/** The samples with this one, some minutes apart. The same array where nothing is worth keeping. */
export function withHeat(part: PartRecord, atMs: number, celsius: number): PartRecord['heat'] {
  const heat = part.heat ?? []
  const last = heat.at(-1)
  if (last && atMs - last[0] < SAMPLE_EVERY_MS) return part.heat
  return [...heat, [atMs, celsius] as const].slice(-SAMPLES_LIMIT)
}

/** Over the last half hour, by least squares; undefined where too little was read. */
export function slopePerHour(heat: NonNullable<PartRecord['heat']>, nowMs: number): number | undefined {
  const recent = heat.filter(([atMs]) => nowMs - atMs <= SLOPE_FRESH_MS)
  const [first, last] = [recent[0], recent.at(-1)]
  if (!first || !last || last[0] - first[0] < SLOPE_OVER_AT_LEAST_MS) return undefined
  const meanAt = recent.reduce((sum, [atMs]) => sum + atMs, 0) / recent.length
  const meanC = recent.reduce((sum, [, celsius]) => sum + celsius, 0) / recent.length
  const over = recent.reduce((sum, [atMs]) => sum + (atMs - meanAt) ** 2, 0)
  const rise = recent.reduce((sum, [atMs, celsius]) => sum + (atMs - meanAt) * (celsius - meanC), 0)
  return (rise / over) * HOUR_MS
}

/** `suspects`: parts with a finding. One that is out for long has one; one that was out for a moment is still counted on. */
export function riskOfWaiting(node: NodeRecord, suspects: ReadonlySet<string>, nowMs: number): Risk {
  const fans = Object.entries(node.parts).filter(([, { kind }]) => kind === 'fan')
  const sound = fans.filter(([name]) => !suspects.has(name))
  const rising = steepest(node, nowMs)
  return {
    // Fewer than two known fans are a log that told of one, not a chassis.
    fansLeft: fans.length < 2 ? 'unknown' : sound.length,
    fansKnown: fans.length < 2 ? 'unknown' : fans.length,
    ...(rising ?? { warmerCPerH: 'unknown', tooWarmInS: 'unknown' }),
  }
}

function steepest(node: NodeRecord, nowMs: number) {
  let found: { warmerCPerH: number; tooWarmInS: number | 'unknown'; sensor: string } | undefined
  for (const [sensor, { kind, heat }] of Object.entries(node.parts)) {
    if (kind !== 'temperature' || heat === undefined) continue
    const slope = slopePerHour(heat, nowMs)
    if (slope === undefined || (found && slope <= found.warmerCPerH)) continue
    const limitC = /inlet|ambient|intake/i.test(sensor) ? INLET_LIMIT_C : OTHER_LIMIT_C
    const leftC = Math.max(0, limitC - (heat.at(-1)?.[1] ?? 0))
    const tooWarmInS = slope >= RISING_C_PER_H ? Math.round((leftC / slope) * 3600) : 'unknown'
    found = { sensor, warmerCPerH: Math.round(slope * 10) / 10, tooWarmInS }
  }
  return found
}

/** No fan is left to lose, or it gets warmer fast enough to matter: then waiting is the greater risk. */
export const isUrgent = ({ fansLeft, fansKnown, warmerCPerH }: Risk): boolean =>
  (fansLeft !== 'unknown' && fansKnown !== 'unknown' && fansLeft < fansKnown - 1) ||
  (warmerCPerH !== 'unknown' && warmerCPerH >= RISING_C_PER_H * 2)
