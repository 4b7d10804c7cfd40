/** One BMC's Redfish service: JSON over pinned TLS, sign-in by session or basic, and errors that say whether to try again. */
import { Agent } from 'undici'
import { DriverError, type Retry } from '#domain/driver-error'
import type { Secret } from '#domain/secret'
import { pinnedConnector, WrongCertificate } from '#drivers/tls/pinned-connector'

export type RedfishNode = {
  /** 'https://10.77.1.13' */
  readonly url: string
  readonly user: string
  readonly password: Secret
  /** SHA-256 of the BMC's certificate; absent: a public authority must vouch for it. */
  readonly fingerprint256?: string
  /** 'basic' leaves nothing behind at the BMC, which may have room for four sessions only. */
  readonly signIn?: 'basic' | 'session'
  /** '/redfish/v1/Systems/1', where one service stands for several nodes. */
  readonly system?: string
}

export type Resource = Readonly<Record<string, unknown>>
export type Got = { readonly resource: Resource; readonly etag: string | undefined }

export type RedfishClient = {
  get(doing: string, path: string): Promise<Got>
  /** Undefined where the service has no such resource (404). */
  find(doing: string, path: string): Promise<Got | undefined>
  post(doing: string, path: string, body: Resource): Promise<void>
  patch(doing: string, path: string, body: Resource, etag: string | undefined): Promise<'done' | 'changed-meanwhile'>
  close(): Promise<void>
}

/** BMCs take seconds for an inventory; longer than this they are not there. */
const DEADLINE_MS = 20_000
const CONNECT_LIMIT_MS = 5_000
const BODY_LIMIT_BYTES = 16 * 1024 * 1024
const SESSIONS = '/redfish/v1/SessionService/Sessions'

type Answer = {
  readonly status: number
  readonly body: string
  readonly header: (name: string) => string | undefined
}
type Ask = {
  readonly doing: string
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: Resource
  readonly headers?: Record<string, string>
}

export function redfishClient(node: string, config: RedfishNode, deadlineMs = DEADLINE_MS): RedfishClient {
  const agent = new Agent({
    connections: 2,
    ...(config.fingerprint256 === undefined
      ? { connect: { timeout: CONNECT_LIMIT_MS } }
      : { connect: pinnedConnector(config.fingerprint256, CONNECT_LIMIT_MS) }),
  })
  const fail = (doing: string, retry: Retry, more: { text?: string; cause?: unknown }) =>
    new DriverError('redfish', `${node}: ${doing}`, { retry, ...more })
  const send = async (ask: Ask): Promise<Answer> => {
    try {
      return await request(agent, config.url, ask, deadlineMs)
    } catch (cause) {
      throw fail(ask.doing, cause instanceof WrongCertificate ? 'never' : 'later', {
        cause,
        text: textOf(cause, deadlineMs),
      })
    }
  }
  const door = signIn(config, send)
  /** A session ends by itself after some idle minutes: then we sign in once more. */
  async function authorised(ask: Ask): Promise<Answer> {
    const first = await send({ ...ask, headers: { ...ask.headers, ...(await door.headers()) } })
    if (first.status !== 401 || !door.renew()) return first
    return send({ ...ask, headers: { ...ask.headers, ...(await door.headers()) } })
  }
  const refused = ({ doing }: Ask, answer: Answer) =>
    fail(doing, retryOf(answer.status), { text: `${answer.status} ${messageOf(answer.body)}`.trim() })
  async function find(doing: string, path: string): Promise<Got | undefined> {
    const ask: Ask = { doing, method: 'GET', path }
    const answer = await authorised(ask)
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw refused(ask, answer)
    const resource = parseResource(answer.body)
    if (resource === undefined) throw fail(doing, 'later', { text: 'answered no JSON object' })
    const odataEtag = resource['@odata.etag']
    return { resource, etag: answer.header('etag') ?? (typeof odataEtag === 'string' ? odataEtag : undefined) }
  }
  return {
    find,
    get: async (doing, path) => {
      const got = await find(doing, path)
      if (got === undefined) throw fail(doing, 'never', { text: `the BMC has no ${path}` })
      return got
    },
    post: async (doing, path, body) => {
      const ask: Ask = { doing, method: 'POST', path, body }
      const answer = await authorised(ask)
      if (answer.status >= 300) throw refused(ask, answer)
    },
    patch: async (doing, path, body, etag) => {
      const ask: Ask = { doing, method: 'PATCH', path, body, headers: etag === undefined ? {} : { 'if-match': etag } }
      const answer = await authorised(ask)
      if (answer.status === 412) return 'changed-meanwhile'
      if (answer.status >= 300) throw refused(ask, answer)
      return 'done'
    },
    close: async () => {
      await door.leave().catch(() => undefined)
      await agent.destroy()
    },
  }
}

