/** Plays a drawn night and says which promises it broke, how many events it had, and the hash of its log. */
import { createHash } from 'node:crypto'
import type { JournalRow } from '#domain/event'
import type { LabWorld } from '#lab/world/lab-world'
import { type NightResult, playNight } from '../night/play.ts'
import { type DrawnNight, nightOptions } from './drawn-night.ts'
import { type Breach, leftovers, notLively } from './liveness.ts'

export type NightOutcome = {
  readonly seed: number
  readonly endings: readonly string[]
  readonly broken: readonly Breach[]
  readonly eventCount: number
  /** Over every row of the journal, in the order in which they were written. */
  readonly hash: string
  readonly wallMs: number
  readonly worldMs: number
}

/** Pauses and partners are looked at up to ten minutes later. */
const SETTLE_MS = 15 * 60_000

export type Played = { readonly outcome: NightOutcome; readonly night: NightResult | undefined }

/** Never throws: a night that cannot be played to its end has broken liveness. */
export async function playDrawn(
  drawn: DrawnNight,
  onRow: (row: JournalRow, lab: LabWorld) => void = () => {},
): Promise<Played> {
  const beganMs = performance.now()
  const hash = createHash('sha256')
  const left: Breach[] = []
  const look = leftovers()
  let rowCount = 0
  let lab: LabWorld | undefined
  const hear = (row: JournalRow, at: LabWorld) => {
    rowCount++
    lab = at
    hash.update(row.hash)
    left.push(...look(row, at))
    onRow(row, at)
  }
  let night: NightResult | undefined
  const broken: Breach[] = []
  try {
    night = await playNight({ ...nightOptions(drawn), settleMs: SETTLE_MS, skipsBadFaults: true, onRow: hear })
    broken.push(...notLively(night))
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    broken.push({ promise: 'liveness', event: lab?.state.changeCount ?? 0, atMs: lab?.state.nowMs ?? 0, text })
  }
  const state = lab?.state
  broken.unshift(...(state?.brokenPromises ?? []).map(({ event = 0, ...rest }) => ({ ...rest, event })), ...left)
  const outcome: NightOutcome = {
    seed: drawn.seed,
    endings: night?.maintenances.map(({ ending }) => ending) ?? [],
    broken,
    eventCount: rowCount + (state?.changeCount ?? 0),
    hash: hash.digest('hex'),
    wallMs: performance.now() - beganMs,
    worldMs: state === undefined ? 0 : state.nowMs - state.startedAtMs,
  }
  return { outcome, night }
}
