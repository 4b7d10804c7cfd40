/** Taking back, step by step, until one step says that a person must look first: then the rest stays as it is. */
import { type Story, StoryStuck } from './story.ts'

/** Wraps the undo of a step. After a StoryStuck none of the later ones acts: each says why. */
export function undoing(story: Story, undo: () => Promise<void>): () => Promise<void> {
  return async () => {
    if (story.heard.leftAlone !== undefined) throw new StoryStuck('left as it is')
    try {
      await undo()
    } catch (error) {
      if (error instanceof StoryStuck) story.heard.leftAlone = error.message
      throw error
    }
  }
}
