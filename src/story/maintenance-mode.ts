/** Proxmox HA's maintenance mode for the node: set before the first move, kept through repair and verify. */
import { insist } from './perform.ts'
import type { Story } from './story.ts'

export async function setMaintenanceMode(story: Story, on: boolean): Promise<void> {
  const { hypervisor } = story.ports
  const { node } = story.input
  await insist(story, {
    act: { kind: 'set-maintenance-mode', node, on },
    run: async () => {
      const before = await hypervisor.maintenanceMode(node)
      if (before === (on ? 'on' : 'off')) return { is: 'already' }
      if (before === 'unavailable') return { is: 'done', text: 'not available here; HA may pull guests back too early' }
      await hypervisor.setMaintenanceMode(node, on)
      return { is: 'done' }
    },
    ...(on ? { undo: () => setMaintenanceMode(story, false) } : {}),
  })
}
