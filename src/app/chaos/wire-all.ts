/** Stories over the wire, one after the other, until the control plane was killed often enough; and their figures. */
import { playWireStory, type StoryEars, type WireStory } from './wire-story.ts'

export type WireFigures = {
  readonly stories: number
  readonly kills: number
  readonly strokes: Readonly<Record<string, number>>
  readonly endings: Readonly<Record<string, number>>
  readonly broken: number
  /** From a kill to the first step of another worker, where the victim had something to lose. */
  readonly takeover: {
    readonly count: number
    readonly medianMs: number | undefined
    readonly p95Ms: number | undefined
  }
  readonly wallS: number
}

/** Stories that end before their strokes do have few kills each; beyond this something is wrong. */
const KILLS_A_STORY_AT_LEAST = 4

/** The stories of `seed`, `seed + 1` …; what was broken is in each of them. */
export async function playWireChaos(
  options: { readonly seed: number; readonly kills: number; readonly onStory: (story: WireStory) => void } & StoryEars,
): Promise<readonly WireStory[]> {
  const stories: WireStory[] = []
  const limit = Math.ceil(options.kills / KILLS_A_STORY_AT_LEAST)
  while (killsIn(stories) < options.kills && stories.length < limit) {
    const story = await playWireStory(options.seed + stories.length, options)
    stories.push(story)
    options.onStory(story)
  }
  return stories
}

const killsIn = (stories: readonly WireStory[]) =>
  stories.flatMap(({ strokes }) => strokes).reduce((sum, { kills }) => sum + kills, 0)

export function wireFigures(stories: readonly WireStory[]): WireFigures {
  const all = stories.flatMap((story) => story.strokes)
  const takeovers = all
    .flatMap(({ kind, takeoverMs }) => (kind === 'kill' && takeoverMs !== undefined ? [takeoverMs] : []))
    .sort((a, b) => a - b)
  const at = (share: number) => takeovers[Math.min(takeovers.length - 1, Math.floor(takeovers.length * share))]
  return {
    stories: stories.length,
    kills: killsIn(stories),
    strokes: countOf(all.map(({ kind }) => kind)),
    endings: countOf(stories.map(({ ending }) => ending)),
    broken: stories.reduce((sum, story) => sum + story.broken.length, 0),
    takeover: { count: takeovers.length, medianMs: at(0.5), p95Ms: at(0.95) },
    wallS: Math.round(stories.reduce((sum, { wallMs }) => sum + wallMs, 0) / 1000),
  }
}

function countOf(names: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
