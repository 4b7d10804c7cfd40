/** Where witnesses ask for their orders and send their samples. Both are signed: who has no key that we know learns nothing. */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { ControlPlane } from '#app/control-plane'
import type { OrdersRequest, Sending, WitnessAnswer } from '#app/witness/desk'
import { SAMPLES_FORMAT } from '#domain/probing'
import { badInput, ProblemError } from './problem.ts'

const UNPACKED_LIMIT_BYTES = 64 * 1024 * 1024
const AWAY_AFTER_S = 10

const OrdersBody = z.strictObject({
  format: z.literal('coulisse/probe-orders-request@1'),
  key: z.string().max(100),
  atMs: z.number(),
  signature: z.string().max(200),
})

const Chunk = z.strictObject({
  format: z.literal(SAMPLES_FORMAT),
  witness: z.string().max(100),
  key: z.string().max(100),
  run: z.string().max(100),
  target: z.string().max(500),
  guest: z.int().positive(),
  how: z.enum(['icmp', 'tcp', 'http']),
  periodMs: z.number().min(1).max(60_000),
  firstAtMs: z.number(),
  answersUs: z.array(z.int().min(-2)).max(5_000),
  clockMovedMs: z.number(),
  sentAtMs: z.number(),
  signature: z.string().max(200),
})
const SendingBody = z.object({
  format: z.literal('coulisse/sample-sending@1'),
  madeAgoMs: z.number().min(0).optional(),
  chunks: z.array(Chunk).max(2_000),
})

export function addWitnessRoutes(server: FastifyInstance, { witness }: ControlPlane): void {
  if (witness === undefined) return
  const unpack = promisify(gunzip)
  server.addContentTypeParser('application/gzip', { parseAs: 'buffer' }, async (_: unknown, body: Buffer) => {
    try {
      const text = await unpack(body, { maxOutputLength: UNPACKED_LIMIT_BYTES })
      return JSON.parse(text.toString('utf8'))
    } catch (error) {
      throw new ProblemError({
        status: 422,
        title: `it cannot be unpacked: ${error instanceof Error ? error.message : error}`,
      })
    }
  })

  server.post('/api/witness/orders', async (request) => {
    const parsed = OrdersBody.safeParse(request.body)
    if (!parsed.success) throw badInput(parsed.error)
    return answerOf(await witness.orders(parsed.data as OrdersRequest))
  })

  server.post('/api/witness/samples', async (request) => {
    const parsed = SendingBody.safeParse(request.body)
    if (!parsed.success) throw badInput(parsed.error)
    return answerOf(await witness.take(parsed.data as unknown as Sending))
  })
}

function answerOf<T>(answer: WitnessAnswer<T>): T {
  switch (answer.is) {
    case 'ok':
      return answer.value
    case 'unknown':
      throw new ProblemError({ status: 401, title: answer.text })
    case 'bad':
      throw new ProblemError({ status: 422, title: answer.text })
    case 'later':
      throw new ProblemError({ status: 503, title: answer.text, detail: `try again in ${AWAY_AFTER_S} s` })
  }
}
