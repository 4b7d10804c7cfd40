/** What the doctor sees of the mail server: a connection, TLS where it is offered, a sign-in where one is configured; no mail. */
import type { Check } from '#domain/check'
import { DriverError } from '#domain/driver-error'
import { type SmtpConfig, verifySmtp } from './smtp-notifier.ts'

export async function examineSmtp(config: SmtpConfig): Promise<readonly Check[]> {
  const subject = `${config.host}:${config.port}`
  try {
    await verifySmtp(config)
    return [{ area: 'mail', subject, outcome: 'fine', text: 'answers and would take mail' }]
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    const mend =
      error.retry === 'never'
        ? 'correct smtp in the configuration: user, password or certificate'
        : `is it running, and may this machine reach it? openssl s_client -starttls smtp -connect ${subject}`
    return [
      { area: 'mail', subject, outcome: 'missing', text: error.message, stages: ['detect', 'repair', 'tell'], mend },
    ]
  }
}
