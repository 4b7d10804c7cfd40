/** One request to one entry point over TLS, to a certificate that we trust; says whether a request that failed may have been carried out. */
import { Agent, buildConnector } from 'undici'
import type { Secret } from '#domain/secret'
import { pinnedConnector, WrongCertificate } from '#drivers/tls/pinned-connector'
import { readLimited, TooLarge } from '#drivers/tls/read-limited'

export type EntryPoint = {
  readonly url: string
  /** user@realm!id */
  readonly tokenId: string
  readonly tokenSecret: Secret
  /** SHA-256 of the node's certificate, 'AB:CD:…'. Another certificate gets nothing from us, not even a header. */
  readonly fingerprint256?: string
  /** PEM of the authority that signs it, for those who renew certificates; without a fingerprint. Neither: nothing is sent. */
  readonly ca?: string
  /** Which node this is. Learnt from /cluster/status where the configuration does not say. */
  readonly node?: string
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
export type Params = Readonly<Record<string, string | number | boolean | undefined>>
export type WireRequest = {
  readonly method: Method
  readonly path: string
  readonly params?: Params
  readonly deadlineMs: number
}

export type WireAnswer =
  | {
      readonly is: 'answer'
      readonly status: number
      readonly reason: string
      readonly body: string
      /** The node's own clock, in whole seconds. */
      readonly date?: string
    }
  /** Nothing reached the node: it may be tried elsewhere, even a POST. `pinned` false: it shows a certificate that is not trusted. */
  | { readonly is: 'not-sent'; readonly pinned: boolean; readonly text: string }
  /** It was sent, or nobody knows: a POST may have been carried out. */
  | { readonly is: 'lost'; readonly text: string; readonly isHopeless?: true }

export type Transport = {
  send(request: WireRequest): Promise<WireAnswer>
  close(): Promise<void>
}

const CONNECT_LIMIT_MS = 5_000
/** A ceph status of a small cluster is 220 KB already; beyond this somebody else answers. */
const BODY_LIMIT_BYTES = 32 * 1024 * 1024

/** No connection, so no request: whatever failed before TLS was up and the pin compared. */
class NotConnected extends Error {
  override readonly name = 'NotConnected'
}

/** OpenSSL's and Node's codes for a certificate that our authority does not vouch for, or not for this name. */
const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|^CERT_|ALTNAME/

/** Nobody's certificate has it: without a pin and without an authority nobody is trusted. */
const NO_PIN = 'none'

function connector({ fingerprint256, ca }: EntryPoint): buildConnector.connector {
  const connect =
    fingerprint256 === undefined && ca !== undefined
      ? buildConnector({ ca, timeout: CONNECT_LIMIT_MS })
      : pinnedConnector(fingerprint256 ?? NO_PIN, CONNECT_LIMIT_MS)
  return (options, callback) => {
    connect(options, (error, socket) => {
      if (error === null) return callback(null, socket)
      callback(isUntrusted(error) ? untrusted(error) : new NotConnected(wordsOf(error), { cause: error }), null)
    })
  }
}

const isUntrusted = (error: Error & { code?: unknown }) =>
  error instanceof WrongCertificate || (typeof error.code === 'string' && UNTRUSTED.test(error.code))

const untrusted = (error: Error) =>
  error instanceof WrongCertificate
    ? error
    : new WrongCertificate(`the certificate is not of our authority: ${wordsOf(error)}: nothing was sent`)

function encodeParams(params: Params | undefined): string {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value === undefined) continue
    form.append(name, typeof value === 'boolean' ? (value ? '1' : '0') : String(value))
  }
  return form.toString()
}

/** Happy eyeballs wraps refused connections in an AggregateError without a message. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.message !== '') return error.message
  return error instanceof AggregateError ? error.errors.map(wordsOf).join('; ') : error.name
}

function failure(error: unknown, deadlineMs: number): WireAnswer {
  if (error instanceof WrongCertificate) return { is: 'not-sent', pinned: false, text: error.message }
  if (error instanceof NotConnected) return { is: 'not-sent', pinned: true, text: error.message }
  if (error instanceof Error && error.name === 'TimeoutError') {
    return { is: 'lost', text: `no answer within ${deadlineMs} ms` }
  }
  return { is: 'lost', text: wordsOf(error), ...(error instanceof TooLarge ? { isHopeless: true } : {}) }
}

/** undici hears an abort only when a request is on its connection: while it connects, the deadline is held here. */
async function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Whoever comes too late has nobody to tell.
    work.catch(() => {})
  }
}

export function tlsTransport(entry: EntryPoint): Transport {
  const base = new URL(entry.url)
  const agent = new Agent({ connect: connector(entry), connections: 2, pipelining: 1 })

  async function ask({ method, path, params }: WireRequest, signal: AbortSignal): Promise<WireAnswer> {
    const encoded = encodeParams(params)
    const inQuery = method === 'GET' || method === 'DELETE'
    const response = await agent.request({
      origin: base.origin,
      path: `/api2/json${path}${inQuery && encoded !== '' ? `?${encoded}` : ''}`,
      method,
      headers: {
        accept: 'application/json',
        authorization: `PVEAPIToken=${entry.tokenId}=${entry.tokenSecret.reveal()}`,
        ...(inQuery ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      body: inQuery ? null : encoded,
      signal,
    })
    const body = await readLimited(response.body, BODY_LIMIT_BYTES)
    const { date } = response.headers
    return {
      is: 'answer',
      status: response.statusCode,
      reason: response.statusText,
      body,
      ...(typeof date === 'string' ? { date } : {}),
    }
  }

  return {
    async send(request) {
      const signal = AbortSignal.timeout(request.deadlineMs)
      try {
        return await within(signal, ask(request, signal))
      } catch (error) {
        return failure(error, request.deadlineMs)
      }
    },
    close: () => agent.destroy(),
  }
}
