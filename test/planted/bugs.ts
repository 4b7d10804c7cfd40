/** All planted bugs, and a part of them by chance. */
import { drawAt } from '../../src/domain/random.ts'
import type { PlantedBug } from './bug.ts'
import { OTHER_BUGS } from './other-bugs.ts'
import { STORY_BUGS } from './story-bugs.ts'

export const BUGS: readonly PlantedBug[] = [...STORY_BUGS, ...OTHER_BUGS]

/** Others each day, the same for a seed. */
export const seededSample = (seed: number, count: number): readonly PlantedBug[] =>
  BUGS.map((bug) => ({ bug, draw: drawAt(seed, bug.id, 0) }))
    .sort((a, b) => a.draw - b.draw)
    .slice(0, count)
    .map(({ bug }) => bug)
