/** Evidence for customers, and the journal's roots for everybody. */
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { ControlPlane } from '#app/control-plane'
import { customerId } from '#domain/ids'
import { rootsFeed, rootsPage } from '../pages/roots.ts'
import { headOf } from './act.ts'
import { idOf } from './input.ts'
import { badInput, notFound } from './problem.ts'

const Erasing = z.strictObject({ word: z.string().trim().min(3) })

export function addEvidenceRoutes(server: FastifyInstance, controlPlane: ControlPlane): void {
  const { evidence } = controlPlane
  if (evidence === undefined) return

  server.get('/api/maintenances/:id/evidence/:customer', async (request, reply) => {
    const { id } = await headOf(controlPlane, idOf(request.params))
    const { customer } = request.params as { customer: string }
    const bundle = await evidence.bundle(id, customerId(customer))
    if (bundle === undefined) throw notFound(`guest of ${customer} in this maintenance`)
    return reply.type('application/json; charset=utf-8').send(bundle)
  })

  server.post('/api/erase', async (request) => {
    const parsed = Erasing.safeParse(request.body)
    if (!parsed.success) throw badInput(parsed.error)
    return { erasedCount: await evidence.erase(parsed.data.word) }
  })

  server.get('/public/roots.json', async () => evidence.roots())
  server.get('/public/roots', async (_, reply) =>
    reply.type('text/html; charset=utf-8').send(rootsPage(await evidence.roots())),
  )
  server.get('/public/roots.atom', async (_, reply) =>
    reply.type('application/atom+xml; charset=utf-8').send(rootsFeed(await evidence.roots())),
  )
}
