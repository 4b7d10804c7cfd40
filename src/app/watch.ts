/** The watch: signals of every BMC, through the detector, into findings; and a maintenance where a finding advises a drain. */

import { newDetector, observeSignals } from '#detect/decide'
import type { DetectorState } from '#detect/state'
import { DriverError } from '#domain/driver-error'
import type { Finding } from '#domain/finding'
import type { NodeName } from '#domain/ids'
import type { Json } from '#domain/json'
import type { Signal } from '#domain/signal'
import type { Bmc } from '#ports/bmc'
import type { Clock } from '#ports/clock'

/** What survives a restart: the detector's memory and how far each log was read, written together. */
export type WatchState = {
  readonly detector: DetectorState
  readonly cursors: Readonly<Record<string, string>>
  /** The present finding of each part. */
  readonly findings: Readonly<Record<string, Finding>>
  /** Findings that were dealt with, by part and time: a crash between finding and dealing loses none. */
  readonly handled: Readonly<Record<string, number>>
}

export type WatchStore = { load(): Promise<WatchState | undefined>; save(state: WatchState): Promise<void> }

export type Watch = {
  readonly nodes: readonly NodeName[]
  readonly bmc: Bmc
  readonly clock: Clock
  readonly store: WatchStore
  readonly everyMs: number
  /** Called for every new finding after it is stored, again each round until it says true. May be called twice. */
  readonly onFinding: (finding: Finding) => Promise<boolean>
  readonly log: (text: string) => void
}

export const newWatchState = (): WatchState => ({ detector: newDetector(), cursors: {}, findings: {}, handled: {} })

/** One round over all BMCs. A restart in the middle of it reads the same records again, which the detector knows. */
export async function watchOnce(watch: Watch, before: WatchState): Promise<WatchState> {
  const signals: Signal[] = []
  const cursors: Record<string, string> = { ...before.cursors }
  for (const node of watch.nodes) {
    try {
      const read = await watch.bmc.signals(node, cursors[node] ?? '')
      signals.push(...read.signals)
      cursors[node] = read.cursor
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      watch.log(`the BMC of ${node} was not read: ${error.message}`)
    }
  }
  const nowMs = await watch.clock.nowMs()
  const { state, findings } = observeSignals(before.detector, signals, nowMs)
  const present: Record<string, Finding> = { ...before.findings }
  for (const finding of findings) present[`${finding.node}/${finding.part}`] = finding
  const after: WatchState = { detector: state, cursors, findings: present, handled: before.handled }
  await watch.store.save(after)
  return dealWithFindings(watch, after)
}

/** What was refused (another maintenance runs) is asked again each round, and begins when its turn has come. */
async function dealWithFindings(watch: Watch, state: WatchState): Promise<WatchState> {
  const handled = { ...state.handled }
  const open = Object.entries(state.findings).filter(([part, finding]) => handled[part] !== finding.atMs)
  for (const [part, finding] of open) if (await watch.onFinding(finding)) handled[part] = finding.atMs
  const after = { ...state, handled }
  if (Object.keys(handled).some((part) => handled[part] !== state.handled[part])) await watch.store.save(after)
  return after
}

/** Until `signal`. A database or a network that is away for a while costs rounds, not the watch. */
export async function runWatch(watch: Watch, signal: AbortSignal): Promise<void> {
  let state: WatchState | undefined
  while (!signal.aborted) {
    try {
      state ??= (await watch.store.load()) ?? newWatchState()
      state = await watchOnce(watch, state)
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      watch.log(`a round of the watch failed: ${error.message}`)
      state = undefined
    }
    await watch.clock.sleepUntil((await watch.clock.nowMs()) + watch.everyMs)
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
