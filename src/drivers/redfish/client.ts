/** One BMC's Redfish service: resources by path, and errors that say whether to try again. */
import { DriverError, type Retry } from '#domain/driver-error'
import { type Answer, type Ask, type Resource, redfishHttp } from './http.ts'
import { doorOf, type SignIn } from './sign-in.ts'

export type RedfishNode = SignIn & {
  /** SHA-256 of the BMC's certificate; absent: a public authority must vouch for it. */
  readonly fingerprint256?: string
  /** '/redfish/v1/Systems/1', where one service stands for several nodes. */
  readonly system?: string
}

/** `etags`: the header's and the resource's own, which differ where a maker quotes one of them twice. */
export type Got = { readonly resource: Resource; readonly etags: readonly string[] }

export type RedfishClient = {
  get(doing: string, path: string): Promise<Got>
  /** Undefined where the service has no such resource (404). */
  find(doing: string, path: string): Promise<Got | undefined>
  /** Answers where the new resource lies, where that is told. */
  post(doing: string, path: string, body: Resource): Promise<string | undefined>
  patch(doing: string, path: string, body: Resource, etag: string | undefined): Promise<'done' | 'changed-meanwhile'>
  /** What is gone already is deleted. */
  delete(doing: string, path: string): Promise<void>
  /** Server-sent events from now on: resolves when the BMC or `quit` ends them, rejects when the line breaks. */
  stream(doing: string, path: string, onChunk: (chunk: Uint8Array) => void, quit: AbortSignal): Promise<void>
  /** User and password were refused at the last call. */
  wasRefused(): boolean
  close(): Promise<void>
}

/** '/redfish/v1' is sent on to '/redfish/v1/' by some, and a renamed resource to its new place. */
const REDIRECTS_LIMIT = 2
const REDIRECTS: readonly number[] = [301, 302, 307, 308]
/** DSP0266: 412 where If-Match did not match, 428 where there had to be one. */
const PRECONDITIONS: readonly number[] = [412, 428]

export function redfishClient(node: string, config: RedfishNode, deadlineMs?: number): RedfishClient {
  const http = redfishHttp(node, config, deadlineMs)
  const door = doorOf(config, http.send)
  let isRefused = false
  const fail = (doing: string, retry: Retry, text: string) =>
    new DriverError('redfish', `${node}: ${doing}`, { retry, text })
  const signed = (ask: Ask, headers: Record<string, string>): Ask => ({
    ...ask,
    headers: { ...ask.headers, ...headers },
  })
  async function call(ask: Ask): Promise<Answer> {
    const headers = await door.headers()
    const first = await http.send(signed(ask, headers))
    const isWorthMore = first.status === 401 && door.anotherWay(headers)
    const answer = isWorthMore ? await http.send(signed(ask, await door.headers())) : first
    isRefused = answer.status === 401
    return answer
  }
  const refused = ({ doing }: Ask, answer: Answer) =>
    fail(doing, retryOf(answer.status), `${answer.status} ${messageOf(parseResource(answer.body))}`.trim())

  async function find(doing: string, path: string, redirects = 0): Promise<Got | undefined> {
    if (!path.startsWith('/')) throw fail(doing, 'never', `the BMC points to ${path.slice(0, 100)}, which is no path`)
    const ask: Ask = { doing, method: 'GET', path }
    const answer = await call(ask)
    if (answer.status === 404) return undefined
    const place = REDIRECTS.includes(answer.status) ? answer.header('location') : undefined
    if (place !== undefined && redirects < REDIRECTS_LIMIT) {
      // Never to another machine: it would be given our password.
      const { pathname, search } = new URL(place, config.url)
      return find(doing, `${pathname}${search}`, redirects + 1)
    }
    if (answer.status !== 200) throw refused(ask, answer)
    const resource = parseResource(answer.body)
    if (resource === undefined) throw fail(doing, 'later', 'answered no JSON object')
    if (resource.error !== undefined && resource['@odata.id'] === undefined) {
      throw fail(doing, 'later', `answered 200 with an error: ${messageOf(resource)}`)
    }
    const etags = [answer.header('etag'), resource['@odata.etag']].filter((etag) => typeof etag === 'string')
    return { resource, etags: [...new Set(etags)] }
  }
  return {
    find,
    get: async (doing, path) => {
      const got = await find(doing, path)
      if (got === undefined) throw fail(doing, 'never', `the BMC has no ${path}`)
      return got
    },
    post: async (doing, path, body) => {
      const ask: Ask = { doing, method: 'POST', path, body }
      const answer = await call(ask)
      if (answer.status >= 300) throw refused(ask, answer)
      const place = answer.header('location')
      return place === undefined ? undefined : new URL(place, config.url).pathname
    },
    patch: async (doing, path, body, etag) => {
      const ask: Ask = { doing, method: 'PATCH', path, body, headers: etag === undefined ? {} : { 'if-match': etag } }
      const answer = await call(ask)
      if (PRECONDITIONS.includes(answer.status)) return 'changed-meanwhile'
      if (answer.status >= 300) throw refused(ask, answer)
      return 'done'
    },
    delete: async (doing, path) => {
      const ask: Ask = { doing, method: 'DELETE', path }
      const answer = await call(ask)
      if (answer.status >= 300 && answer.status !== 404) throw refused(ask, answer)
    },
    stream: async (doing, path, onChunk, quit) => {
      const ask: Ask = { doing, method: 'GET', path, headers: { accept: 'text/event-stream' } }
      return http.stream(signed(ask, await door.headers()), onChunk, quit)
    },
    wasRefused: () => isRefused,
    close: async () => {
      await door.leave().catch(() => undefined)
      await http.close()
    },
  }
}

function retryOf(status: number): Retry {
  return status >= 500 || status === 408 || status === 429 ? 'later' : 'never'
}

/** A service's own words: {"error":{"@Message.ExtendedInfo":[{"Message":"…"}],"message":"…"}}. */
function messageOf(resource: Resource | undefined): string {
  const error = resource?.error
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
