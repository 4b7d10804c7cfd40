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
import { type LabCertificate, selfSignedCertificate } from '../tls.ts'
import { type EventService, eventResource, eventService } from './events.ts'
import { type Paths, pathsOf, type Query, type RedfishResource, ROOT, resourceAt, USER } from './resources.ts'
import { VENDORS, type Vendor, type VendorName, vendorCalled } from './vendors.ts'

export type ServedRedfish = {
  /** By node: 'https://127.0.0.1:41233'. */
  readonly urls: Readonly<Record<string, string>>
  readonly fingerprint256: string
  readonly user: string
  readonly password: Secret
  /** Sessions that are open at a node's BMC. */
  sessionCount(node: NodeName): number
  close(): Promise<void>
}

export type RedfishOptions = {
  readonly lab: LabWorld
  /** After each call that may have changed the world: the keeper saves, and looks when the next event is due. */
  readonly onChange: () => void
  /** By node, so that a lab that starts again keeps its addresses. */
  readonly ports?: Readonly<Record<string, number>>
  /** Else one is made at each start, as BMCs do when they are reset to defaults. */
  readonly certificate?: LabCertificate
  /** Whose BMC a node has. Absent: iDRAC, iLO and Supermicro in turn, in the order of the nodes. */
  readonly vendors?: Readonly<Record<string, VendorName>>
  /** AccountService.HTTPBasicAuth 'Disabled', as administrators may set it: sessions only. */
  readonly isBasicOff?: boolean
}

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
  readonly query: Query
  readonly headers: IncomingMessage['headers']
  readonly body: unknown
}
type Service = {
  readonly isBasicOff: boolean
  readonly lab: LabWorld
  readonly onChange: () => void
  readonly bmcOf: NodeName
  readonly password: Secret
  readonly sessions: Set<string>
  readonly vendor: Vendor
  readonly paths: Paths
  readonly events: EventService
  /** Some refuse the first change of all. */
  hasRefusedChange: boolean
}

export async function serveRedfish(options: RedfishOptions): Promise<ServedRedfish> {
  const { lab } = options
  const { key, cert, fingerprint256 } = options.certificate ?? selfSignedCertificate('bmc.lab.invalid', lab.state.nowMs)
  const password = passwordOf(lab.state.seed)
  const services: Service[] = []
  const servers: Server[] = []
  const urls: Record<string, string> = {}
  for (const [index, name] of Object.keys(lab.state.nodes).entries()) {
    const service = serviceOf(options, nodeName(name), index, password)
    const server = createServer({ key, cert }, (request, response) => void serve(service, request, response))
    services.push(service)
    servers.push(server)
    urls[name] = `https://127.0.0.1:${await listen(server, options.ports?.[name] ?? 0)}`
  }
  return {
    urls,
    fingerprint256,
    user: USER,
    password,
    sessionCount: (node) => services.find(({ bmcOf }) => bmcOf === node)?.sessions.size ?? 0,
    close: async () => {
      await Promise.all([...services.map(({ events }) => events.close()), ...servers.map(stop)])
    },
  }
}

