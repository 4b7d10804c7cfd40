/** The Probe port over the simulated world: readings are computed from what happened, when they are asked for. */
import type { LabWorld } from '#lab/world/lab-world'
import { probeReading } from '#lab/world/queries'
import type { Probe } from '#ports/probe'
import { look } from './ask.ts'

export const labProbe = (lab: LabWorld): Probe => ({
  read: async ({ guests, fromMs, toMs }) =>
    look(lab, { api: 'probe', path: '/probe', doing: 'read the prober' }, () =>
      guests.map((guest) => probeReading(lab.state, { guest, fromMs, toMs })),
    ),
})
