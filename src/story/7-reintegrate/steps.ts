/** Stage 7: OSDs up and PGs clean, the lease released and asserted, maintenance mode off, every guest home. */
import type { Origin } from '#domain/event'
import { bringHome } from '../homecoming.ts'
import { releaseLease, waitUntilBack } from '../lease.ts'
import { setLocate } from '../locate.ts'
import { setMaintenanceMode } from '../maintenance-mode.ts'
import type { Story } from '../story.ts'

export async function reintegrateNode(story: Story, origins: readonly Origin[], haGuests: boolean): Promise<void> {
  await waitUntilBack(story, 'reintegrate')
  await releaseLease(story)
  story.heard.keepUp = async () => {}
  await setLocate(story, false)
  if (haGuests) await setMaintenanceMode(story, false)
  if (story.input.policy.plan.returnHome) await bringHome(story, origins, haGuests)
}
