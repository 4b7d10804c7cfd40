/** A notice to people: journalled, sent under a key of its own, and never a reason to stop the story. */
import { DriverError } from '#domain/driver-error'
import { perform } from './perform.ts'
import type { Story } from './story.ts'

export async function notify(
  story: Story,
  notice: { readonly audience: 'operator' | 'technician'; readonly subject: string; readonly text: string },
): Promise<void> {
  const { notifier } = story.ports
  const to = await addressOf(story, notice.audience)
  if (to === null) return
  const { audience, subject, text } = notice
  const outcome = await perform(story, {
    act: { kind: 'notify', audience, subject },
    run: async ({ key }) => {
      await notifier.send({ key, to, subject, text })
      return { is: 'done' }
    },
  })
  // His page shows it all the same, to whoever calls him.
  if (outcome.is === 'failed' && audience === 'technician') {
    const told = `No mail reaches ${to}: ${outcome.text}\n\nCall the technician. He was to read:\n\n${text}`
    await notify(story, { audience: 'operator', subject: `not delivered to the technician: ${subject}`, text: told })
  }
}

/** Recorded: another address in the configuration of the next process makes no other story. */
async function addressOf(story: Story, audience: 'operator' | 'technician'): Promise<string | null> {
  const { inventory } = story.ports
  try {
    return await story.saga.step(`the ${audience}’s address`, async () => {
      const address = audience === 'operator' ? inventory.operatorMail : inventory.technicianMail
      return address ?? null
    })
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return null
  }
}