function serviceOf(
  { lab, onChange, vendors, isBasicOff = false }: RedfishOptions,
  bmcOf: NodeName,
  index: number,
  password: Secret,
): Service {
  const named = vendors?.[bmcOf]
  const vendor = named === undefined ? VENDORS[index % VENDORS.length] : vendorCalled(named)
  if (vendor === undefined) throw new Error('there are vendors')
  const paths = pathsOf(vendor)
  const chassis = () => {
    const answer = bmcBehind(lab.state, bmcOf)
    return answer.is === 'done' ? answer.value : undefined
  }
  const sessions = new Set<string>()
  // Started anew, a BMC knows neither its sessions nor its subscriptions.
  const events = eventService({ vendor, paths, chassis, onReset: () => sessions.clear() })
  return { lab, onChange, bmcOf, password, sessions, vendor, isBasicOff, paths, events, hasRefusedChange: false }
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
  if (verdict.is === 'error') return send(service, response, { status: verdict.status, body: errorBody(verdict.text) })
  const asked = new URLSearchParams(query)
  const call = {
    method,
    path: path.replace(/(.)\/$/, '$1'),
    query: { skip: Number(asked.get('$skip') ?? 0), expand: asked.has('$expand') },
    headers: request.headers,
    body,
  }
  const { vendor, paths } = service
  if (vendor.sendsStream && call.path === `${paths.events}/SSE` && isSignedIn(service, call)) {
    return service.events.stream(response)
  }
  // iLO says where the root is, and serves it nowhere else.
  if (vendor.slash === '/' && path === ROOT)
    return send(service, response, { status: 308, headers: { location: `${ROOT}/` } })
  const reply = answer(service, world, chassis.value, call)
  if (method !== 'GET') service.onChange()
  if (verdict.is === 'answer-lost') return void request.socket.destroy()
  if (verdict.delayMs > 0) await sleep(Math.min(verdict.delayMs, DELAY_LIMIT_MS))
  send(service, response, reply)
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

function send({ vendor }: Service, response: ServerResponse, { status, body, headers }: Reply): void {
  const hasEtag = body !== undefined && status === 200
  const shown = hasEtag && vendor.etag === 'body' ? { ...body, '@odata.etag': etagOf(body) } : body
  const weak = vendor.etag === 'weak-header' ? 'W/' : ''
  const etag = hasEtag && vendor.etag !== 'body' ? { etag: `${weak}${etagOf(body)}` } : {}
  response.writeHead(status, { 'content-type': 'application/json', 'odata-version': '4.0', ...etag, ...headers })
  response.end(shown === undefined ? undefined : JSON.stringify(shown))
}

const etagOf = (body: RedfishResource) =>
  `"${createHash('sha1').update(JSON.stringify(body)).digest('hex').slice(0, 16)}"`
const errorBody = (text: string): RedfishResource => ({
  error: { code: 'Base.1.8.GeneralError', message: text, '@Message.ExtendedInfo': [{ Message: text }] },
})
const no = (status: number, text: string): Reply => ({ status, body: errorBody(text) })

const SESSIONS = `${ROOT}/SessionService/Sessions`

function answer(service: Service, world: World, node: WorldNode, call: Call): Reply {
  const { vendor, paths, events } = service
  if (call.path === SESSIONS && call.method === 'POST') return openSession(service, call)
  if (call.path !== ROOT && !isSignedIn(service, call)) return no(401, 'The user is not signed in.')
  if (call.method === 'DELETE') return remove(service, call)
  if (call.path === SESSIONS)
    return { status: 200, body: { '@odata.id': SESSIONS, 'Members@odata.count': service.sessions.size } }
  const resource =
    eventResource(vendor, paths, events, call.path) ??
    resourceAt({ world, node, vendor, paths, query: call.query }, call.path)
  if (call.method === 'GET')
    return resource === undefined ? no(404, 'The resource was not found.') : { status: 200, body: resource }
  if (call.method === 'PATCH' && call.path === paths.system && resource)
    return patchSystem(service, world, resource, call)
  if (call.method === 'POST') return act(service, world, call)
  return no(405, 'The method is not allowed.')
}

function remove({ sessions, events, paths }: Service, { path }: Call): Reply {
  const id = path.split('/').at(-1) ?? ''
  const list = path.startsWith(`${paths.events}/Subscriptions/`) ? events.subscriptions : sessions
  return list.delete(id) ? { status: 204 } : no(404, 'The resource was not found.')
}

const same = (a: string, b: string) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

function isSignedIn({ password, sessions, isBasicOff }: Service, { headers }: Call): boolean {
  const token = headers['x-auth-token']
  if (typeof token === 'string') return sessions.has(token)
  if (isBasicOff) return false
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
  const { vendor } = service
  const match = headers['if-match']
  if (vendor.refusesFirstChange && !service.hasRefusedChange) {
    service.hasRefusedChange = true
    return no(412, 'The ETag supplied did not match the ETag required to change this resource.')
  }
  if (match === undefined && vendor.needsIfMatch) return no(428, 'A precondition header is required.')
  if (match !== undefined && match !== '*' && match.replace(/^W\//, '') !== etagOf(resource)) {
    return no(412, 'The ETag supplied did not match the ETag required to change this resource.')
  }
  const change = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {}
  const wanted = change[vendor.locate]
  if (vendor.locate === 'IndicatorLED' && !vendor.ledValues.includes(String(wanted))) {
    return no(400, 'The value of IndicatorLED is not in the list of acceptable values.')
  }
  if (wanted === undefined) return no(400, 'None of the properties can be changed.')
  return done(
    commands.setIdentify(world, service.bmcOf, wanted === true || (wanted !== false && wanted !== 'Off'), 'us'),
  )
}

const done = (outcome: Answer<null>): Reply =>
  outcome.is === 'done' ? { status: 204 } : no(outcome.status, outcome.text)

function act({ bmcOf, paths, events, vendor }: Service, world: World, { path, body }: Call): Reply {
  if (path === `${paths.events}/Subscriptions`) {
    const made = events.subscribe(body)
    if (made === undefined) return no(400, 'The subscription cannot be made.')
    return { status: 201, headers: { location: `${path}/${made.id}` } }
  }
  if (path === `${paths.log}/Actions/LogService.ClearLog`) return done(commands.clearSel(world, bmcOf, 'us'))
  if (path !== `${paths.system}/Actions/ComputerSystem.Reset`) return no(404, 'The action was not found.')
  const type = typeof body === 'object' && body !== null && 'ResetType' in body ? body.ResetType : undefined
  if (!vendor.resetTypes.includes(String(type))) {
    return no(400, 'The value of ResetType is not in the list of acceptable values.')
  }
  switch (type) {
    case 'On':
      return done(commands.powerOn(world, bmcOf, 'us'))
    case 'ForceOff':
      return done(commands.powerOffHard(world, bmcOf, 'us'))
    case 'GracefulShutdown':
      return done(commands.pressPower(world, bmcOf, 'us'))
    default:
      return no(501, 'The lab does not play this type.')
  }
}
