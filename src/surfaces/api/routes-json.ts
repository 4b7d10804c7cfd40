/** The JSON routes: what the CLI and other programs use. */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ControlPlane, MaintenanceHead } from '#app/control-plane'
import type { ReportFile } from '#app/report-query'
import { ACTIONS, can } from '#domain/can'
import { customerId } from '#domain/ids'
import { statusOf, waitingIn } from '#domain/status'
import { headOf, reportOf, type SeenKeys, sendAnswer, sendControl } from './act.ts'
import {
  afterSeqOf,
  answerOf,
  controlOf,
  draftFormOf,
  idOf,
  keyOf,
  monthFormOf,
  releaseOf,
  reportFormOf,
  startOf,
} from './input.ts'
import { notFound, notNow, ProblemError } from './problem.ts'
import { ALERTS_PATH } from './routes-alerts.ts'

/** What `GET /api/maintenances/:id` answers: the view, what people may do now, and who waits for what. */
const describe = ({ id, cluster, view }: MaintenanceHead) => ({
  id,
  cluster,
  status: statusOf(view),
  waiting: waitingIn(view),
  allowed: Object.fromEntries(ACTIONS.map((action) => [action, can(view, action)])),
  view,
})

const KEY_HEADER = 'idempotency-key'

export function addJsonRoutes(
  server: FastifyInstance,
  controlPlane: ControlPlane,
  { freshKey, seen }: { readonly freshKey: () => string; readonly seen: SeenKeys },
): void {
  const simulated = controlPlane.lab !== undefined

  server.get('/api/health', async () => ({ ready: true, simulated, nowMs: await controlPlane.nowMs() }))

  server.get('/api/findings', async () => ({ simulated, findings: await controlPlane.findings() }))

  const { alerts } = controlPlane
  if (alerts !== undefined) server.get(ALERTS_PATH, async () => ({ simulated, ...alerts.receiver.counts() }))

  server.get('/api/maintenances', async () => ({
    simulated,
    maintenances: (await controlPlane.maintenances()).map(describe),
  }))

  server.post('/api/maintenances', async (request, reply) => {
    const key = keyOf(request.headers[KEY_HEADER], freshKey)
    const outcome = await controlPlane.start(startOf(request.body), key)
    if (outcome.is === 'refused') {
      throw new ProblemError({ status: 409, title: outcome.text, detail: `lifted by: ${outcome.lifts}` })
    }
    return reply.code(outcome.is === 'started' ? 201 : 200).send({ id: outcome.id })
  })

  server.get('/api/maintenances/:id', async (request) => ({
    simulated,
    ...describe(await headOf(controlPlane, idOf(request.params))),
  }))

  server.get('/api/maintenances/:id/journal', async (request) => {
    const { id } = await headOf(controlPlane, idOf(request.params))
    const after = afterSeqOf((request.query as { after?: string }).after)
    return { format: 'coulisse/journal@1', simulated, rows: await controlPlane.journal(id, after) }
  })

  server.post('/api/maintenances/:id/control', async (request, reply) => {
    const message = controlOf(request.body)
    const key = keyOf(request.headers[KEY_HEADER], freshKey)
    await sendControl(controlPlane, { id: idOf(request.params), message, key, seen })
    return reply.code(202).send({ accepted: true, key })
  })

  server.post('/api/maintenances/:id/release', async (request, reply) => {
    const key = keyOf(request.headers[KEY_HEADER], freshKey)
    const outcome = await controlPlane.release(idOf(request.params), releaseOf(request.body), key)
    if (outcome.is === 'unknown-maintenance') throw notFound('such a maintenance')
    if (outcome.is === 'refused') throw notNow(outcome.text)
    return reply.code(202).send({ accepted: true, key })
  })

  server.post('/api/maintenances/:id/work-orders/:order/answer', async (request, reply) => {
    const answer = answerOf((request.params as { order: string }).order, request.body)
    const key = keyOf(request.headers[KEY_HEADER], freshKey)
    await sendAnswer(controlPlane, { id: idOf(request.params), answer, key })
    return reply.code(202).send({ accepted: true, key })
  })
}

/** What customers are told, in the forms that people and programs ask for. */
export function addReportRoutes(server: FastifyInstance, controlPlane: ControlPlane): void {
  server.get('/api/maintenances/:id/reports/:customer', async (request, reply) => {
    const id = idOf(request.params)
    const customer = customerId((request.params as { customer: string }).customer)
    const { form, language } = reportFormOf(request.query)
    if (form === undefined) {
      return reply.type('text/html; charset=utf-8').send(await reportOf(controlPlane, id, customer))
    }
    const file = await controlPlane.reportAs({ maintenance: id, customer, form, ...(language && { language }) })
    if (file === undefined) throw notFound(`report for ${customer}`)
    return sendFile(reply, file)
  })

  server.get('/api/maintenances/:id/public', async (request, reply) => {
    const file = await controlPlane.publicDraft({ maintenance: idOf(request.params), ...draftFormOf(request.query) })
    if (file === undefined) throw notFound('such a maintenance')
    return sendFile(reply, file)
  })

  /** A line a customer: there may be thousands, and none waits for the others. */
  server.get('/api/months/:month/reports', async (request, reply) => {
    const { month } = request.params as { month: string }
    const { customer, form, language } = monthFormOf(request.query)
    const files = controlPlane.monthReports({
      month,
      form,
      ...(customer && { customer: customerId(customer) }),
      ...(language && { language }),
    })
    if (files === undefined) throw notFound(`month ${month}: write it like 2026-11`)
    return reply.type('application/x-ndjson; charset=utf-8').send(Readable.from(lines(files)))
  })
}

const sendFile = (reply: FastifyReply, { name, type, bytes }: ReportFile) =>
  reply.type(type).header('content-disposition', `inline; filename="${name}"`).send(Buffer.from(bytes))

async function* lines(files: AsyncIterable<ReportFile>): AsyncIterable<string> {
  for await (const { name, type, bytes } of files) {
    yield `${JSON.stringify({ name, type, base64: Buffer.from(bytes).toString('base64') })}\n`
  }
}
