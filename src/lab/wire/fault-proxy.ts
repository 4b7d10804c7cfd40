/**
 * A bad way to the lab's Proxmox API: it ends TLS, hands on what it likes, and delays, cuts, repeats, swaps and makes up answers,
 * all by a seed. It never makes an effect up: what the lab did, it did.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { NodeName } from '#domain/ids'
import { drawAt } from '#domain/random'
import type { ProxmoxEndpoint } from './proxmox/serve.ts'
import { type LabCertificate, selfSignedCertificate } from './tls.ts'

/** What can become of one request. */
export type WayFault =
  /** Handed on late: the world goes on meanwhile. */
  | 'delayed'
  /** Cut before the lab heard of it. */
  | 'cut-before'
  /** The lab acted, and nobody hears the answer. */
  | 'cut-after'
  /** The connection ends in the middle of the body. */
  | 'cut-inside'
  /** A read is answered with what the same read brought before, no older than OLD_ANSWER_LIMIT_MS. */
  | 'old-answer'
  /** Sent to the lab twice, and the second answer comes back: a balancer that repeats what it should not. */
  | 'sent-twice'
  /** Held until another answer has gone past it. */
  | 'overtaken'
  /** The proxy's own: 595 and 596 with an empty body, 502 as a page of HTML, a 200 that is no JSON. */
  | 'made-up'

/** The chance of each fault a request, in [0, 1]; together at most 1. */
export type WayFaults = Readonly<Record<WayFault, number>>

export const HARSH_WAY: WayFaults = {
  delayed: 0.06,
  'cut-before': 0.02,
  'cut-after': 0.02,
  'cut-inside': 0.02,
  'old-answer': 0.03,
  'sent-twice': 0.02,
  overtaken: 0.03,
  'made-up': 0.03,
}

export const CALM_WAY: WayFaults = {
  delayed: 0,
  'cut-before': 0,
  'cut-after': 0,
  'cut-inside': 0,
  'old-answer': 0,
  'sent-twice': 0,
  overtaken: 0,
  'made-up': 0,
}

export type WayFigures = { requests: number; answered: number } & Record<WayFault, number>

export type FaultProxy = {
  readonly endpoints: readonly ProxmoxEndpoint[]
  readonly figures: Readonly<WayFigures>
  close(): Promise<void>
}

/** As stale as the cluster's own list is at its worst: two looks that prove something lie further apart. */
const OLD_ANSWER_LIMIT_MS = 20_000
const DELAY_LIMIT_MS = 15_000
const OVERTAKEN_LIMIT_MS = 2_000
const OLD_ANSWERS_LIMIT = 2_000

type Answer = {
  readonly status: number
  readonly reason: string
  readonly type: string
  /** The node's own clock; what the way makes up has none of it. */
  readonly date?: string
  readonly body: Buffer
}
type Asked = { readonly method: string; readonly url: string; readonly token: string; readonly body: Buffer }

const MADE_UP: readonly Answer[] = [
  { status: 595, reason: 'Connection timed out', type: '', body: Buffer.alloc(0) },
  { status: 596, reason: 'Connection timed out', type: '', body: Buffer.alloc(0) },
  { status: 502, reason: 'Bad Gateway', type: 'text/html', body: Buffer.from('<html><h1>502 Bad Gateway</h1></html>') },
  { status: 200, reason: 'OK', type: 'text/html', body: Buffer.from('<html>Please log in</html>') },
  { status: 200, reason: 'OK', type: 'application/json', body: Buffer.from('{"data":[{"upid":"UP') },
  { status: 200, reason: 'OK', type: 'application/json', body: Buffer.alloc(0) },
]

export type FaultProxyOptions = {
  /** One listener each. */
  readonly endpoints: readonly ProxmoxEndpoint[]
  /** By node: what the lab shows, and what this proxy shows in its place. */
  readonly certificates: Readonly<Record<string, LabCertificate>>
  readonly seed: number
  readonly faults: WayFaults
  readonly nowMs: () => number
  /** Told of every request as it comes in, path without its query. */
  readonly onAsked?: (method: string, path: string) => void
  /** The world goes on by so much; the answer ends it early, when the caller has given up. */
  readonly sleep: (ms: number, gone: AbortSignal) => Promise<void>
}

