/** The lab's Proxmox VE API over TLS: one listener a node, so that an entry point dies with its node. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type NodeName, nodeName } from '#domain/ids'
import { drawAt } from '#domain/random'
import type { LabWorld } from '#lab/world/lab-world'
import { consultApi, reachable } from '#lab/world/queries'
import { type LabCertificate, selfSignedCertificate } from '../tls.ts'
import { notImplemented, type PveAnswer, refusal } from './answer.ts'
import { missingRight, type PveCall, type Route, routeFinder, wrongIn } from './call.ts'
import { cephRoutes } from './ceph-routes.ts'
import { clusterRoutes, haRoutes } from './cluster-routes.ts'
import { guestRoutes } from './guest-routes.ts'
import { nodeRoutes } from './node-routes.ts'
import { type LabToken, signIn } from './rights.ts'
import { tokensOf } from './tokens.ts'

export type ProxmoxEndpoint = {
  readonly url: string
  readonly tokenId: string
  readonly tokenSecret: string
  readonly fingerprint256: string
  readonly node: NodeName
}

export type ServedProxmox = {
  /** One a node; all take the first token. */
  readonly endpoints: readonly ProxmoxEndpoint[]
  close(): Promise<void>
}

export const ROUTES: readonly Route[] = [...clusterRoutes, ...haRoutes, ...nodeRoutes, ...guestRoutes, ...cephRoutes]

const BODY_LIMIT_BYTES = 256 * 1024
/** A slow answer is slow in real time, but not for ever. */
const DELAY_LIMIT_MS = 30_000
const PREFIX = '/api2/json'

type Serving = {
  readonly lab: LabWorld
  /** Asked at each call: more may have been made. */
  readonly tokens: () => readonly LabToken[]
  readonly find: ReturnType<typeof routeFinder>
  readonly onChange: () => void
  readonly shuffled: PveCall['shuffled']
}

/**
 * @param onChange after each call that may have changed the world: the keeper saves, and looks when the next event is due.
 * @param tokens default: one token with all rights, and those that were made over the control URL
 */
export async function serveProxmox(options: {
  readonly lab: LabWorld
  readonly onChange: () => void
  readonly tokens?: readonly LabToken[]
  readonly host?: string
  /** By node, so that a lab that starts again keeps its addresses. */
  readonly ports?: Readonly<Record<string, number>>
  /** By node, for the same reason; made anew where there is none. */
  readonly certificates?: Readonly<Record<string, LabCertificate>>
}): Promise<ServedProxmox> {
  const { lab, onChange, host = '127.0.0.1' } = options
  const { seed, nodes, nowMs } = lab.state
  const tokens = () => options.tokens ?? tokensOf(lab.state)
  const serving: Serving = { lab, tokens, find: routeFinder(ROUTES), onChange, shuffled: shuffler(seed) }
  const [first] = tokens()
  const listeners = await Promise.all(
    Object.keys(nodes).map((name) => {
      const certificate = options.certificates?.[name] ?? selfSignedCertificate(name, nowMs)
      return listen(serving, nodeName(name), { host, port: options.ports?.[name] ?? 0, certificate })
    }),
  )
  return {
    endpoints: listeners.map(({ url, node, fingerprint256 }) => ({
      url,
      node,
      fingerprint256,
      tokenId: first?.id ?? '',
      tokenSecret: first?.secret ?? '',
    })),
    async close() {
      await Promise.all(listeners.map((listener) => listener.close()))
    },
  }
}

/** Draws of its own: looking must not change the world. */
function shuffler(seed: number): PveCall['shuffled'] {
  let draws = 0
  return (items) => {
    const order = [...items]
    for (let last = order.length - 1; last > 0; last--) {
      const other = Math.floor(drawAt(seed, 'proxmox-order', draws++) * (last + 1))
      const held = order[last] as (typeof order)[number]
      order[last] = order[other] as (typeof order)[number]
      order[other] = held
    }
    return order
  }
}

