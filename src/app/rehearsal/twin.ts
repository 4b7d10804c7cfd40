/** A twin: the world that a snapshot tells of, with what no look can know of it drawn from a seed. */
import { drawAt } from '#domain/random'
import type { Snapshot } from '#domain/snapshot'
import type { World, WorldGuest } from '#lab/world/state'
import type { NightOptions } from '../night/play.ts'

export type Twin = Required<Pick<NightOptions, 'snapshot' | 'seed' | 'shape' | 'startAtMs'>>

/** Guests write more or less than when somebody looked: half of the nights within a factor of 1.4, nine in ten within 2.3. */
const DIRTY_SIGMA = 0.5
/** Where nobody measured it: one in twenty writes less than 0.6 MB/s, one in twenty more than 29 MB/s. */
const UNMEASURED_DIRTY_BYTES_PER_SECOND = 4e6
const UNMEASURED_SIGMA = 1.2
const WORKING_SET_SIGMA = 0.3
/** Without a measurement: what the guest dirties in so many seconds. */
const WORKING_SET_FROM_S = 10
const WORKING_SET_TO_S = 60
const WORKING_SET_AT_LEAST_BYTES = 32 * 2 ** 20
/** Of a node's link; other traffic takes its part, and a quiet night leaves a little more than the contracts' 0.88. */
const LINK_SHARE_FROM = 0.65
const LINK_SHARE_TO = 0.92
/** Hands: the median, and how far nights differ. */
const ARRIVES_MEDIAN_MIN = 25
const WORKS_MEDIAN_MIN = 30
const HANDS_SIGMA = 0.5

/**
 * The same snapshot and seed, the same twin. What the story observes is the snapshot, so its plan is the one that the operator reads;
 * what is true differs from it as it does in life: how fast guests write, how much of a link is free, when the hands come. Times of
 * shutdowns, boots and HA's queue are drawn by the world itself from the same seed. `shape` is for a world of this snapshot alone.
 */
export function twinOf(snapshot: Snapshot, seed: number): Twin {
  return {
    snapshot,
    seed,
    startAtMs: snapshot.cluster.observedAtMs,
    shape: (world) => {
      for (const guest of Object.values(world.guests)) shapeGuest(guest, seed)
      shapeNodes(world, seed)
      shapeHands(world, seed)
    },
  }
}

function shapeGuest(guest: WorldGuest, seed: number): void {
  const { vmid, dirtyBytesPerSecond, writableWorkingSetBytes, residentBytes } = guest.spec
  const spread = normalAt(seed, `twin/dirty/${vmid}`)
  guest.dirtyBytesPerSecond =
    dirtyBytesPerSecond === 'unknown'
      ? UNMEASURED_DIRTY_BYTES_PER_SECOND * Math.exp(UNMEASURED_SIGMA * spread)
      : dirtyBytesPerSecond * Math.exp(DIRTY_SIGMA * spread)
  const workingSetBytes =
    writableWorkingSetBytes === 'unknown'
      ? Math.max(
          WORKING_SET_AT_LEAST_BYTES,
          guest.dirtyBytesPerSecond * betweenAt(seed, `twin/working-set/${vmid}`, WORKING_SET_FROM_S, WORKING_SET_TO_S),
        )
      : writableWorkingSetBytes * Math.exp(WORKING_SET_SIGMA * normalAt(seed, `twin/working-set/${vmid}`))
  guest.writableWorkingSetBytes = Math.min(residentBytes, Math.round(workingSetBytes))
}

function shapeNodes({ nodes }: World, seed: number): void {
  for (const node of Object.values(nodes))
    node.linkShare = betweenAt(seed, `twin/link/${node.name}`, LINK_SHARE_FROM, LINK_SHARE_TO)
}

function shapeHands({ technician }: World, seed: number): void {
  technician.arrivesAfterMin = Math.round(ARRIVES_MEDIAN_MIN * Math.exp(HANDS_SIGMA * normalAt(seed, 'twin/arrives')))
  technician.worksMin = Math.round(WORKS_MEDIAN_MIN * Math.exp(HANDS_SIGMA * normalAt(seed, 'twin/works')))
}

const betweenAt = (seed: number, subject: string, low: number, high: number) =>
  low + (high - low) * drawAt(seed, subject, 0)

/** Standard normal, from two draws (Box and Muller 1958). */
function normalAt(seed: number, subject: string): number {
  const radius = Math.sqrt(-2 * Math.log(1 - drawAt(seed, subject, 0)))
  return radius * Math.cos(2 * Math.PI * drawAt(seed, subject, 1))
}
