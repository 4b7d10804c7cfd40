/** An HTTP server on loopback that answers as a test says, and keeps what it was asked. With a certificate it speaks TLS. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type LabCertificate, selfSignedCertificate } from '#lab/wire/tls'

export type Said = {
  readonly status?: number
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  /** The connection breaks after the body's first half. */
  readonly cut?: true
  /** Nothing is ever said. */
  readonly silent?: true
}

export type Asked = { readonly url: string; readonly headers: IncomingHttpHeaders }

export type JsonReplay = {
  readonly url: string
  readonly asked: readonly Asked[]
  readonly certificate: LabCertificate | undefined
  close(): Promise<void>
}

export async function jsonReplay(answer: (asked: Asked) => Said, options: { tls?: boolean } = {}): Promise<JsonReplay> {
  const asked: Asked[] = []
  const certificate = options.tls === true ? selfSignedCertificate('localhost', Date.now()) : undefined
  const listener = (request: { url?: string | undefined; headers: IncomingHttpHeaders }, response: ServerResponse) => {
    const one = { url: request.url ?? '', headers: request.headers }
    asked.push(one)
    say(response, answer(one))
  }
  const server = certificate === undefined ? createServer(listener) : createTlsServer(certificate, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    asked,
    certificate,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function say(response: ServerResponse, { status = 200, body = '', headers = {}, cut, silent }: Said): void {
  if (silent === true) return
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  if (cut !== true) {
    response.end(body)
    return
  }
  response.write(body.slice(0, body.length / 2), () => response.destroy())
}

/** What may come instead of an answer, and whether trying again helps. */
export const BAD_ANSWERS: readonly (readonly [what: string, said: Said, retry: 'now' | 'later' | 'never'])[] = [
  ['garbage', { body: '\u0000\u0001garbage' }, 'later'],
  ['a web page', { body: '<!doctype html><title>Sign in</title>' }, 'never'],
  ['half a JSON', { body: '{"status":"success","data":{"res' }, 'later'],
  ['an empty body', { body: '' }, 'later'],
  ['a broken connection', { body: '{"status":"success","data":{}}', cut: true }, 'later'],
  ['silence', { silent: true }, 'later'],
  ['a page of a proxy whose back is away', { status: 502, body: '<html>Bad gateway</html>' }, 'later'],
  ['too many requests', { status: 429, body: '{}' }, 'later'],
  ['unauthorised', { status: 401, body: 'Unauthorized\n' }, 'never'],
  ['a redirection', { status: 302, headers: { location: 'https://sso.example/login' } }, 'never'],
  ['JSON of something else', { body: '{"kind":"Status"}' }, 'never'],
  ['a list', { body: '[]' }, 'never'],
]
