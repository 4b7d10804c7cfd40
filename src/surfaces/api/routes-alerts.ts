/** Where Alertmanager posts: on the API itself behind a shared secret, or alone on a TLS listener of its own. */
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { AlertReceiver } from '#app/alerts'
import { ProblemError, problemOf, sendProblem } from './problem.ts'

export const ALERTS_PATH = '/api/alertmanager'
/** About four thousand alerts; a group that is larger is no sign of one failing part. */
const BODY_LIMIT_BYTES = 4 * 1024 * 1024

export function addAlertRoute(server: FastifyInstance, receiver: AlertReceiver): void {
  // Before the body is read: who is not known sends us nothing large.
  const onRequest = async ({ headers }: FastifyRequest, reply: FastifyReply) => {
    if (receiver.isAuthorised(headers.authorization)) return
    reply.header('www-authenticate', 'Bearer')
    throw new ProblemError({ status: 401, title: 'not authorised' })
  }
  server.post(ALERTS_PATH, { bodyLimit: BODY_LIMIT_BYTES, onRequest }, async (request, reply) => {
    const received = await receiver.receive(request.body)
    switch (received.is) {
      case 'kept': {
        const { keptCount: kept, unplaced, notes } = received
        return { kept, unplaced, notes }
      }
      case 'unreadable':
        throw new ProblemError({ status: 422, title: 'this is no message of Alertmanager', faults: received.faults })
      case 'later':
        // Not 429: Alertmanager takes every 4xx for an answer and never sends these alerts again.
        reply.header('retry-after', String(received.afterS))
        throw new ProblemError({ status: 503, title: 'not now', detail: received.text })
    }
  })
}

export type AlertTls = { readonly cert: string; readonly key: string; readonly clientCa: string | undefined }

/** Answers nothing but alerts. With a client CA nobody without a certificate of it gets as far as a request. */
export function buildAlertServer(receiver: AlertReceiver, { cert, key, clientCa }: AlertTls): FastifyInstance {
  const server = Fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    https: {
      cert,
      key,
      ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
    },
  }) as unknown as FastifyInstance
  server.setErrorHandler((error, _request, reply) => sendProblem(reply, problemOf(error)))
  server.setNotFoundHandler((_request, reply) => sendProblem(reply, { status: 404, title: 'there is no such page' }))
  addAlertRoute(server, receiver)
  return server
}