async function request(agent: Agent, url: string, ask: Ask, deadlineMs: number): Promise<Answer> {
  const response = await agent.request({
    origin: new URL(url).origin,
    path: ask.path,
    method: ask.method,
    headers: {
      accept: 'application/json',
      'odata-version': '4.0',
      ...(ask.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...ask.headers,
    },
    body: ask.body === undefined ? null : JSON.stringify(ask.body),
    signal: AbortSignal.timeout(deadlineMs),
  })
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > BODY_LIMIT_BYTES) throw new Error(`the answer is larger than ${BODY_LIMIT_BYTES} bytes`)
    chunks.push(chunk)
  }
  const header = (name: string) => {
    const value = response.headers[name]
    return Array.isArray(value) ? value[0] : value
  }
  return { status: response.statusCode, body: Buffer.concat(chunks).toString('utf8'), header }
}

type Door = { headers(): Promise<Record<string, string>>; renew(): boolean; leave(): Promise<void> }

function signIn(config: RedfishNode, send: (ask: Ask) => Promise<Answer>): Door {
  const { user, password } = config
  const basic = () => ({ authorization: `Basic ${Buffer.from(`${user}:${password.reveal()}`).toString('base64')}` })
  if (config.signIn !== 'session')
    return { headers: async () => basic(), renew: () => false, leave: async () => undefined }
  let session: Promise<{ token: string; place: string | undefined } | 'none'> | undefined
  async function open() {
    const body = { UserName: user, Password: password.reveal() }
    const answer = await send({ doing: 'sign in', method: 'POST', path: SESSIONS, body })
    const token = answer.header('x-auth-token')
    // Where sessions are switched off, or all are taken, basic still opens.
    return answer.status < 300 && token !== undefined ? { token, place: answer.header('location') } : 'none'
  }
  return {
    headers: async () => {
      session ??= open()
      const now = await session.catch((error: unknown) => {
        session = undefined
        throw error
      })
      return now === 'none' ? basic() : { 'x-auth-token': now.token }
    },
    renew: () => {
      session = undefined
      return true
    },
    leave: async () => {
      const now = await session
      if (now === undefined || now === 'none' || now.place === undefined) return
      const { pathname } = new URL(now.place, config.url)
      await send({ doing: 'sign out', method: 'DELETE', path: pathname, headers: { 'x-auth-token': now.token } })
    },
  }
}

function retryOf(status: number): Retry {
  return status >= 500 || status === 408 || status === 429 ? 'later' : 'never'
}

function textOf(cause: unknown, deadlineMs: number): string {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.name === 'TimeoutError') return `no answer within ${deadlineMs} ms`
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
  return cause.message || code || cause.name
}

/** A service's own words: {"error":{"@Message.ExtendedInfo":[{"Message":"…"}],"message":"…"}}. */
function messageOf(body: string): string {
  const error = parseResource(body)?.error
  if (typeof error !== 'object' || error === null) return ''
  const info =
    '@Message.ExtendedInfo' in error && Array.isArray(error['@Message.ExtendedInfo'])
      ? error['@Message.ExtendedInfo']
      : []
  const first: unknown = info[0]
  if (typeof first === 'object' && first !== null && 'Message' in first && typeof first.Message === 'string')
    return first.Message
  return 'message' in error && typeof error.message === 'string' ? error.message : ''
}

function parseResource(body: string): Resource | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Resource) : undefined
  } catch {
    return undefined
  }
}
