/** GETs of JSON from one service over a connection that we trust: a deadline and a size for each, and errors that say what to do. */
import { Agent } from 'undici'
import { DriverError, type Retry } from '#domain/driver-error'
import { pinnedConnector, WrongCertificate } from './pinned-connector.ts'
import { readLimited, TooLarge } from './read-limited.ts'

export type Trust = {
  /** SHA-256 of the one certificate that it must show. */
  readonly fingerprint256?: string
  /** PEM of the authority that signs it; absent: those of the system. */
  readonly ca?: string
}

export type JsonServiceOptions = {
  /** As it stands in errors: 'prometheus', 'netbox'. */
  readonly driver: string
  readonly url: string
  readonly trust: Trust
  /** The whole header, made when it is sent. */
  readonly authorization?: () => string
  readonly deadlineMs: number
  readonly bodyLimitBytes: number
}

export type JsonAnswer = { readonly status: number; readonly json: unknown }

export type JsonService = {
  /**
   * The path begins below the service's own. Any status with JSON is an answer. DriverError: 'later' where nobody answered whole,
   * 'never' for a certificate that is not the right one, a web page, a redirection, or a body beyond the limit.
   */
  get(doing: string, path: string): Promise<JsonAnswer>
  fail(doing: string, retry: Retry, text: string, cause?: unknown): DriverError
  close(): Promise<void>
}

const CONNECT_LIMIT_MS = 5_000
const CONNECTIONS_LIMIT = 2
/** OpenSSL's and Node's words for a certificate that our authority does not vouch for. */
const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_|ALTNAME/

export function jsonService(options: JsonServiceOptions): JsonService {
  const base = new URL(options.url)
  const { fingerprint256, ca } = options.trust
  const agent = new Agent({
    connections: CONNECTIONS_LIMIT,
    connect:
      fingerprint256 === undefined
        ? { timeout: CONNECT_LIMIT_MS, ...(ca === undefined ? {} : { ca }) }
        : pinnedConnector(fingerprint256, CONNECT_LIMIT_MS),
  })
  const fail: JsonService['fail'] = (doing, retry, text, cause) =>
    new DriverError(options.driver, doing, { retry, text, ...(cause === undefined ? {} : { cause }) })

  async function send(path: string): Promise<{ status: number; body: string; location: string | undefined }> {
    const response = await agent.request({
      origin: base.origin,
      path: `${base.pathname.replace(/\/$/, '')}${path}`,
      method: 'GET',
      headers: {
        accept: 'application/json',
        ...(options.authorization === undefined ? {} : { authorization: options.authorization() }),
      },
      signal: AbortSignal.timeout(options.deadlineMs),
    })
    const { location } = response.headers
    const body = await readLimited(response.body, options.bodyLimitBytes)
    return { status: response.statusCode, body, location: Array.isArray(location) ? location[0] : location }
  }

  return {
    fail,
    get: async (doing, path) => {
      const answer = await send(path).catch((cause: unknown) => {
        throw fail(doing, retryOf(cause), wordsOf(cause, options.deadlineMs), cause)
      })
      const { status, body, location } = answer
      if (status >= 300 && status < 400)
        throw fail(doing, 'never', `${status}: it sends us to ${location ?? 'nowhere'}; name the right address instead`)
      const json = parsed(body)
      if (json !== undefined) return { status, json }
      if (status >= 400) throw fail(doing, retryOfStatus(status), `${status} ${firstLine(body)}`.trim())
      if (/^\s*</.test(body))
        throw fail(doing, 'never', 'it answers with a web page: another service, or a sign-in page before it')
      throw fail(doing, 'later', body === '' ? 'the answer is empty' : 'the answer is not whole JSON')
    },
    close: () => agent.destroy(),
  }
}

/** Basic authorization: the user's name may hold no colon. */
export const basicAuthorization = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

function retryOfStatus(status: number): Retry {
  return status >= 500 || status === 408 || status === 429 ? 'later' : 'never'
}

/** Undefined for what is no JSON: `undefined` itself never is. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown
  } catch {
    return undefined
  }
}

/** What a person can read of an answer that is not JSON: nothing of a page. */
const firstLine = (body: string) => (/^\s*</.test(body) ? '' : (body.split('\n')[0] ?? '').slice(0, 200))

function retryOf(cause: unknown): Retry {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return cause instanceof WrongCertificate || cause instanceof TooLarge || UNTRUSTED.test(code) ? 'never' : 'later'
}

/** Happy eyeballs wraps refused connections in an AggregateError without a message. */
function wordsOf(cause: unknown, deadlineMs: number): string {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.name === 'TimeoutError') return `no answer within ${deadlineMs} ms`
  if (cause instanceof AggregateError) return cause.errors.map((one) => wordsOf(one, deadlineMs)).join('; ')
  return cause.message || cause.name
}