export async function serveFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const way = new BadWay(options)
  const listeners = await Promise.all(options.endpoints.map((endpoint) => listen(way, endpoint, options)))
  return {
    endpoints: listeners.map(({ endpoint }) => endpoint),
    figures: way.figures,
    async close() {
      await Promise.all(listeners.map(({ server }) => closed(server)))
      way.close()
    },
  }
}

async function listen(way: BadWay, target: ProxmoxEndpoint, { certificates, nowMs }: FaultProxyOptions) {
  const { key, cert, fingerprint256 } = certificates[target.node] ?? selfSignedCertificate(target.node, nowMs())
  const server = createServer({ key, cert }, (request, response) => {
    way.pass(target, request, response).catch(() => response.destroy())
  })
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return { server, endpoint: { ...target, url: `https://127.0.0.1:${port}`, fingerprint256 } }
}

class BadWay {
  readonly figures: WayFigures
  readonly #options: FaultProxyOptions
  readonly #counts = new Map<string, number>()
  readonly #answers = new Map<string, { readonly atMs: number; readonly answer: Answer }>()
  readonly #agents = new Map<NodeName, Agent>()
  #overtakers = new Set<() => void>()

  constructor(options: FaultProxyOptions) {
    this.#options = options
    const none = Object.fromEntries(Object.keys(options.faults).map((fault) => [fault, 0])) as Record<WayFault, number>
    this.figures = { requests: 0, answered: 0, ...none }
  }

  async pass(target: ProxmoxEndpoint, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = { ...(await read(request)), method: request.method ?? 'GET', url: request.url ?? '/' }
    const path = asked.url.split('?')[0] ?? ''
    const key = `${asked.method} ${path}`
    this.#options.onAsked?.(asked.method, path)
    const fault = this.#drawFault(key, asked.method)
    this.figures.requests++
    if (fault !== undefined) this.figures[fault]++
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    if (fault === 'cut-before') return void response.destroy()
    if (fault === 'made-up') return this.#send(response, this.#pick(key, MADE_UP))
    if (fault === 'delayed') await this.#sleep(key, DELAY_LIMIT_MS, gone.signal)
    if (fault === 'old-answer') return this.#sendOld(target, asked, response)
    if (fault === 'sent-twice') await this.#handOn(target, asked)
    const answer = await this.#handOn(target, asked)
    if (answer === undefined || fault === 'cut-after') return void response.destroy()
    if (fault === 'overtaken') await this.#letOvertake(gone.signal)
    if (fault === 'cut-inside') return cutInside(response, answer)
    this.#send(response, answer)
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy()
  }

  /** By what is asked and how often it was asked before: other calls at the same time do not shift it. */
  #draw(subject: string): number {
    const count = this.#counts.get(subject) ?? 0
    this.#counts.set(subject, count + 1)
    return drawAt(this.#options.seed, `way/${subject}`, count)
  }

  #pick(key: string, answers: readonly Answer[]): Answer {
    return answers[Math.floor(this.#draw(`${key}/which`) * answers.length)] as Answer
  }

  #drawFault(key: string, method: string): WayFault | undefined {
    let left = this.#draw(key)
    for (const [fault, chance] of Object.entries(this.#options.faults) as [WayFault, number][]) {
      left -= chance
      if (left < 0) return fault === 'old-answer' && method !== 'GET' ? undefined : fault
    }
    return undefined
  }

  #sleep(key: string, limitMs: number, gone: AbortSignal): Promise<void> {
    return this.#options.sleep(Math.ceil(this.#draw(`${key}/delay`) * limitMs), gone)
  }

