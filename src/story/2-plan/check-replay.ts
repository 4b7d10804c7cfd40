/** The checker replays steps: every move judged alone, then all of a step together while they run, then what they leave. */
import type { NodeName } from '#domain/ids'
import type { Move, Violation } from '#domain/plan'
import { checkMove } from './check-move.ts'
import type { CheckWorld } from './check-world.ts'

/** `repaired`: nodes that take guests again although the observation has them drained. */
export type Ways = { readonly drain: readonly NodeName[]; readonly repaired?: readonly NodeName[] }

export function stepsOf<M extends Pick<Move, 'step'>>(moves: readonly M[]): readonly (readonly M[])[] {
  const steps = Map.groupBy(moves, ({ step }) => step)
  return [...steps.entries()].toSorted(([a], [b]) => a - b).map(([, group]) => group)
}

/** What can be replayed is replayed, also after a violation: the world goes on as the plan says. */
export function replayStep(world: CheckWorld, moves: readonly Move[], ways: Ways): readonly Violation[] {
  const violations: Violation[] = []
  const atStep = moves[0]?.step ?? 0
  const legal: Move[] = []
  const seen = new Set<number>()
  for (const move of moves) {
    if (seen.has(move.guest)) {
      const text = `guest ${move.guest} moves twice in step ${atStep}`
      violations.push({ kind: 'moved-twice', guest: move.guest, atStep, text })
      continue
    }
    seen.add(move.guest)
    violations.push(...checkMove(world, { move, ...ways }))
    if (world.hasGuest(move.guest) && world.hasNode(move.to)) legal.push(move)
  }
  violations.push(...world.checkWhileMoving(legal, atStep))
  world.apply(legal)
  violations.push(...world.checkAfter(atStep))
  return violations
}
