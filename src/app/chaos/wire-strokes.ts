/** What befalls the control plane in a story over the wire: drawn by the story's seed, a stroke at a time. */
import { drawAt } from '#domain/random'

export const STROKES = [
  /** kill -9 of whoever runs the maintenance; another stands by. */
  'kill',
  /** All of them at once; a new process takes up. */
  'kill-all',
  /** It stands still and its network is gone; another takes over; it wakes. */
  'freeze',
  /** It stands still, and its connections stand open. */
  'freeze-alone',
  /** For a moment only: nobody takes over. */
  'stall',
  /** kill -9 of PostgreSQL. */
  'database-killed',
  'database-away',
  /** Between one worker and PostgreSQL. */
  'database-cut',
  'database-silent',
  /** Between one worker and Proxmox, BMCs, Ceph, mail. */
  'cluster-cut',
  'cluster-silent',
] as const

export type StrokeKind = (typeof STROKES)[number]

export type Stroke = {
  readonly kind: StrokeKind
  /** When the journal has so many rows, and so many real milliseconds later. */
  readonly row: number
  readonly delayMs: number
  readonly forMs: number
}

export type StoryPlan = {
  readonly seed: number
  readonly strokes: readonly Stroke[]
  /** An operator aborts when the journal has so many rows. */
  readonly abortAtRow: number | undefined
}

/** A story writes a few more rows; one that is cut short of strokes has ended before. */
const ROWS = 104
const GAP_ROWS = 11
const DELAY_LIMIT_MS = 400
const KILL_SHARE = 0.72
const ABORTED_ONE_IN = 4
const OTHERS = STROKES.filter((kind) => kind !== 'kill')
/** So many other strokes a story, about: the next story goes on with the next ones. */
const OTHERS_A_STORY = 4
const MINUTE_ONE_IN = 6

const SPAN_MS: Readonly<Record<StrokeKind, readonly [number, number]>> = {
  kill: [0, 0],
  'kill-all': [0, 0],
  freeze: [200, 3_000],
  'freeze-alone': [200, 1_000],
  stall: [200, 3_000],
  'database-killed': [0, 2_000],
  'database-away': [500, 6_000],
  'database-cut': [500, 6_000],
  'database-silent': [500, 2_000],
  'cluster-cut': [200, 2_500],
  'cluster-silent': [500, 2_500],
}

/** Everything about a story but what the machine's own timing does to it. */
export function storyPlan(seed: number): StoryPlan {
  const strokes: Stroke[] = []
  let others = seed * OTHERS_A_STORY
  for (let n = 0, row = 0; ; n++) {
    const draw = (what: string) => drawAt(seed, `wire/${what}`, n)
    row += Math.floor(draw('gap') * GAP_ROWS)
    if (row >= ROWS) break
    const kind = draw('kind') < KILL_SHARE ? 'kill' : (OTHERS[others++ % OTHERS.length] as StrokeKind)
    const [least, most] = SPAN_MS[kind]
    const isMinute = kind === 'database-away' && seed % MINUTE_ONE_IN === 0
    const forMs = isMinute ? 60_000 : Math.round(least + draw('for') * (most - least))
    strokes.push({ kind, row, delayMs: Math.floor(draw('delay') * DELAY_LIMIT_MS), forMs })
  }
  const isAborted = Math.floor(drawAt(seed, 'wire/aborted', 0) * ABORTED_ONE_IN) === 0
  const abortAtRow = isAborted ? Math.floor(drawAt(seed, 'wire/abort-at', 0) * ROWS) : undefined
  return { seed, strokes, abortAtRow }
}

/** The lab's own network, which the maintenance waits for and may give up on. */
export const mayTurnBack = ({ strokes, abortAtRow }: StoryPlan) =>
  abortAtRow !== undefined || strokes.some(({ kind }) => kind.startsWith('cluster'))
