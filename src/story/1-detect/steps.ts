/** Stage 1: the finding that began it is looked at once more, and written down with its evidence. */
import { DriverError } from '#domain/driver-error'
import { look, note, type Story } from '../story.ts'

export async function confirmFinding(story: Story): Promise<void> {
  const { finding, node } = story.input
  const evidence = await look(story, `the fans of ${node}`, async () => {
    if (finding.class === 'operator') return `${story.input.requestedBy} says so`
    try {
      const fans = await story.ports.bmc.fans(node)
      const low = fans.filter((fan) => fan.state !== 'ok').map((fan) => fan.part)
      if (fans.length === 0) return 'the BMC shows no fans'
      const now = low.length === 0 ? `all ${fans.length} fans run now` : `${low.join(', ')} not in band now`
      return `${now}; an intermittent fault is often quiet when looked at`
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      return `the BMC does not answer now: ${error.message}`
    }
  })
  await note(story, { kind: 'finding-confirmed', finding, evidence })
}
