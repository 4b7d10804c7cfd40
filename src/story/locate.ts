/** The blinking light by which the technician finds the node. It goes out by itself after its interval: asserted again. */
import { perform } from './perform.ts'
import type { Story } from './story.ts'

/** A light that does not obey is said in the journal and stops nothing. */
export async function setLocate(story: Story, on: boolean): Promise<void> {
  const { node } = story.input
  await perform(story, {
    act: { kind: 'set-locate', node, on },
    run: async () => {
      await story.ports.bmc.setLocate(node, on)
      return { is: 'done' }
    },
    ...(on ? { undo: () => setLocate(story, false) } : {}),
  })
}
