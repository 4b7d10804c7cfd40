/** The lab's control server on the loopback: faults, the truth, time, and what the control plane tells the world. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Longer bodies are refused: nobody sends a lab more than a page. */
const BODY_LIMIT_BYTES = 4 * 2 ** 20

/** Waiting is not asking. */
const WAIT_PATH = '/time/wait'

/** `text` is sent as it stands; `body` as JSON. */
export type Reply = { readonly status: number; readonly body: unknown; readonly text?: string }
/** `body` is parsed JSON, undefined where there was none; `gone`: the asker hung up, or died. */
export type Handler = (body: unknown, url: URL, gone: AbortSignal) => Reply | Promise<Reply>

export type ControlHooks = {
  /** Somebody asks. */
  readonly heard: () => void
  /** Before anything is answered: the world, and the time that was read, are on disk. */
  readonly beforeAnswer: () => void
}

export class ControlServer {
  readonly #handlers = new Map<string, Handler>()
  readonly #server: Server
  readonly #hooks: ControlHooks

  constructor(hooks: ControlHooks) {
    this.#hooks = hooks
    this.#server = createServer((request, response) => {
      void this.#serve(request, response)
    })
  }

  /** 'POST /faults' … A second handler of one route replaces the first. */
  on(route: string, handler: Handler): void {
    this.#handlers.set(route, handler)
  }

  /** Answers the address: 'http://127.0.0.1:PORT'. */
  listen(port = 0): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, '127.0.0.1', () => {
        resolve(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`)
      })
    })
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url !== WAIT_PATH) this.#hooks.heard()
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const reply = await this.#replyTo(request, gone.signal)
    this.#hooks.beforeAnswer()
    const text = reply.text ?? JSON.stringify(reply.body)
    const type = reply.text === undefined ? 'application/json' : 'text/plain; charset=utf-8'
    response.writeHead(reply.status, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
    response.end(text)
  }

  async #replyTo(request: IncomingMessage, gone: AbortSignal): Promise<Reply> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const route = `${request.method} ${url.pathname}`
    const handler = this.#handlers.get(route)
    if (!handler) return problem(404, `there is no ${route}; there are ${[...this.#handlers.keys()].join(', ')}`)
    try {
      const text = await readBody(request)
      return await handler(text === '' ? undefined : JSON.parse(text), url, gone)
    } catch (error) {
      if (error instanceof SyntaxError) return problem(400, `the body is no JSON: ${error.message}`)
      if (error instanceof RangeError) return problem(413, error.message)
      return problem(500, error instanceof Error ? error.message : String(error))
    }
  }
}

export const problem = (status: number, ...problems: string[]): Reply => ({ status, body: { problems } })

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > BODY_LIMIT_BYTES) throw new RangeError(`a body is at most ${BODY_LIMIT_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
