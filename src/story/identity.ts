/** The BMC's word of itself beside the node's own DMI. A BMC that is silent proves nothing. */
import { DriverError } from '#domain/driver-error'
import type { IdentityProof } from './conditions/who.ts'
import type { Story } from './story.ts'

export async function proveIdentity(story: Story): Promise<IdentityProof> {
  const { bmc, inventory } = story.ports
  const { node } = story.input
  try {
    return { is: 'answered', bmc: await bmc.identity(node), dmi: await inventory.dmi(node) }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return { is: 'silent', text: error.message }
  }
}
