/** Coulisse's own detector over what a BMC would write: when it speaks, and against whom. */
import { newDetector, observeSignals } from '#detect/decide'
import { DEFAULT_DETECT_SETTINGS, type DetectorState } from '#detect/state'
import type { Finding } from '#domain/finding'
import type { Signal } from '#domain/signal'
import type { Chance } from './chance.ts'
import {
  chanceOf,
  DAY,
  EPOCH_MS,
  FANS_A_NODE,
  faultyFan,
  healthyFan,
  MINUTE,
  merged,
  nodeWith,
  signalsOf,
} from './worlds.ts'

const BATCH = 4096

/** All findings of a stream, in batches as a file or the watch would give them. */
export function findingsOf(signals: readonly Signal[], untilMs: number): readonly Finding[] {
  const found: Finding[] = []
  let state: DetectorState = newDetector()
  for (let from = 0; from < signals.length; from += BATCH) {
    const batch = signals.slice(from, from + BATCH)
    const observed = observeSignals(state, batch, batch.at(-1)?.receivedAtMs ?? 0)
    state = observed.state
    found.push(...observed.findings)
  }
  found.push(...observeSignals(state, [], EPOCH_MS + untilMs).findings)
  return found
}

/** When a finding is out: one by the counter waits until its episode has settled. */
const givenAtMs = ({ atMs, class: kind, text }: Finding) =>
  atMs - EPOCH_MS + (kind === 'hard' && !text.includes('came back') ? 0 : DEFAULT_DETECT_SETTINGS.settleMs)

export type Fleet = {
  readonly seed: number
  readonly nodes: number
  readonly untilMs: number
  readonly noise: number
  readonly missed: number
  readonly polls: boolean
}

/** A fleet of healthy fans under one detector: parts accused in the time. */
export function falseAlarmsIn({ seed, nodes, untilMs, noise, missed, polls }: Fleet): number {
  const streams = Array.from({ length: nodes }, (_, index) => {
    const chance = chanceOf(seed, index)
    const first = healthyFan(chance, untilMs, noise)
    const given = { node: `pve${index}`, everyMs: MINUTE, polls, missed, clockErrorMs: clockErrorOf(chance) }
    return signalsOf(nodeWith(first, { ...given, chance, untilMs, noise }), chance)
  })
  const accused = findingsOf(merged(streams), untilMs).map(({ node, part }) => `${node}/${part}`)
  return new Set(accused).size
}

/** One BMC in five has a clock that is hours off. */
function clockErrorOf(chance: Chance): number {
  const isOff = chance.next() < 0.2
  const hours = Math.round(chance.between(-12, 12))
  return isOff ? hours * 60 * MINUTE : 0
}

export type FaultyRun = {
  readonly seed: number
  readonly run: number
  readonly perDay: number
  readonly capMs: number
  readonly everyMs: number
  readonly missed: number
}

/** How long until the faulty fan of a chassis is found, over growing stretches of its life. */
export function delayOf({ seed, run, perDay, capMs, everyMs, missed }: FaultyRun): number | undefined {
  for (let untilMs = Math.min(capMs, (24 * DAY) / perDay); ; untilMs = Math.min(capMs, untilMs * 4)) {
    const faulty = faultyFan(chanceOf(seed, run), untilMs, perDay)
    const chance = chanceOf(seed, run + 500_000)
    const given = { node: 'pve3', everyMs, polls: true, missed, clockErrorMs: clockErrorOf(chance) }
    const world = nodeWith(faulty, { ...given, chance, untilMs, noise: 1 })
    const findings = findingsOf(signalsOf(world, chance), untilMs)
    const found = findings.filter(({ part }) => part === 'FAN1').map(givenAtMs)
    if (found.length > 0) return Math.min(...found)
    if (untilMs >= capMs) return undefined
  }
}

export type BusRun = { readonly seed: number; readonly run: number; readonly perDay: number; readonly capMs: number }

/** A connector that lets go of two to six fans at a time, not always the same: how long until what they share is named. */
export function busDelayOf({ seed, run, perDay, capMs }: BusRun): { atMs: number | undefined; accused: number } {
  const chance = chanceOf(seed, run + 900_000)
  const moments = faultyFan(chance, capMs, perDay)
  const dropouts = Array.from({ length: FANS_A_NODE }, () => [] as { startMs: number; endMs: number }[])
  for (const { startMs, endMs } of moments) {
    const hit = dropouts.filter(() => chance.next() < 0.6)
    const those = hit.length >= 2 ? hit : dropouts.slice(0, 2)
    for (const fan of those) fan.push({ startMs: startMs + chance.next() * 20_000, endMs: endMs + 25_000 })
  }
  const fans = dropouts.map((list, index) => ({ part: `FAN${index + 1}`, dropouts: list }))
  const world = { node: 'pve3', fans, everyMs: MINUTE, polls: true, missed: 0, clockErrorMs: 0 }
  const findings = findingsOf(signalsOf(world, chance), capMs)
  const bus = findings.filter(({ part, class: kind }) => part === 'node' && kind === 'common-cause').map(givenAtMs)
  const accused = new Set(
    findings.filter(({ part, class: kind }) => part !== 'node' && kind === 'intermittent').map(({ part }) => part),
  )
  return { atMs: bus.length > 0 ? Math.min(...bus) : undefined, accused: accused.size }
}
