/** What the node is made of: its own word beside the BMC's, recorded before anything is touched. */
import type { Hardware } from '#domain/node'
import { mergeHardware } from '#verify/decide'
import { look, note, type Story } from './story.ts'

/** To compare with afterwards. */
export async function recordHardware(story: Story): Promise<Hardware> {
  const { node } = story.input
  const hardware = await look(story, `the hardware of ${node}`, () => readHardware(story))
  await note(story, { kind: 'hardware-recorded', node, hardware })
  story.heard.hardware = hardware
  return hardware
}

export async function readHardware(story: Story): Promise<Hardware> {
  const { node } = story.input
  return mergeHardware(await story.ports.hypervisor.hardware(node), await story.ports.bmc.hardware(node))
}
