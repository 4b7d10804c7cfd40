/**
 * From readings of overlapping windows to signals: each scrape counts once, a part is told when it goes bad, changes, stays bad
 * (once a round), and is good again. Pure; its memory is JSON.
 */
import type { BmcSignal, PartSignal, PartState, Signal } from '#domain/signal'
import type { Reading, ReadSeries } from './readings.ts'

export type ReadingMemory = {
  /** Newest scrape that was read of each target, by Prometheus' clock. */
  readonly scrapesMs: Readonly<Record<string, number>>
  /** Parts that are bad now. */
  readonly bad: Readonly<Record<string, PartState>>
  /** What counters, links and speeds were last: they mean something beside that only. */
  readonly figures: Readonly<Record<string, number>>
  /** Nodes whose sensors cannot be read. */
  readonly silent: readonly string[]
}

export const newReadingMemory = (): ReadingMemory => ({ scrapesMs: {}, bad: {}, figures: {}, silent: [] })

/** A Prometheus whose clock was set back by more than this is read anew, else it would be deaf until the old time comes again. */
const CLOCK_STEP_MS = 5 * 60_000
const FIGURES_LIMIT = 50_000

export type ReadingEdges = { readonly memory: ReadingMemory; readonly signals: readonly Signal[] }

export function readingEdges(before: ReadingMemory, series: ReadSeries, receivedAtMs: number): ReadingEdges {
  const sinceMs = new Map(
    [...series.targets].map(([target, { scrapesMs }]) => [target, since(before, target, scrapesMs)]),
  )
  const isNew = ({ target, atMs }: { target: string; atMs: number }) => atMs > (sinceMs.get(target) ?? 0)
  const fresh: Fresh = { bad: { ...before.bad }, figures: { ...before.figures }, signals: [], last: new Map() }
  for (const reading of series.readings) if (isNew(reading)) take(fresh, reading, receivedAtMs)
  // What is still bad is told once a round, as it was last seen.
  const still = [...fresh.last].filter(([key, { isTold }]) => !isTold && fresh.bad[key] !== undefined)
  const reach = reachEdges(before.silent, series.reaches.filter(isNew), receivedAtMs)
  const newest = [...series.targets].flatMap(([target, { scrapesMs }]) =>
    scrapesMs.length === 0 ? [] : [[target, Math.max(...scrapesMs)] as const],
  )
  return {
    memory: {
      scrapesMs: { ...before.scrapesMs, ...Object.fromEntries(newest) },
      bad: fresh.bad,
      figures: Object.fromEntries(Object.entries(fresh.figures).slice(-FIGURES_LIMIT)),
      silent: reach.silent,
    },
    signals: [...reach.signals, ...fresh.signals, ...still.map(([, { signal }]) => signal)],
  }
}

function since({ scrapesMs: read }: ReadingMemory, target: string, scrapesMs: readonly number[]): number {
  const last = Object.hasOwn(read, target) ? (read[target] ?? 0) : 0
  return scrapesMs.length > 0 && Math.max(...scrapesMs) < last - CLOCK_STEP_MS ? 0 : last
}

type Fresh = {
  readonly bad: Record<string, PartState>
  readonly figures: Record<string, number>
  readonly signals: Signal[]
  readonly last: Map<string, { readonly signal: PartSignal; readonly isTold: boolean }>
}

function take(fresh: Fresh, reading: Reading, receivedAtMs: number): void {
  const key = `${reading.node}/${reading.part}`
  const seen = stateOf(fresh, reading)
  if (seen === undefined) return
  const signal = (state: PartState, edge: PartSignal['edge']) => partSignal(reading, { state, edge, receivedAtMs })
  if (seen.is === 'moment') {
    fresh.signals.push(signal(seen.state, 'assert'), signal(seen.state, 'deassert'))
    return
  }
  const was = Object.hasOwn(fresh.bad, key) ? fresh.bad[key] : undefined
  if (seen.state === 'ok') {
    delete fresh.bad[key]
    fresh.last.delete(key)
    if (was !== undefined) fresh.signals.push(signal('ok', null))
    return
  }
  fresh.bad[key] = seen.state
  const now = signal(seen.state, null)
  const isTold = was !== seen.state
  if (isTold) fresh.signals.push(now)
  fresh.last.set(key, { signal: now, isTold })
}

type Seen = { readonly is: 'state' | 'moment'; readonly state: PartState }

/** Undefined where there is nothing to compare with yet. */
function stateOf({ figures }: Fresh, { node, part, kind, means, target }: Reading): Seen | undefined {
  const key = `${target} ${node}/${part} ${kind} ${means.is} ${'state' in means ? means.state : ''}`
  const was = Object.hasOwn(figures, key) ? figures[key] : undefined
  switch (means.is) {
    case 'state':
      return { is: 'state', state: means.state }
    case 'errors':
      figures[key] = means.count
      // Lower than before: the node was started anew, and nobody knows what was counted since.
      return was === undefined || means.count <= was ? undefined : { is: 'moment', state: means.state }
    case 'up':
      if (means.isUp) figures[key] = 1
      if (means.isUp) return { is: 'state', state: 'ok' }
      return was === undefined ? undefined : { is: 'state', state: means.state }
    case 'speed':
      figures[key] = Math.max(was ?? 0, means.bytesPerSecond)
      return { is: 'state', state: was !== undefined && means.bytesPerSecond < was ? 'warning' : 'ok' }
  }
}

function partSignal(
  { node, part, kind, atMs, value, unit }: Reading,
  told: { readonly state: PartState; readonly edge: PartSignal['edge']; readonly receivedAtMs: number },
): PartSignal {
  return {
    is: 'part',
    atMs,
    node,
    source: 'poll',
    part,
    kind,
    ...told,
    ...(value === undefined ? {} : { value }),
    ...(unit === undefined ? {} : { unit }),
  }
}

function reachEdges(before: readonly string[], reaches: ReadSeries['reaches'], receivedAtMs: number) {
  const silent = new Set(before)
  const signals: BmcSignal[] = []
  for (const { node, atMs, isReached } of [...reaches].sort((a, b) => a.atMs - b.atMs)) {
    if (isReached !== silent.has(node)) continue
    if (isReached) silent.delete(node)
    else silent.add(node)
    signals.push({ is: 'bmc', atMs, receivedAtMs, node, event: isReached ? 'reachable' : 'unreachable' })
  }
  return { silent: [...silent], signals }
}