async function listen(
  serving: Serving,
  node: NodeName,
  { host, port, certificate }: { readonly host: string; readonly port: number; readonly certificate: LabCertificate },
) {
  const { key, cert, fingerprint256 } = certificate
  const server = createServer({ key, cert }, (request, response) => {
    handle(serving, node, request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  // A node that is off takes no connection; one that hangs takes it and says nothing.
  server.on('connection', (socket: Socket) => {
    const at = reachable(serving.lab.state, node)
    if (at.is === 'refused' && at.status !== 596) socket.destroy()
  })
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const { port: bound } = server.address() as AddressInfo
  return { node, fingerprint256, url: `https://${host}:${bound}`, close: () => closed(server) }
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}

async function handle(serving: Serving, entry: NodeName, request: IncomingMessage, response: ServerResponse) {
  const { lab } = serving
  const body = await readBody(request)
  const at = reachable(lab.state, entry)
  if (at.is === 'refused') {
    if (at.status !== 596) response.destroy()
    return
  }
  const method = request.method ?? 'GET'
  const { path, params } = target(request.url ?? '/', body)
  const verdict = consultApi(lab.state, { api: 'proxmox', method, path })
  if (verdict.is === 'error') return send(response, refusal(verdict.status, verdict.text), clockOf(lab, entry))
  if (verdict.is === 'pass' && verdict.delayMs > 0) await pause(Math.min(verdict.delayMs, DELAY_LIMIT_MS))
  const changesBefore = lab.state.changeCount
  const answer = answerOf(serving, { entry, method, path, params, authorization: request.headers.authorization })
  if (method !== 'GET' || lab.state.changeCount !== changesBefore) serving.onChange()
  if (verdict.is === 'answer-lost') response.destroy()
  else send(response, answer, clockOf(lab, entry))
}

/** What the node's own clock shows. */
function clockOf({ state }: LabWorld, node: NodeName): number {
  const skewMs = state.nodes[node]?.hardware.clockSkewMs ?? 'unknown'
  return state.nowMs + (skewMs === 'unknown' ? 0 : skewMs)
}

type Asked = {
  readonly entry: NodeName
  readonly method: string
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  readonly authorization: string | undefined
}

/** Token, path, rights, proxy, parameters: in Proxmox's own order. */
function answerOf({ lab, tokens, find, shuffled }: Serving, asked: Asked): PveAnswer {
  const { entry, method, path, params } = asked
  const signedIn = signIn(tokens(), asked.authorization)
  if (signedIn.is === 'refused') return refusal(401, signedIn.text)
  const found = find(method, path)
  if (found === undefined) return notImplemented(method, path)
  const { route, at } = found
  const missing = missingRight(route, signedIn.token, at)
  if (missing !== undefined) return refusal(403, missing)
  if (at.node !== undefined && at.node !== entry) {
    const proxied = reachable(lab.state, nodeName(at.node))
    if (proxied.is === 'refused') return refusal(proxied.status, proxied.text)
  }
  const wrong = wrongIn(route, params)
  if (wrong !== undefined) return wrong
  return route.answer({ world: lab.state, token: signedIn.token, entry, at, params, shuffled })
}

function target(url: string, body: string): { readonly path: string; readonly params: Record<string, string> } {
  const { pathname, searchParams } = new URL(url, 'https://lab')
  const params = Object.fromEntries([...searchParams, ...new URLSearchParams(body)])
  const path = pathname.startsWith(PREFIX) ? pathname.slice(PREFIX.length) : pathname
  try {
    return { path: decodeURIComponent(path), params }
  } catch {
    return { path, params }
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > BODY_LIMIT_BYTES) throw new Error('the body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function send(response: ServerResponse, { status, reason, body }: PveAnswer, nowMs: number): void {
  if (response.destroyed) return
  const type = body === '' ? {} : { 'content-type': 'application/json;charset=UTF-8' }
  // A reason phrase is one line of Latin letters.
  response.writeHead(status, reason.split('\n')[0]?.replaceAll(/[^\x20-\x7e]/g, '?') ?? '', {
    ...type,
    date: new Date(nowMs).toUTCString(),
    server: 'pve-api-daemon/3.0',
  })
  response.end(body)
}
