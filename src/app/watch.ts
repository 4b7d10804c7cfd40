/** The watch: signals of every BMC, through the detector, into findings; and a maintenance where a finding advises a drain. */
import { setTimeout as realSleep } from 'node:timers/promises'
import { clearPart, newDetector, observeSignals, recordVerdict, takeUpDetector } from '#detect/decide'
import type { DetectorState } from '#detect/state'
import { DriverError } from '#domain/driver-error'
import type { JournalRow } from '#domain/event'
import type { Finding } from '#domain/finding'
import type { MaintenanceId, NodeName } from '#domain/ids'
import type { Json } from '#domain/json'
import type { WorkOrderAnswer } from '#domain/maintenance'
import { viewOf } from '#domain/view'
import type { Clock } from '#ports/clock'
import type { SignalSource } from '#ports/signal-source'
import type { BmcPoller } from './poll-bmcs.ts'
import type { WakeUps } from './wake-ups.ts'
import { readSources } from './watch-sources.ts'

/** What survives a restart: the detector's memory and how far each log was read, written together. */
export type WatchState = {
  readonly detector: DetectorState
  readonly cursors: Readonly<Record<string, string>>
  /** The present finding of each part. */
  readonly findings: Readonly<Record<string, Finding>>
  /** Findings that were dealt with, by part and time: a crash between finding and dealing loses none. */
  readonly handled: Readonly<Record<string, number>>
  /** Ended maintenances whose outcome the detector has been told. Absent in states written before there was this. */
  readonly settled?: readonly MaintenanceId[]
}

/** What the watch must know of a maintenance, running or ended. */
export type WatchedMaintenance = {
  readonly id: MaintenanceId
  readonly node: NodeName
  /** The part whose finding began it. */
  readonly part: string
  readonly openedAtMs: number
  readonly state:
    | { readonly is: 'running' }
    /** `isVerified`: the node was proven healthy after the last repair. `outcomes`: what each technician answered. */
    | { readonly is: 'ended'; readonly isVerified: boolean; readonly outcomes: readonly WorkOrderAnswer['outcome'][] }
}

export type WatchStore = { load(): Promise<WatchState | undefined>; save(state: WatchState): Promise<void> }

export type Watch = {
  readonly nodes: readonly NodeName[]
  readonly poller: BmcPoller
  /** Who is looked at between two rounds, because something happened there. Absent: nobody. */
  readonly woken?: WakeUps
  readonly clock: Clock
  readonly store: WatchStore
  readonly everyMs: number
  /** Who knows of many nodes at once, besides their BMCs. */
  readonly sources?: readonly SignalSource[]
  /** Called for every new finding after it is stored, again each round until it says true. May be called twice. */
  readonly onFinding: (finding: Finding) => Promise<boolean>
  /** All maintenances but those in `settled`. Absent: there are none to heed. */
  readonly maintenances?: (settled: readonly MaintenanceId[]) => Promise<readonly WatchedMaintenance[]>
  readonly log: (text: string) => void
}

/** Folded from a journal that has at least its first row. A refused start ended before anything was touched: it proves nothing. */
export function watchedMaintenance(rows: readonly JournalRow[]): WatchedMaintenance {
  const { id, node, finding, openedAtMs, ended, verification, workOrders } = viewOf(rows)
  return {
    id,
    node,
    part: finding.part,
    openedAtMs,
    state:
      ended === undefined
        ? { is: 'running' }
        : {
            is: 'ended',
            isVerified: ended.ending === 'done' && verification.is === 'verified',
            outcomes: workOrders.flatMap(({ answer }) => answer?.outcome ?? []),
          },
  }
}

export const newWatchState = (): WatchState => ({
  detector: newDetector(),
  cursors: {},
  findings: {},
  handled: {},
  settled: [],
})

/** The detector of an older version begins anew; cursors and findings stay. */
const takenUp = (stored: WatchState | undefined): WatchState =>
  stored === undefined ? newWatchState() : { ...stored, detector: takeUpDetector(stored.detector) }

/**
 * One round over all BMCs and sources, or over these BMCs alone. A restart in the middle of it reads the same records again, which
 * the detector knows.
 */
