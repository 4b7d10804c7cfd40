/** The simulated BMCs as Redfish services over TLS: a port of its own for each node's BMC address. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { type NodeName, nodeName } from '#domain/ids'
import { drawAt } from '#domain/random'
import { type Secret, secret } from '#domain/secret'
import * as commands from '#lab/world/commands'
import type { LabWorld } from '#lab/world/lab-world'
import { bmcBehind, consultApi } from '#lab/world/queries'
import type { World, WorldNode } from '#lab/world/state'
import type { Answer } from '#lab/world/surface'
import { selfSignedCertificate } from '../tls.ts'
import { type RedfishResource, ROOT, resourceAt, SEL, SYSTEM } from './resources.ts'

export type ServedRedfish = {
  /** By node: 'https://127.0.0.1:41233'. */
  readonly urls: Readonly<Record<string, string>>
  readonly fingerprint256: string
  readonly user: string
  readonly password: Secret
  close(): Promise<void>
}

export type RedfishOptions = {
  readonly lab: LabWorld
  /** After each call that may have changed the world: the keeper saves, and looks when the next event is due. */
  readonly onChange: () => void
  /** By node, so that a lab that starts again keeps its addresses. */
  readonly ports?: Readonly<Record<string, number>>
}

const USER = 'coulisse'
const PASSWORD_DIGITS = 16
const TOKEN_BYTES = 16
const BODY_LIMIT_BYTES = 64 * 1024
const DELAY_LIMIT_MS = 60_000

type Reply = {
  readonly status: number
  readonly body?: RedfishResource
  readonly headers?: Readonly<Record<string, string>>
}
type Call = {
  readonly method: string
  readonly path: string
  readonly skip: number
  readonly headers: IncomingMessage['headers']
  readonly body: unknown
}
type Service = {
  readonly lab: LabWorld
  readonly onChange: () => void
  readonly bmcOf: NodeName
  readonly password: Secret
  readonly sessions: Set<string>
  readonly oldThermal: boolean
}

export async function serveRedfish(options: RedfishOptions): Promise<ServedRedfish> {
  const { lab, onChange } = options
  const { key, cert, fingerprint256 } = selfSignedCertificate('bmc.lab.invalid', lab.state.nowMs)
  const password = passwordOf(lab.state.seed)
  const servers: Server[] = []
  const urls: Record<string, string> = {}
  for (const [index, name] of Object.keys(lab.state.nodes).entries()) {
    const service = {
      lab,
      onChange,
      bmcOf: nodeName(name),
      password,
      sessions: new Set<string>(),
      oldThermal: index % 2 === 1,
    }
    const server = createServer({ key, cert }, (request, response) => void serve(service, request, response))
    servers.push(server)
    urls[name] = `https://127.0.0.1:${await listen(server, options.ports?.[name] ?? 0)}`
  }
  return {
    urls,
    fingerprint256,
    user: USER,
    password,
    close: () => Promise.all(servers.map(stop)).then(() => undefined),
  }
}

/** The same for the same seed, so that a control plane finds its lab again. It opens nothing but a simulation on loopback. */
function passwordOf(seed: number): Secret {
  const digits = Array.from({ length: PASSWORD_DIGITS }, (_, at) =>
    Math.floor(drawAt(seed, 'bmc-password', at) * 16).toString(16),
  )
  return secret(digits.join(''))
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}

/** A BMC that is silent, booting or without current answers nothing: the connection ends as at a dead machine's address. */
async function serve(service: Service, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const body = await readBody(request).catch(() => 'too-long' as const)
  const world = service.lab.state
  const chassis = bmcBehind(world, service.bmcOf)
  const method = request.method ?? 'GET'
  const verdict = consultApi(world, { api: 'bmc', method, path: `/redfish/${service.bmcOf}${path}` })
  if (chassis.is === 'refused' || body === 'too-long') return void request.socket.destroy()
  if (verdict.is === 'error') return send(response, { status: verdict.status, body: errorBody(verdict.text) })
  const skip = Number(new URLSearchParams(query).get('$skip') ?? 0)
  const call = { method, path: path.replace(/(.)\/$/, '$1'), skip, headers: request.headers, body }
  const reply = answer(service, world, chassis.value, call)
  if (method !== 'GET') service.onChange()
  if (verdict.is === 'answer-lost') return void request.socket.destroy()
  if (verdict.delayMs > 0) await sleep(Math.min(verdict.delayMs, DELAY_LIMIT_MS))
  send(response, reply)
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > BODY_LIMIT_BYTES) throw new Error('too long')
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return undefined
  }
}

