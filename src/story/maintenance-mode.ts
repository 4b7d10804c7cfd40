/** Proxmox HA's maintenance mode for the node: set before the first move, kept through repair and verify. */
import type { Blocker } from '#domain/blocker'
import { passGate } from './gate.ts'
import { insist } from './perform.ts'
import { look, note, pass, type Story } from './story.ts'

/** The CRM takes a wish up within one cycle (10 s), and tells of it in the next. */
const OBEYS_WITHIN_MS = 60_000
const LOOK_EVERY_MS = 5_000

/** Set and proven; where it cannot be set, an approver has lifted that by name before, and it is said. */
export async function setMaintenanceMode(story: Story, on: boolean): Promise<void> {
  const { hypervisor } = story.ports
  const { node } = story.input
  const before = await look(story, 'maintenance mode', () => hypervisor.maintenanceMode(node))
  if (before === 'unavailable') {
    const text = 'HA maintenance mode cannot be set here: HA may bring guests back before the node is proven'
    if (on) await note(story, { kind: 'said', text, about: node })
    if (on || !story.heard.isModeOurs) return
    await waitUntilAvailable(story)
  }
  story.heard.isModeOurs = on
  await insist(story, {
    act: { kind: 'set-maintenance-mode', node, on },
    run: async () => {
      // A wish to switch it on that HA has not taken up yet shows as 'off': switched off in any case.
      if (on && (await hypervisor.maintenanceMode(node)) === 'on') return { is: 'already' }
      await hypervisor.setMaintenanceMode(node, on)
      return { is: 'done' }
    },
    ...(on ? { undo: () => setMaintenanceMode(story, false) } : {}),
  })
  await proveSwitched(story, on)
}

/** What we switched on is switched off before the node counts as back: HA leaves it empty for ever else. */
async function waitUntilAvailable(story: Story): Promise<void> {
  const { node } = story.input
  const ask = async (): Promise<readonly Blocker[]> => {
    if ((await story.ports.hypervisor.maintenanceMode(node)) !== 'unavailable') return []
    const text = `${node} is in HA maintenance mode still, and there is no way to switch it off`
    return [{ kind: 'node-not-back', node, text, lifts: `ha-manager crm-command node-maintenance disable ${node}` }]
  }
  await passGate(story, { stage: story.heard.stage, ask })
}

async function proveSwitched(story: Story, on: boolean): Promise<void> {
  const { hypervisor } = story.ports
  const { node } = story.input
  const wanted = on ? 'on' : 'off'
  const untilMs = (await story.saga.nowMs()) + OBEYS_WITHIN_MS
  for (let nowMs = 0; nowMs < untilMs; nowMs = await story.saga.nowMs()) {
    if ((await look(story, 'maintenance mode', () => hypervisor.maintenanceMode(node))) === wanted) return
    await pass(story, LOOK_EVERY_MS)
  }
  const ask = async (): Promise<readonly Blocker[]> => {
    const now = await hypervisor.maintenanceMode(node)
    if (now === wanted) return []
    const text = `maintenance mode of ${node} was asked to be ${wanted}, and HA says ${now}`
    const lifts = `ha-manager crm-command node-maintenance ${on ? 'enable' : 'disable'} ${node}, or an approver lifts it`
    return [{ kind: 'maintenance-mode-unavailable', node, text, lifts }]
  }
  await passGate(story, { stage: story.heard.stage, ask })
}
