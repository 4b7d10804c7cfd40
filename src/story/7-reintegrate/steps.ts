/** Stage 7: OSDs up and PGs clean, the lease released and asserted, maintenance mode off, every guest home. */
import type { Vmid } from '#domain/ids'
import { bringHome } from '../homecoming.ts'
import { releaseLease, waitUntilBack } from '../lease.ts'
import { setLocate } from '../locate.ts'
import { setMaintenanceMode } from '../maintenance-mode.ts'
import { holdWhilePaused, type Story } from '../story.ts'

/** Resolves with the guests that did not come home, each said with its reason. */
export async function reintegrateNode(story: Story, haGuests: boolean): Promise<readonly Vmid[]> {
  await holdWhilePaused(story)
  await waitUntilBack(story, 'reintegrate')
  await releaseLease(story)
  story.heard.upkeep = async () => {}
  await setLocate(story, false)
  if (haGuests) await setMaintenanceMode(story, false)
  return story.input.policy.plan.returnHome ? bringHome(story, haGuests) : []
}