export async function watchOnce(watch: Watch, before: WatchState, woken?: readonly NodeName[]): Promise<WatchState> {
  // Asked before the logs are read: whatever is settled below has all its records behind it.
  const maintenances = (await watch.maintenances?.(before.settled ?? [])) ?? []
  const reads = await watch.poller.round(woken ?? watch.nodes, before.cursors)
  const logs = {
    // In the order of the nodes, then of time: the same logs are the same stream.
    signals: reads.flatMap((read) => read.signals).sort((a, b) => a.receivedAtMs - b.receivedAtMs),
    cursors: { ...before.cursors, ...Object.fromEntries(reads.map(({ node, cursor }) => [node, cursor])) },
  }
  const sources = woken === undefined ? watch.sources : []
  const { signals, cursors, stored } = await readSources({ sources, log: watch.log }, logs)
  const nowMs = await watch.clock.nowMs()
  const { state, findings } = observeSignals(before.detector, signals, nowMs)
  const seen = { ...before, detector: state, cursors, findings: withFindings(before.findings, findings) }
  const after = maintenances.reduce((told, one) => settle(told, one, nowMs), seen)
  await watch.store.save(after)
  await stored()
  const busy = new Set(maintenances.filter(({ state }) => state.is === 'running').map(({ node }) => node))
  return dealWithFindings(watch, after, busy)
}

function withFindings(present: WatchState['findings'], news: readonly Finding[]): WatchState['findings'] {
  return { ...present, ...Object.fromEntries(news.map((finding) => [`${finding.node}/${finding.part}`, finding])) }
}

/**
 * What a maintenance proved, told to the detector once: the part that began it is healthy, and so is what made itself heard while
 * the node was switched off, opened and started. Without that proof every level stands. Verdicts count in any case.
 */
function settle(state: WatchState, one: WatchedMaintenance, nowMs: number): WatchState {
  if (one.state.is === 'running') return state
  const settled = { ...state, settled: [...(state.settled ?? []), one.id] }
  const [verdict] = one.state.outcomes.filter((outcome) => outcome !== 'cannot').slice(-1)
  const counted =
    verdict === undefined
      ? settled
      : {
          ...settled,
          detector: recordVerdict(settled.detector, verdict === 'repaired' ? 'real' : 'nothing-found', one),
        }
  if (!one.state.isVerified) return counted
  const raisedMeanwhile = Object.values(state.findings)
    .filter(({ node, atMs, cleared }) => node === one.node && atMs >= one.openedAtMs && cleared !== true)
    .map(({ part }) => part)
  let { detector, findings } = counted
  for (const part of new Set([one.part, ...raisedMeanwhile])) {
    const cleared = clearPart(detector, one.node, part, nowMs)
    detector = cleared.state
    findings = withFindings(findings, cleared.findings)
  }
  return { ...counted, detector, findings }
}

/**
 * What was refused (another maintenance runs) is asked again each round, and begins when its turn has come. On a node whose
 * maintenance runs nothing begins: what its own switching off raised is judged when it has ended.
 */
async function dealWithFindings(watch: Watch, state: WatchState, busy: ReadonlySet<NodeName>): Promise<WatchState> {
  const handled = { ...state.handled }
  const open = Object.entries(state.findings).filter(
    ([part, finding]) => handled[part] !== finding.atMs && !busy.has(finding.node),
  )
  for (const [part, finding] of open) if (await watch.onFinding(finding)) handled[part] = finding.atMs
  const after = { ...state, handled }
  if (Object.keys(handled).some((part) => handled[part] !== state.handled[part])) await watch.store.save(after)
  return after
}

/** Real time: also the clock itself may be what does not answer. */
const FAILED_ROUND_PAUSE_MS = 1_000

/** Until `signal`. A database or a network that is away for a while costs rounds, not the watch. */
export async function runWatch(watch: Watch, signal: AbortSignal): Promise<void> {
  const { clock, woken } = watch
  let state: WatchState | undefined
  let roundAtMs = Number.NEGATIVE_INFINITY
  while (!signal.aborted) {
    try {
      state ??= takenUp(await watch.store.load())
      const wokenNodes = woken?.take() ?? []
      if ((await clock.nowMs()) >= roundAtMs) {
        state = await watchOnce(watch, state)
        roundAtMs = (await clock.nowMs()) + watch.everyMs
      } else if (wokenNodes.length > 0) {
        state = await watchOnce(watch, state, wokenNodes)
      }
      await clock.sleepUntil(roundAtMs, woken === undefined ? signal : AbortSignal.any([signal, woken.signal()]))
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      if (signal.aborted) return
      watch.log(`a round of the watch failed: ${error.message}`)
      state = undefined
      roundAtMs = Number.NEGATIVE_INFINITY
      await realSleep(FAILED_ROUND_PAUSE_MS, undefined, { signal }).catch(() => {})
    }
  }
}

/** A finding that asks for hands. The level below is shown, and nothing is started for it. */
export const asksForMaintenance = (finding: Finding) =>
  finding.cleared !== true && (finding.level === 'drain-advised' || finding.level === 'drain-now')

/** The watch's state under one key of a document store. */
export function documentStore(documents: {
  get<T extends Json>(key: string): Promise<T | undefined>
  put(key: string, value: Json): Promise<void>
}): WatchStore {
  return {
    load: async () => (await documents.get<Json>('watch')) as unknown as WatchState | undefined,
    save: (state) => documents.put('watch', state as unknown as Json),
  }
}
