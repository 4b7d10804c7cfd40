/** Simulated fans, and what a BMC writes of them. All of it is assumed, not recorded: see the head of bench/detect.ts. */
import { nodeName } from '#domain/ids'
import type { PartSignal, PartState, Signal } from '#domain/signal'
import { Chance } from './chance.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
export const YEAR = 365 * DAY

/** Signals begin here, so that no time is negative. */
export const EPOCH_MS = Date.UTC(2026, 0, 1)
const HEALTHY_GAP_MS = 60 * DAY
const FAULTY_MEAN_MS = 30 * SECOND

export type Dropout = { readonly startMs: number; readonly endMs: number }

/** Bursts of one to four glitches of 1 to 15 s within two minutes, `noise` times as often as assumed. */
export function healthyFan(chance: Chance, untilMs: number, noise: number): readonly Dropout[] {
  const dropouts: Dropout[] = []
  const gapMs = HEALTHY_GAP_MS / noise
  for (let atMs = chance.exponential(gapMs); atMs < untilMs; atMs += chance.exponential(gapMs)) {
    const count = 1 + Math.floor(chance.next() * 4)
    for (let glitch = 0; glitch < count; glitch++) {
      const startMs = atMs + (glitch * 2 * MINUTE) / count
      dropouts.push({ startMs, endMs: startMs + chance.between(SECOND, 15 * SECOND) })
    }
  }
  return apart(dropouts)
}

/** Poisson dropouts of mean 30 s. */
export function faultyFan(chance: Chance, untilMs: number, perDay: number): readonly Dropout[] {
  const dropouts: Dropout[] = []
  for (let atMs = chance.exponential(DAY / perDay); atMs < untilMs; atMs += chance.exponential(DAY / perDay)) {
    dropouts.push({ startMs: atMs, endMs: atMs + chance.exponential(FAULTY_MEAN_MS) })
  }
  return apart(dropouts)
}

/** What begins while the one before still lasts is the same loss. */
function apart(dropouts: readonly Dropout[]): readonly Dropout[] {
  let freeMs = 0
  return dropouts.filter(({ startMs, endMs }) => {
    if (startMs < freeMs) return false
    freeMs = endMs
    return true
  })
}

export type NodeWorld = {
  readonly node: string
  readonly fans: readonly { readonly part: string; readonly dropouts: readonly Dropout[] }[]
  /** How often log and sensors are read. */
  readonly everyMs: number
  /** Whether the sensors are read beside the log. */
  readonly polls: boolean
  /** Share of the log's records that never reach us. */
  readonly missed: number
  readonly clockErrorMs: number
}

const SEL_STATES: readonly PartState[] = ['warning', 'critical', 'non-recoverable']

/** Three records an edge, read every `everyMs`; sensors are shown at each read in the two minutes (or two reads) after a record. */
export function signalsOf(world: NodeWorld, chance: Chance): readonly Signal[] {
  const { node, fans, everyMs, missed, clockErrorMs } = world
  const edges = fans
    .flatMap(({ part, dropouts }) =>
      dropouts.flatMap(({ startMs, endMs }) => [
        { atMs: startMs, part, edge: 'assert' as const },
        { atMs: endMs, part, edge: 'deassert' as const },
      ]),
    )
    .sort((a, b) => a.atMs - b.atMs)
  const offsetMs = chance.next() * everyMs
  const readAfter = (atMs: number) => Math.ceil((atMs - offsetMs) / everyMs) * everyMs + offsetMs
  const signals: Signal[] = []
  const reads = new Set<number>()
  let recordId = 0
  for (const { atMs, part, edge } of edges) {
    const receivedAtMs = EPOCH_MS + Math.round(readAfter(atMs))
    for (let more = 0; more <= Math.max(2, Math.ceil((2 * MINUTE) / everyMs)); more++)
      reads.add(receivedAtMs + more * everyMs)
    for (const state of SEL_STATES) {
      recordId++
      if (missed > 0 && chance.next() < missed) continue
      const value = edge === 'assert' ? 0 : 8400
      const at = Math.round(EPOCH_MS + atMs + clockErrorMs)
      signals.push({ ...fan(node, part), source: 'sel', atMs: at, receivedAtMs, state, edge, value, recordId })
    }
  }
  if (!world.polls) return signals
  for (const receivedAtMs of reads) signals.push(...pollAll(world, receivedAtMs))
  return signals.sort((a, b) => a.receivedAtMs - b.receivedAtMs)
}

const fan = (node: string, part: string) =>
  ({ is: 'part', node: nodeName(node), part, kind: 'fan', unit: 'RPM', model: 'R740' }) as const

function pollAll({ node, fans }: NodeWorld, receivedAtMs: number): PartSignal[] {
  const atMs = receivedAtMs - EPOCH_MS
  return fans.map(({ part, dropouts }): PartSignal => {
    const isOut = dropouts.some(({ startMs, endMs }) => startMs <= atMs && atMs < endMs)
    const state = isOut ? 'non-recoverable' : 'ok'
    const common = { ...fan(node, part), source: 'poll', edge: null, atMs: receivedAtMs, receivedAtMs } as const
    return { ...common, state, value: isOut ? 0 : 8400 }
  })
}

export const FANS_A_NODE = 6

/** A chassis of healthy fans, the first of them as given. */
export function nodeWith(
  first: readonly Dropout[],
  given: { readonly chance: Chance; readonly untilMs: number; readonly noise: number } & Omit<NodeWorld, 'fans'>,
): NodeWorld {
  const { chance, untilMs, noise, ...rest } = given
  const others = Array.from({ length: FANS_A_NODE - 1 }, () => healthyFan(chance, untilMs, noise))
  return { ...rest, fans: [first, ...others].map((dropouts, index) => ({ part: `FAN${index + 1}`, dropouts })) }
}

/** Several nodes' signals in the order of arrival. */
export const merged = (streams: readonly (readonly Signal[])[]): readonly Signal[] =>
  streams.flat().sort((a, b) => a.receivedAtMs - b.receivedAtMs)

export const chanceOf = (seed: number, run: number) => new Chance(seed * 1_000_003 + run * 7919)