  async #letOvertake(gone: AbortSignal): Promise<void> {
    const overtaken = new AbortController()
    gone.addEventListener('abort', () => overtaken.abort(), { once: true })
    const wake = () => overtaken.abort()
    this.#overtakers.add(wake)
    await this.#options.sleep(OVERTAKEN_LIMIT_MS, overtaken.signal)
    this.#overtakers.delete(wake)
  }

  async #sendOld(target: ProxmoxEndpoint, asked: Asked, response: ServerResponse): Promise<void> {
    const old = this.#answers.get(asked.url)
    if (old !== undefined && this.#options.nowMs() - old.atMs <= OLD_ANSWER_LIMIT_MS)
      return this.#send(response, old.answer)
    const answer = await this.#handOn(target, asked)
    if (answer === undefined) response.destroy()
    else this.#send(response, answer)
  }

  #send(response: ServerResponse, answer: Answer): void {
    if (response.destroyed) return
    this.figures.answered++
    for (const wake of this.#overtakers) wake()
    this.#overtakers = new Set()
    response.writeHead(answer.status, answer.reason, headersOf(answer))
    response.end(answer.body)
  }

  /** undefined: the lab's node took the request and gave no answer, or is off. */
  async #handOn(target: ProxmoxEndpoint, asked: Asked): Promise<Answer | undefined> {
    const answer = await this.#ask(target, asked).catch(() => undefined)
    if (answer === undefined || asked.method !== 'GET' || answer.status !== 200) return answer
    // The first look within the limit is kept, so that a repeated answer is really an old one.
    const kept = this.#answers.get(asked.url)
    const nowMs = this.#options.nowMs()
    if (kept !== undefined && nowMs - kept.atMs <= OLD_ANSWER_LIMIT_MS) return answer
    if (this.#answers.size >= OLD_ANSWERS_LIMIT) this.#answers.clear()
    this.#answers.set(asked.url, { atMs: nowMs, answer })
    return answer
  }

  #ask(target: ProxmoxEndpoint, { method, url, token, body }: Asked): Promise<Answer> {
    const { hostname, port } = new URL(target.url)
    const headers = {
      authorization: token,
      ...(body.length === 0 ? {} : { 'content-type': FORM, 'content-length': body.length }),
    }
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const sent = httpsRequest(
      { hostname, port, method, path: url, headers, agent: this.#agentOf(target.node) },
      (back) => {
        collect(back).then((bytes) => resolve(answerOf(back, bytes)), reject)
      },
    )
    sent.once('error', reject)
    sent.end(body)
    return promise
  }

  #agentOf(node: NodeName): Agent {
    const known = this.#agents.get(node)
    if (known !== undefined) return known
    const ca = this.#options.certificates[node]?.cert
    const agent = new Agent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) })
    this.#agents.set(node, agent)
    return agent
  }
}

const FORM = 'application/x-www-form-urlencoded'

function answerOf(back: IncomingMessage, body: Buffer): Answer {
  return {
    status: back.statusCode ?? 0,
    reason: back.statusMessage ?? '',
    type: back.headers['content-type'] ?? '',
    ...(back.headers.date === undefined ? {} : { date: back.headers.date }),
    body,
  }
}

const headersOf = ({ type, date, body }: Answer) => ({
  'content-length': body.length,
  ...(date === undefined ? {} : { date }),
  ...(type === '' ? {} : { 'content-type': type }),
})

/** Half of what was promised, and then nothing. */
function cutInside(response: ServerResponse, answer: Answer): void {
  response.writeHead(
    answer.status,
    answer.reason,
    headersOf({ ...answer, body: Buffer.concat([answer.body, Buffer.alloc(1)]) }),
  )
  response.write(answer.body.subarray(0, Math.ceil(answer.body.length / 2)), () => response.destroy())
}

async function read(request: IncomingMessage): Promise<Pick<Asked, 'token' | 'body'>> {
  return { token: request.headers.authorization ?? '', body: await collect(request) }
}

async function collect(from: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of from as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}
