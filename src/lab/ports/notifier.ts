/** The Notifier port over the simulated world: mails land in a sink that drops the second of one key. */
import { sendMail } from '#lab/world/commands'
import type { LabWorld } from '#lab/world/lab-world'
import type { Notifier } from '#ports/notifier'
import { ask } from './ask.ts'

export const labNotifier = (lab: LabWorld): Notifier => ({
  send: async (notice) => {
    ask(lab, { api: 'smtp', method: 'PUT', path: `/mail/${notice.to}`, doing: `mail "${notice.subject}"` }, () =>
      sendMail(lab.state, { ...notice }),
    )
  },
})