function send(response: ServerResponse, { status, body, headers }: Reply): void {
  const etag = body === undefined || status !== 200 ? {} : { etag: etagOf(body) }
  response.writeHead(status, { 'content-type': 'application/json', 'odata-version': '4.0', ...etag, ...headers })
  response.end(body === undefined ? undefined : JSON.stringify(body))
}

const etagOf = (body: RedfishResource) =>
  `"${createHash('sha1').update(JSON.stringify(body)).digest('hex').slice(0, 16)}"`
const errorBody = (text: string): RedfishResource => ({
  error: { code: 'Base.1.8.GeneralError', message: text, '@Message.ExtendedInfo': [{ Message: text }] },
})
const no = (status: number, text: string): Reply => ({ status, body: errorBody(text) })

const SESSIONS = `${ROOT}/SessionService/Sessions`

function answer(service: Service, world: World, node: WorldNode, call: Call): Reply {
  if (call.path === SESSIONS && call.method === 'POST') return openSession(service, call)
  if (call.path !== ROOT && !isSignedIn(service, call)) return no(401, 'The user is not signed in.')
  if (call.method === 'DELETE' && call.path.startsWith(`${SESSIONS}/`)) {
    service.sessions.delete(call.path.slice(SESSIONS.length + 1))
    return { status: 204 }
  }
  const resource = resourceAt({ world, node, dialect: service }, call.path, call.skip)
  if (call.method === 'GET')
    return resource === undefined ? no(404, 'The resource was not found.') : { status: 200, body: resource }
  if (call.method === 'PATCH' && call.path === SYSTEM && resource) return patchSystem(service, world, resource, call)
  if (call.method === 'POST') return act(service, world, call)
  return no(405, 'The method is not allowed.')
}

const same = (a: string, b: string) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

function isSignedIn({ password, sessions }: Service, { headers }: Call): boolean {
  const token = headers['x-auth-token']
  if (typeof token === 'string') return sessions.has(token)
  const basic = Buffer.from(`${USER}:${password.reveal()}`).toString('base64')
  return same(headers.authorization ?? '', `Basic ${basic}`)
}

function openSession({ password, sessions }: Service, { body }: Call): Reply {
  const asked = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {}
  if (asked.UserName !== USER || !same(String(asked.Password), password.reveal()))
    return no(401, 'Wrong user or password.')
  const token = randomBytes(TOKEN_BYTES).toString('hex')
  sessions.add(token)
  return { status: 201, body: { Id: token }, headers: { 'x-auth-token': token, location: `${SESSIONS}/${token}` } }
}

function patchSystem(service: Service, world: World, resource: RedfishResource, { headers, body }: Call): Reply {
  const match = headers['if-match']
  if (match !== undefined && match !== etagOf(resource)) return no(412, 'The resource was changed meanwhile.')
  const change = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {}
  const wanted = service.oldThermal ? change.IndicatorLED : change.LocationIndicatorActive
  if (wanted === undefined) return no(400, 'None of the properties can be changed.')
  return done(
    commands.setIdentify(world, service.bmcOf, wanted === true || wanted === 'Blinking' || wanted === 'Lit', 'us'),
  )
}

const done = (outcome: Answer<null>): Reply =>
  outcome.is === 'done' ? { status: 204 } : no(outcome.status, outcome.text)

function act(service: Service, world: World, { path, body }: Call): Reply {
  const { bmcOf } = service
  if (path === `${SEL}/Actions/LogService.ClearLog`) return done(commands.clearSel(world, bmcOf, 'us'))
  if (path !== `${SYSTEM}/Actions/ComputerSystem.Reset`) return no(404, 'The action was not found.')
  const type = typeof body === 'object' && body !== null && 'ResetType' in body ? body.ResetType : undefined
  switch (type) {
    case 'On':
      return done(commands.powerOn(world, bmcOf, 'us'))
    case 'ForceOff':
      return done(commands.powerOffHard(world, bmcOf, 'us'))
    case 'GracefulShutdown':
      return done(commands.pressPower(world, bmcOf, 'us'))
    default:
      return no(400, 'The value of ResetType is not in the list of acceptable values.')
  }
}
