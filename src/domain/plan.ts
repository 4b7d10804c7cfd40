/** A plan: immutable, complete, naming the observation it came from. Nothing is left to choose while executing. */
import type { Blocker } from './blocker.ts'
import type { NodeName, PlanId, Vmid } from './ids.ts'

export type MoveMode = 'live' | 'restart' | 'offline'
export type MovePurpose = 'drain' | 'make-room' | 'park'

export type Move = {
  /** An order barrier, not a batch: a step begins when the one before has ended. From 1. */
  readonly step: number
  readonly guest: Vmid
  readonly from: NodeName
  readonly to: NodeName
  readonly mode: MoveMode
  readonly purpose: MovePurpose
  /** Forecast, from the plan's own start. */
  readonly startsAtS: number
  readonly endsAtS: number
  /** 0 only for offline moves of stopped guests: nobody runs, nobody is paused. */
  readonly forecastBlackoutMs: number
}

export type Stay = { readonly guest: Vmid; readonly reason: string; readonly text: string }

export type HomeMove = {
  readonly guest: Vmid
  readonly from: NodeName
  readonly to: NodeName
  readonly mode: MoveMode
}

/** The way home as it is executed: steps and forecast as in a plan, and who stays where he is, with the reason. */
export type HomePlan = {
  readonly moves: readonly (HomeMove & {
    readonly step: number
    readonly startsAtS: number
    readonly endsAtS: number
    readonly forecastBlackoutMs: number
  })[]
  readonly stays: readonly Stay[]
  readonly parallelMigrations: number
  readonly makespanS: number
}

/**
 * What was over a limit or broke a rule before anything was moved: that may be so again when everybody is home. A node's load counts
 * only while the node is at least as large as it was.
 */
export type BrokenBefore = {
  readonly nodes: readonly {
    readonly node: NodeName
    /** Host and running guests, and of how much. */
    readonly loadBytes: number
    readonly memoryBytes: number
    readonly loadCores: number
    readonly cpuCores: number
  }[]
  /** Pairs of a strict keep-apart rule that ran on one node. */
  readonly together: readonly (readonly [Vmid, Vmid])[]
  /** Pairs of a strict keep-together rule that ran on two. */
  readonly apart: readonly (readonly [Vmid, Vmid])[]
}

/** The constants behind the forecast. */
export type ForecastModel = {
  readonly streamBitsPerSecond: number
  readonly fixedSecondsPerMove: number
  readonly source: string
}

/** 8.8 Gbit/s a stream and 2 s a move where nothing was measured (contracts). */
export const DEFAULT_FORECAST_MODEL: ForecastModel = {
  streamBitsPerSecond: 8.8e9,
  fixedSecondsPerMove: 2,
  source: 'default: nothing measured yet',
}

/** How much of the plan is proven, where it is not simply all that anybody could wish for. */
export type PlanProof = {
  /**
   * complete: every running guest leaves. impossible: proven that not all can. no-way: an end state exists, and it is proven that no order
   * of moves leads there. not-proved: nobody knows more than that none was found.
   */
  readonly placement: 'complete' | 'impossible' | 'no-way' | 'not-proved'
  /** none: nobody moves who does not leave anyway. needed: proven that it does not go without. */
  readonly residents: 'none' | 'needed' | 'not-proved'
  /** fewest: proven that no fewer blockers explain who stays. */
  readonly reasons: 'none' | 'fewest' | 'not-proved'
  /** Proven: however the guests that leave are placed, some node is at least so full. Absent where it was not asked. */
  readonly fullestAtLeastFraction?: number
  /** Whether an exact solver answered; without one only what sums and searches prove is proven. */
  readonly solver: 'answered' | 'unanswered' | 'not-asked'
}

export type Plan = {
  readonly id: PlanId
  readonly parent?: PlanId
  readonly revision: number
  readonly observedAtMs: number
  readonly drain: readonly NodeName[]
  /** No running guest is left on a drained node. */
  readonly feasible: boolean
  readonly moves: readonly Move[]
  readonly stays: readonly Stay[]
  readonly makespanS: number
  /** Certified, from the observation alone: no plan whatever drains faster. */
  readonly lowerBoundS: number
  readonly bytesMoved: number
  readonly parallelMigrations: number
  readonly model: ForecastModel
  readonly after: readonly {
    readonly node: NodeName
    readonly memoryAllocatedFraction: number
    readonly cpuAllocatedFraction: number
  }[]
  readonly spare: { readonly nodesThatMayFail: number }
  /** Absent in plans of people, and of before there were proofs. */
  readonly proof?: PlanProof
  /** What was over a limit or against a strict rule before anything moved; the plan makes none of it worse. */
  readonly brokenBefore?: readonly Violation[]
  readonly blockers: readonly Blocker[]
  /** What the operator should read before he approves, and nothing that stops the plan. */
  readonly notes: readonly string[]
  readonly wayHome: readonly HomeMove[]
}

/** What the independent checker found wrong; none means that the plan keeps every rule at every instant. */
export type Violation = {
  readonly kind: string
  readonly guest?: Vmid
  readonly node?: NodeName
  readonly atStep?: number
  readonly text: string
}
