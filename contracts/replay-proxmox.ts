/** Answers from recordings of a real Proxmox VE 9.2, over TLS: one listener an entry point; what was asked is kept for the tests. */
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { selfSignedCertificate } from '#lab/wire/tls'

export type Recorded = { readonly status: number; readonly reason: string; readonly body: unknown }
/** Key: 'GET /nodes/pve1/status', with '?a=b' (sorted) where the parameters matter. Several: one after the other, the last stays. */
export type Tape = Readonly<Record<string, Recorded | readonly Recorded[]>>
export type Asked = {
  readonly entry: string
  readonly method: string
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  readonly authorization: string
}

/** When the recordings are played: what the nodes’ clocks show. */
export const REPLAY_NOW_MS = 1_795_332_811_000

const FOLDER = new URL('./recordings/proxmox/', import.meta.url)

export function recording(name: string): Recorded {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'))
}

/** For answers that nobody recorded, composed of recorded ones. */
export const composed = (data: unknown): Recorded => ({ status: 200, reason: 'OK', body: { data } })

export const dataOf = <T>(name: string): T => (recording(name).body as { data: T }).data

export type Replay = {
  readonly entries: readonly { readonly url: string; readonly node: string; readonly fingerprint256: string }[]
  readonly asked: Asked[]
  /** What the nodes' clocks show: the Date of their answers. */
  readonly clock: { nowMs: number }
  /** Changes what is answered from now on. */
  play(more: Tape): void
  close(): Promise<void>
}

export async function replayProxmox(nodes: readonly string[], tape: Tape): Promise<Replay> {
  const tracks = new Map<string, Recorded[]>()
  const asked: Asked[] = []
  const play = (more: Tape) => {
    for (const [key, value] of Object.entries(more))
      tracks.set(key, Array.isArray(value) ? [...value] : [value as Recorded])
  }
  play(tape)
  const clock = { nowMs: REPLAY_NOW_MS }
  const servers = await Promise.all(nodes.map((node) => listen(node, { tracks, asked, clock })))
  return {
    entries: servers.map(({ url, node, fingerprint256 }) => ({ url, node, fingerprint256 })),
    asked,
    clock,
    play,
    async close() {
      await Promise.all(servers.map(({ server }) => closed(server)))
    },
  }
}

type Playing = {
  readonly tracks: Map<string, Recorded[]>
  readonly asked: Asked[]
  readonly clock: { readonly nowMs: number }
}

async function listen(node: string, { tracks, asked, clock }: Playing) {
  const certificate = selfSignedCertificate(node, Date.parse('2026-11-22T12:00:00Z'))
  const server = createServer({ key: certificate.key, cert: certificate.cert }, async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const url = new URL(request.url ?? '/', 'https://entry')
    const params = Object.fromEntries([...url.searchParams, ...new URLSearchParams(body)])
    const method = request.method ?? ''
    const path = decodeURIComponent(url.pathname).replace('/api2/json', '')
    asked.push({ entry: node, method, path, params, authorization: request.headers.authorization ?? '' })
    const answer = next(tracks, `${method} ${path}`, params)
    // Status 0: a node that hangs takes the request and never answers.
    if (answer.status === 0) return
    response.writeHead(answer.status, answer.reason, {
      'content-type': 'application/json;charset=UTF-8',
      date: new Date(clock.nowMs).toUTCString(),
    })
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { server, node, url: `https://127.0.0.1:${port}`, fingerprint256: certificate.fingerprint256 }
}

function next(tracks: Map<string, Recorded[]>, key: string, params: Readonly<Record<string, string>>): Recorded {
  const query = new URLSearchParams(Object.entries(params).sort()).toString()
  const track = tracks.get(`${key}?${query}`) ?? tracks.get(key)
  const answer = track?.[0]
  if (track === undefined || answer === undefined) {
    // As Proxmox answers an unknown path; a test that meets it sees which.
    return {
      status: 501,
      reason: `Method '${key}' not implemented`,
      body: { message: `not on the tape: ${key}`, data: null },
    }
  }
  if (track.length > 1) track.shift()
  return answer
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}
