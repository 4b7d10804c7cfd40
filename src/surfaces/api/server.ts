/** The control plane over HTTP: JSON and an event stream for programs, pages for people. */
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { ControlPlane } from '#app/control-plane'
import { problemPage } from '../pages/problem.ts'
import { SeenKeys } from './act.ts'
import { addFormParsers } from './forms.ts'
import { type Problem, ProblemError, problemOf, sendProblem } from './problem.ts'
import { addAlertRoute } from './routes-alerts.ts'
import { addEvidenceRoutes } from './routes-evidence.ts'
import { addJsonRoutes, addReportRoutes } from './routes-json.ts'
import { addPageRoutes } from './routes-pages.ts'
import { addWitnessRoutes } from './routes-witness.ts'
import { addStreamRoute } from './stream.ts'

/** Pictures come in one request with the answer. */
const BODY_LIMIT_BYTES = 25 * 1024 * 1024

export type ServerOptions = {
  /** Host names besides those of the loopback under which people reach us, for instance through a proxy that signs them in. */
  readonly publicHosts: readonly string[]
  /** Makes keys for requests that bring none; an argument, so that tests know them. */
  readonly freshKey: () => string
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

/** Pages have one style and one script, both ours. Nothing is loaded from elsewhere and nobody else frames us. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src 'self' data:; frame-src 'self'; frame-ancestors 'self'; form-action 'self'; base-uri 'none'"

export function buildServer(controlPlane: ControlPlane, options: ServerOptions): FastifyInstance {
  const server = Fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200 },
  })
  const hosts = new Set([...LOOPBACK, ...options.publicHosts])
  server.addHook('onRequest', async (request, reply) => guard(request, reply, hosts))
  server.setErrorHandler((error, request, reply) => tell(request, reply, problemOf(error)))
  server.setNotFoundHandler((request, reply) => tell(request, reply, { status: 404, title: 'there is no such page' }))
  addFormParsers(server)
  const context = { freshKey: options.freshKey, seen: new SeenKeys() }
  addJsonRoutes(server, controlPlane, context)
  addReportRoutes(server, controlPlane)
  addStreamRoute(server, controlPlane)
  if (controlPlane.alerts?.isOnApi === true) addAlertRoute(server, controlPlane.alerts.receiver)
  addEvidenceRoutes(server, controlPlane)
  addWitnessRoutes(server, controlPlane)
  addPageRoutes(server, controlPlane, context)
  return server
}

/**
 * A web page of somebody else must not act through the operator's browser: its name may resolve to us (Host), and its forms
 * may post here (Origin). Programs send no Origin.
 */
async function guard(request: FastifyRequest, reply: FastifyReply, hosts: ReadonlySet<string>): Promise<void> {
  reply.headers({
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
    // Not no-referrer: under that one, forms of ours would post with the origin "null".
    'referrer-policy': 'same-origin',
    'cache-control': 'no-store',
  })
  if (!hosts.has(nameOf(request.host))) {
    throw new ProblemError({
      status: 421,
      title: 'this name is not ours',
      detail: 'add it to publicHosts if it should be',
    })
  }
  const { origin } = request.headers
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (!isRead && origin !== undefined && !isOwn(origin, request.host)) {
    throw new ProblemError({ status: 403, title: 'another site may not act here' })
  }
}

const nameOf = (host: string) => host.replace(/:\d+$/, '').toLowerCase()

function isOwn(origin: string, host: string): boolean {
  try {
    return new URL(origin).host.toLowerCase() === host.toLowerCase()
  } catch {
    return false
  }
}

/** Programs get JSON, people a page. */
function tell(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  if (request.url.startsWith('/api/')) return sendProblem(reply, problem)
  return reply.code(problem.status).type('text/html; charset=utf-8').send(problemPage(problem))
}
