/** A notice to people: journalled, sent under a key of its own, and never a reason to stop the story. */
import { perform } from './perform.ts'
import { look, type Story } from './story.ts'

export async function notify(
  story: Story,
  notice: { readonly audience: 'operator' | 'technician'; readonly subject: string; readonly text: string },
): Promise<void> {
  const { inventory, notifier } = story.ports
  const to = await look(story, `the ${notice.audience}’s address`, async () => {
    const address = notice.audience === 'operator' ? inventory.operatorMail : inventory.technicianMail
    return address ?? null
  })
  if (to === null) return
  const { audience, subject, text } = notice
  await perform(story, {
    act: { kind: 'notify', audience, subject },
    run: async ({ key }) => {
      await notifier.send({ key, to, subject, text })
      return { is: 'done' }
    },
  })
}
