/** A plan's moves on lanes: one lane a stream, so that a schedule is as high as the plan is parallel. */
import type { ClusterObservation } from '#domain/cluster'
import type { Guest } from '#domain/guest'
import type { Move, Plan } from '#domain/plan'

/** Figures are rounded to milliseconds. */
const TOUCHES_S = 0.002

/** Every move is on the first lane that is free when it begins; lanes from top to bottom. */
export function lanesOf(moves: readonly Move[]): readonly (readonly Move[])[] {
  const lanes: Move[][] = []
  for (const move of moves.toSorted((a, b) => a.startsAtS - b.startsAtS || a.guest - b.guest)) {
    const free = lanes.find((lane) => (lane.at(-1)?.endsAtS ?? 0) <= move.startsAtS + TOUCHES_S)
    if (free === undefined) lanes.push([move])
    else free.push(move)
  }
  return lanes
}

/** When each step but the last has ended. */
export function barriersOf({ moves }: Plan): readonly number[] {
  const steps = Map.groupBy(moves, ({ step }) => step)
  const last = Math.max(0, ...steps.keys())
  return [...steps]
    .filter(([step]) => step !== last)
    .map(([, group]) => Math.max(...group.map(({ endsAtS }) => endsAtS)))
    .toSorted((a, b) => a - b)
}

/** Alone on its links in a plan that moves several at once: its guest writes so much that company would cost him a long pause. */
export function isHot(move: Move, { moves, parallelMigrations }: Plan): boolean {
  if (move.mode !== 'live' || parallelMigrations < 2 || move.purpose !== 'drain') return false
  const step = moves.filter((other) => other.step === move.step)
  const before = moves.some((other) => other.step === move.step - 1 && other.from === move.from)
  return before && step.every((other) => other === move || (other.from !== move.from && other.to !== move.to))
}

/** "1:53": minutes and seconds from the plan's beginning. */
export const clockText = (seconds: number): string =>
  `${Math.floor(Math.round(seconds) / 60)}:${String(Math.round(seconds) % 60).padStart(2, '0')}`

export function guestsById({ guests }: ClusterObservation): ReadonlyMap<number, Guest> {
  return new Map(guests.map((guest) => [guest.vmid, guest]))
}

export function isOverBudget({ mode, forecastBlackoutMs }: Move, guest: Guest | undefined): boolean {
  return mode === 'live' && guest?.pauseBudgetMs !== undefined && forecastBlackoutMs > guest.pauseBudgetMs
}

/** What goes over the links: resident memory, unless nobody runs, and disks that one end has to itself. */
export function copiedBytes({ guest: id, from, to, mode }: Move, { guests, nodes }: ClusterObservation): number {
  const guest = guests.find(({ vmid }) => vmid === id)
  const isShared = (node: string, storage: string) =>
    nodes.find(({ name }) => name === node)?.storages.find((one) => one.id === storage)?.shared ?? true
  const disks = (guest?.disks ?? []).filter(({ storage }) => !isShared(from, storage) || !isShared(to, storage))
  return disks.reduce((sum, { bytes }) => sum + bytes, mode === 'offline' ? 0 : (guest?.residentBytes ?? 0))
}
