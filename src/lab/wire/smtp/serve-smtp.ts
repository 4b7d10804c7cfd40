/** The lab's mail server: mails land in the simulated world, and the faults of the way strike them. */
import * as commands from '#lab/world/commands'
import type { LabWorld } from '#lab/world/lab-world'
import { consultApi } from '#lab/world/queries'
import { type SmtpSink, type SunkMail, startSmtpSink, type Verdict } from './smtp-sink.ts'

export type SmtpOptions = { readonly lab: LabWorld; readonly onChange: () => void; readonly port?: number }

export function serveSmtp({ lab, onChange, port }: SmtpOptions): Promise<SmtpSink> {
  return startSmtpSink({ ...(port === undefined ? {} : { port }), onMail: (mail) => take(lab, onChange, mail) })
}

function take(lab: LabWorld, onChange: () => void, mail: SunkMail): Verdict {
  const verdict = consultApi(lab.state, { api: 'smtp', method: 'POST', path: `/mail/${mail.to}` })
  if (verdict.is === 'error') return { code: 451, text: `4.3.0 ${verdict.text}` }
  const { key, to, subject, text, html } = mail
  const answer = commands.sendMail(lab.state, { key, to, subject, text, ...(html === undefined ? {} : { html }) })
  onChange()
  if (answer.is === 'refused') return { code: answer.status, text: answer.text }
  return verdict.is === 'answer-lost' ? 'drop' : 'taken'
}
