/** Whether a plan's reasons are as few as can be: by the planner's own proof, and by trying every smaller set of kinds with the solver. */
import type { Plan } from '#domain/plan'
import type { Relaxable } from '#plan/board'
import { placeExactly } from '#plan/exact'
import type { Solver } from '#ports/solver'
import type { Case } from './families.ts'

const REASONS: readonly Relaxable[] = ['memory-short', 'cpu-short', 'storage-short', 'keep-apart', 'keep-together']
export const CROWDED_KINDS: readonly string[] = [...REASONS, 'no-order']
/** Reasons of guests themselves: each has to be lifted, whatever else. */
const OWN = ['guest-not-movable', 'guest-locked', 'passthrough', 'restart-not-allowed']
/** These say nothing of why guests stay. */
const ASIDE = ['reserve-unmet', 'pause-budget', 'stopped-guest-stays']
const LIMIT_MS = 2_000

/** 'more': a smaller set of kinds lets everybody leave. 'not-proved': the plan says so itself. */
export type ReasonVerdict = 'none' | 'fewest' | 'more' | 'not-proved'
export type ReasonFigures = { readonly fewest: number; readonly more: number; readonly notProved: number }

export async function judgeReasons(one: Case, plan: Plan, solver: Solver): Promise<ReasonVerdict> {
  const told = plan.blockers.map(({ kind }) => kind).filter((kind) => !ASIDE.includes(kind) && !OWN.includes(kind))
  if (plan.feasible || told.length === 0) return 'none'
  if (plan.proof?.reasons !== 'fewest') return 'not-proved'
  // Several rules of one kind are one set of kinds; what only the finer problem knows is not judged here.
  const kinds = new Set(told)
  if (![...kinds].every((kind) => REASONS.some((reason) => reason === kind))) return 'fewest'
  for (const set of setsSmallerThan(kinds.size)) {
    const asks = { freedom: 'residents-may-move', goal: 'any', limitMs: LIMIT_MS } as const
    const verdict = await placeExactly(solver, { ...one, relaxed: new Set(set) }, asks)
    if (verdict.is === 'placed') return 'more'
  }
  return 'fewest'
}

function setsSmallerThan(size: number): readonly (readonly Relaxable[])[] {
  const all = Array.from({ length: 2 ** REASONS.length }, (_, bits) => REASONS.filter((_kind, at) => (bits >> at) & 1))
  return all.filter((set) => set.length > 0 && set.length < size)
}

export function reasonFiguresOf(verdicts: readonly ReasonVerdict[]): ReasonFigures {
  const count = (verdict: ReasonVerdict) => verdicts.filter((one) => one === verdict).length
  return { fewest: count('fewest'), more: count('more'), notProved: count('not-proved') }
}
