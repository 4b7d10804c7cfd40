/** The notifier contract over the simulated world: in memory, and behind SMTP with our real driver in front. */
import { smtpNotifier } from '#drivers/smtp/smtp-notifier'
import { labNotifier } from '#lab/ports/notifier'
import { smallLab } from '#lab/testing/small-world'
import { serveSmtp } from '#lab/wire/smtp/serve-smtp'
import type { LabWorld } from '#lab/world/lab-world'
import { notifierContract } from './notifier-contract.ts'

const bench = ({ state }: LabWorld) => ({
  arrived: async () => state.mails,
  failOnce: async () => {
    state.apiFaults.push({ kind: 'api-error', api: 'smtp', rate: 1, status: 503, delayMs: 0, timesLeft: 1 })
  },
})

notifierContract('in the lab’s memory', async () => {
  const lab = smallLab()
  return { ...bench(lab), notifier: labNotifier(lab), close: async () => undefined }
})

notifierContract('the lab’s behind SMTP', async () => {
  const lab = smallLab()
  const sink = await serveSmtp({ lab, onChange: () => undefined })
  const notifier = smtpNotifier({ host: '127.0.0.1', port: sink.port, from: 'coulisse@hoster.example' })
  return { ...bench(lab), notifier, close: () => sink.close() }
})
