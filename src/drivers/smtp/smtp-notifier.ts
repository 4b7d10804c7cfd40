/** Mail by SMTP. The notice's key becomes the Message-ID, so that a notice sent twice is one mail to the reader. */
import { createHash } from 'node:crypto'
import { createTransport } from 'nodemailer'
import { DriverError } from '#domain/driver-error'
import type { Secret } from '#domain/secret'
import type { Notice, Notifier } from '#ports/notifier'

export type SmtpConfig = {
  readonly host: string
  readonly port: number
  /** TLS from the first byte; false: STARTTLS where the server offers it. */
  readonly secure?: boolean
  readonly user?: string
  readonly password?: Secret
  readonly from: string
  /** PEM of the server's own certificate or its authority's, where no public authority vouches for it. */
  readonly certificate?: string
  readonly deadlineMs?: number
}

const DEADLINE_MS = 20_000
const VERIFY_DEADLINE_MS = 5_000

export function smtpNotifier(config: SmtpConfig): Notifier {
  const transport = transportTo(config)
  return {
    send: async (notice) => {
      try {
        await transport.sendMail(toMail(config, notice))
      } catch (cause) {
        throw new DriverError('smtp', `send "${notice.subject}" to ${notice.to}`, { retry: retryOf(cause), cause })
      }
    },
  }
}

/** Signs in and leaves; no mail is sent. @throws DriverError as `send` does */
export async function verifySmtp(config: SmtpConfig): Promise<void> {
  const transport = transportTo({ ...config, deadlineMs: config.deadlineMs ?? VERIFY_DEADLINE_MS })
  try {
    await transport.verify()
  } catch (cause) {
    throw new DriverError('smtp', 'sign in', { retry: retryOf(cause), cause })
  } finally {
    transport.close()
  }
}

function transportTo(config: SmtpConfig) {
  const deadlineMs = config.deadlineMs ?? DEADLINE_MS
  return createTransport({
    host: config.host,
    port: config.port,
    secure: config.secure ?? false,
    ...(config.user === undefined ? {} : { auth: { user: config.user, pass: config.password?.reveal() ?? '' } }),
    connectionTimeout: deadlineMs,
    greetingTimeout: deadlineMs,
    socketTimeout: deadlineMs,
    // Texts come from customers' names and hosts' answers: none may reach into our files or the network.
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(config.certificate === undefined ? {} : { tls: { ca: config.certificate } }),
  })
}

function toMail(config: SmtpConfig, notice: Notice) {
  const hash = createHash('sha256').update(notice.key).digest('hex').slice(0, 32)
  return {
    from: config.from,
    to: { name: '', address: notice.to },
    subject: notice.subject,
    text: notice.text,
    ...(notice.html === undefined ? {} : { html: notice.html }),
    messageId: `<${hash}@${domainOf(config.from)}>`,
    headers: {
      // RFC 3834: no vacation replies, please.
      'Auto-Submitted': 'auto-generated',
      'X-Coulisse-Key': notice.key,
    },
  }
}

const domainOf = (from: string) => /@([\w.-]+)/.exec(from)?.[1] ?? 'coulisse.invalid'

/** 4yz is "try again", 5yz is "do not" (RFC 5321); a refused login stays refused; the rest is the network's weather. */
function retryOf(cause: unknown): 'later' | 'never' {
  const { responseCode, code } = cause as { readonly responseCode?: number; readonly code?: string }
  if (code === 'EAUTH') return 'never'
  return responseCode !== undefined && responseCode >= 500 ? 'never' : 'later'
}
