/** How much of a plan is proven: by sums and searches of our own, and by an exact solver's word where one was asked. */
import type { PlanProof } from '#domain/plan'
import type { BoardInput, Unit } from './board.ts'
import { type Draft, type Ends, laxly } from './draft.ts'
import type { Left, Why } from './explain.ts'
import type { ReasonSet } from './reasons.ts'
import { isThereNoWay } from './shuffle.ts'

/** What an exact solver found out about the end state; whether an order of moves leads there it does not know. */
export type SolverWord = {
  /** Of a place for every guest that some node would take if it were empty. */
  readonly placement: 'exists' | 'impossible' | 'unanswered' | 'not-asked'
  /** Where everybody should end: proven the best, or the most that can leave. */
  readonly ends?: Ends
  /** Why not all can leave. */
  readonly reasons?: ReasonSet
  /** No placement moves fewer residents, and none where as many leave. */
  readonly leastResidents?: number
  /** Where not all can leave: no placement lets more guests leave. */
  readonly mostLeave?: number
  readonly fullestAtLeastFraction?: number
}

/** Who is left, and what is known of him. */
export function whoIsLeft(input: BoardInput, { board, unplaced, order }: Draft, word: SolverWord | undefined): Left {
  const left = { unplaced, stuck: order.stuck }
  if (word?.reasons !== undefined) return { ...left, proven: word.reasons }
  const isCrowded = (unit: Unit) => board.candidatesOf(unit).length > 0
  if (word?.placement !== 'exists' || ![...unplaced, ...order.stuck].some(isCrowded)) return left
  return { ...left, way: isThereNoWay(laxly(input)) ? 'proven-none' : 'none-found' }
}

export function proofOf(options: {
  readonly feasible: boolean
  readonly moves: readonly { readonly purpose: string; readonly mode: string }[]
  readonly left: Why
  readonly word?: SolverWord
}): PlanProof {
  const { feasible, moves, left, word } = options
  const residents = moves.filter(({ purpose }) => purpose === 'make-room').length
  const leave = moves.filter(({ purpose, mode }) => purpose === 'drain' && mode !== 'offline').length
  const isNeeded = residents <= (word?.leastResidents ?? 0) && leave >= (word?.mostLeave ?? 0)
  const atLeast = word?.fullestAtLeastFraction
  return {
    placement: placementOf(feasible, left, word),
    residents: residents === 0 ? 'none' : isNeeded ? 'needed' : 'not-proved',
    reasons: left.blockers.length === 0 ? 'none' : left.areFewest ? 'fewest' : 'not-proved',
    ...(atLeast === undefined ? {} : { fullestAtLeastFraction: atLeast }),
    solver: word === undefined ? 'not-asked' : word.placement === 'unanswered' ? 'unanswered' : 'answered',
  }
}

function placementOf(feasible: boolean, left: Why, word: SolverWord | undefined): PlanProof['placement'] {
  if (feasible) return 'complete'
  if (left.way === 'proven-none') return 'no-way'
  return left.isCertain || word?.placement === 'impossible' ? 'impossible' : 'not-proved'
}

/** What is only the best that was found, and what is more: for whoever reads the plan. */
export function proofNotes({ placement, residents, reasons, solver }: PlanProof): readonly string[] {
  const why =
    solver === 'not-asked'
      ? 'no exact solver was asked'
      : solver === 'unanswered'
        ? 'the exact solver did not answer in its time'
        : 'the exact solver did not say'
  const notes: string[] = []
  if (placement === 'not-proved') notes.push(`Not proved: that not all guests can leave (${why}).`)
  if (residents === 'not-proved') notes.push(`Not proved: that so many residents have to make room (${why}).`)
  if (residents === 'needed') notes.push('Proved: as many guests leave only if as many residents make room.')
  if (reasons === 'not-proved') notes.push(`Not proved: that no fewer reasons hold the guests that stay (${why}).`)
  return notes
}
