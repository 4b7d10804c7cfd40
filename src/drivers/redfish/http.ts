/** One request to a BMC over TLS, with a deadline and a limit on its answer. */
import { Agent, type Dispatcher } from 'undici'
import { DriverError, type Retry } from '#domain/driver-error'
import { pinnedConnector, WrongCertificate } from '#drivers/tls/pinned-connector'
import { readLimited, TooLarge } from '#drivers/tls/read-limited'

export type Resource = Readonly<Record<string, unknown>>

export type Answer = {
  readonly status: number
  readonly body: string
  readonly header: (name: string) => string | undefined
}
export type Ask = {
  readonly doing: string
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: Resource
  readonly headers?: Record<string, string>
}

export type Http = {
  /** @throws DriverError 'never' for another certificate or an answer without end, 'later' for silence. */
  send(ask: Ask): Promise<Answer>
  stream(ask: Ask, onChunk: (chunk: Uint8Array) => void, quit: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** BMCs take seconds for an inventory; longer than this they are not there. */
const DEADLINE_MS = 20_000
const CONNECT_LIMIT_MS = 5_000
const BODY_LIMIT_BYTES = 16 * 1024 * 1024
/** More at once slows many BMCs down: they work off one after the other. An event stream has a line of its own. */
const CONNECTIONS = 2

export function redfishHttp(
  node: string,
  target: { url: string; fingerprint256?: string },
  deadlineMs = DEADLINE_MS,
): Http {
  const { origin } = new URL(target.url)
  const connect =
    target.fingerprint256 === undefined
      ? { timeout: CONNECT_LIMIT_MS }
      : pinnedConnector(target.fingerprint256, CONNECT_LIMIT_MS)
  const agent = new Agent({ connections: CONNECTIONS, connect })
  const streams = new Agent({ connections: 1, connect, bodyTimeout: 0 })
  const failed = (doing: string, cause: unknown) =>
    new DriverError('redfish', `${node}: ${doing}`, { retry: retryOf(cause), cause, text: textOf(cause, deadlineMs) })
  return {
    send: async (ask) => {
      try {
        const response = await agent.request({ ...requestOf(origin, ask), signal: AbortSignal.timeout(deadlineMs) })
        return {
          status: response.statusCode,
          body: await readLimited(response.body, BODY_LIMIT_BYTES),
          header: headerOf(response),
        }
      } catch (cause) {
        throw failed(ask.doing, cause)
      }
    },
    stream: async (ask, onChunk, quit) => {
      try {
        const response = await streams.request({ ...requestOf(origin, ask), signal: quit })
        if (response.statusCode !== 200) throw new Error(`${response.statusCode}`)
        for await (const chunk of response.body as AsyncIterable<Uint8Array>) onChunk(chunk)
      } catch (cause) {
        if (quit.aborted) return
        throw failed(ask.doing, cause)
      }
    },
    close: async () => {
      await Promise.all([agent.destroy(), streams.destroy()])
    },
  }
}

const requestOf = (origin: string, { method, path, body, headers }: Ask) => ({
  origin,
  path,
  method,
  headers: {
    accept: 'application/json',
    'odata-version': '4.0',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  },
  body: body === undefined ? null : JSON.stringify(body),
})

const headerOf = (response: Dispatcher.ResponseData) => (name: string) => {
  const value = response.headers[name]
  return Array.isArray(value) ? value[0] : value
}

const retryOf = (cause: unknown): Retry =>
  cause instanceof WrongCertificate || cause instanceof TooLarge ? 'never' : 'later'

function textOf(cause: unknown, deadlineMs: number): string {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.name === 'TimeoutError') return `no answer within ${deadlineMs} ms`
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
  return cause.message || code || cause.name
}
