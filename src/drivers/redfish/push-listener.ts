/** Where BMCs push their events to: a small HTTP server that believes only who knows his own secret. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'

export type PushListen = {
  readonly host: string
  readonly port: number
  /** As BMCs reach it, where that is not host and port: 'https://coulisse.example:8301'. */
  readonly url?: string
  /** PEM; most BMCs push to https alone. Absent: plain HTTP, behind a proxy that ends TLS. */
  readonly tls?: { readonly key: string; readonly cert: string }
}

export type PushListener = {
  readonly url: string
  /** What one BMC is told: its own address here, and a secret that it gives back with each event. */
  of(node: NodeName): { readonly destination: string; readonly context: string }
  close(): Promise<void>
}

const PATH = '/redfish-events/'
const SECRET_BYTES = 32
const CONTEXT_DIGITS = 32
/** An event is a few hundred bytes; some send dozens in one. */
const BODY_LIMIT_BYTES = 256 * 1024

/** `onEvent` gets the name in the path, once its secret was right. What else stands in the event is not read. */
export async function pushListener(listen: PushListen, onEvent: (node: string) => void): Promise<PushListener> {
  // New with each process: a context that was read off a BMC is worth nothing after a restart.
  const secret = randomBytes(SECRET_BYTES)
  const contextOf = (node: string) => createHmac('sha256', secret).update(node).digest('hex').slice(0, CONTEXT_DIGITS)
  const answer = async (request: IncomingMessage): Promise<number> => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (request.method !== 'POST' || !pathname.startsWith(PATH)) return 404
    const node = decodeURIComponent(pathname.slice(PATH.length))
    const body = await readBody(request)
    if (body === undefined) return 413
    if (!isSame(contextIn(body), contextOf(node))) return 403
    onEvent(node)
    return 204
  }
  const handle: RequestListener = (request, response) => {
    answer(request).then(
      (status) => response.writeHead(status).end(),
      () => response.writeHead(400).end(),
    )
  }
  const server = listen.tls === undefined ? createServer(handle) : createTlsServer(listen.tls, handle)
  const port = await new Promise<number>((resolve, reject) => {
    const failed = (cause: Error) =>
      reject(
        new DriverError('redfish', `listen for events on ${listen.host}:${listen.port}`, { retry: 'never', cause }),
      )
    server.once('error', failed)
    server.listen(listen.port, listen.host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : listen.port)
    })
  })
  const url = listen.url ?? `${listen.tls === undefined ? 'http' : 'https'}://${listen.host}:${port}`
  return {
    url,
    of: (node) => ({ destination: `${url}${PATH}${encodeURIComponent(node)}`, context: contextOf(node) }),
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

const isSame = (a: string, b: string) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

/** '' for what is no event. */
function contextIn(body: string): string {
  try {
    const value: unknown = JSON.parse(body)
    const context = typeof value === 'object' && value !== null && 'Context' in value ? value.Context : ''
    return typeof context === 'string' ? context : ''
  } catch {
    return ''
  }
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > BODY_LIMIT_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
