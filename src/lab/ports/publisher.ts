/** The Publisher port over the simulated world: pages stay in memory, where the promises read them. */
import { publishPage } from '#lab/world/commands'
import type { LabWorld } from '#lab/world/lab-world'
import type { Publisher } from '#ports/publisher'

export const labPublisher = (lab: LabWorld): Publisher => ({
  publish: async ({ maintenance, customer, html }) => {
    publishPage(lab.state, { maintenance, customer, html })
    return `${maintenance}/${customer}.html`
  },
})
