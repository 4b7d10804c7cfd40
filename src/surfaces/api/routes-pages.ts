/** The pages: read by GET, acted by POST and sent back by 303, so that a reload repeats nothing. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ControlPlane } from '#app/control-plane'
import { customerId, type MaintenanceId } from '#domain/ids'
import { openWorkOrderOf, type WorkOrderView } from '#domain/view'
import { type ActValues, actPage, needsReason, type PersonAction } from '../pages/act.ts'
import { LIVE_SCRIPT } from '../pages/live-script.ts'
import { maintenancePage } from '../pages/maintenance.ts'
import { overviewPage } from '../pages/overview.ts'
import { type AnswerValues, interlockPage, workOrderPage } from '../pages/work-order.ts'
import { headOf, reportOf, type SeenKeys, sendAnswer, sendControl } from './act.ts'
import { filesIn, isForm, textIn, textsIn } from './forms.ts'
import { answerOf, controlOf, idOf } from './input.ts'
import { faultLines, notFound, type Problem, ProblemError } from './problem.ts'

const ACTS = ['approve', 'reject', 'lift', 'pause', 'resume', 'abort'] as const satisfies readonly PersonAction[]
const PHOTOS_LIMIT = 10

type Context = { readonly freshKey: () => string; readonly seen: SeenKeys }

const sendPage = (reply: FastifyReply, text: string, status = 200) =>
  reply.code(status).type('text/html; charset=utf-8').send(text)

export function addPageRoutes(server: FastifyInstance, controlPlane: ControlPlane, context: Context): void {
  addReadingRoutes(server, controlPlane)
  addActRoutes(server, controlPlane, context)
  addWorkOrderRoutes(server, controlPlane, context)
}

const frameOf = async (controlPlane: ControlPlane) => ({
  nowMs: await controlPlane.nowMs(),
  simulated: controlPlane.lab !== undefined,
})

function addReadingRoutes(server: FastifyInstance, controlPlane: ControlPlane): void {
  server.get('/', async (_, reply) => {
    const [heads, findings] = await Promise.all([controlPlane.maintenances(), controlPlane.findings()])
    return sendPage(reply, overviewPage({ ...(await frameOf(controlPlane)), heads, findings }))
  })

  server.get('/live.js', async (_, reply) => reply.type('text/javascript; charset=utf-8').send(LIVE_SCRIPT))

  server.get('/maintenances/:id', async (request, reply) => {
    const head = await headOf(controlPlane, idOf(request.params))
    const rows = await controlPlane.journal(head.id, 0)
    return sendPage(reply, maintenancePage({ ...(await frameOf(controlPlane)), head, rows }))
  })

  server.get('/maintenances/:id/reports/:customer', async (request, reply) => {
    const { customer } = request.params as { customer: string }
    return sendPage(reply, await reportOf(controlPlane, idOf(request.params), customerId(customer)))
  })
}

function actionOf(params: unknown): PersonAction {
  const { action } = params as { action: string }
  const known = ACTS.find((one) => one === action)
  if (known === undefined) throw notFound(`action ${action}`)
  return known
}

function addActRoutes(server: FastifyInstance, controlPlane: ControlPlane, { freshKey, seen }: Context): void {
  server.get('/maintenances/:id/act/:action', async (request, reply) => {
    const head = await headOf(controlPlane, idOf(request.params))
    const action = actionOf(request.params)
    const frame = await frameOf(controlPlane)
    return sendPage(reply, actPage({ ...frame, head, action, key: freshKey(), values: {}, faults: [] }))
  })

  server.post('/maintenances/:id/act/:action', async (request, reply) => {
    const action = actionOf(request.params)
    const id = idOf(request.params)
    const form = formIn(request.body)
    const key = textIn(form, 'key') || freshKey()
    try {
      await sendControl(controlPlane, { id, message: controlOf(messageIn(form, action)), key, seen })
      return reply.redirect(`/maintenances/${encodeURIComponent(id)}`, 303)
    } catch (error) {
      const problem = problemIn(error)
      const head = await headOf(controlPlane, id)
      const input = { ...(await frameOf(controlPlane)), head, action, key, values: valuesIn(form) }
      return sendPage(reply, actPage({ ...input, faults: faultLines(problem) }), problem.status)
    }
  })
}

function formIn(body: unknown): FormData {
  if (!isForm(body)) throw new ProblemError({ status: 415, title: 'this address takes a form' })
  return body
}

/** What is ours to tell beside the form; everything else goes up. */
function problemIn(error: unknown): Problem {
  if (error instanceof ProblemError && error.problem.status !== 404) return error.problem
  throw error
}

const valuesIn = (form: FormData): ActValues => ({
  by: textIn(form, 'by'),
  reason: textIn(form, 'reason'),
  lifted: textsIn(form, 'lifted'),
  cancelRunning: textIn(form, 'cancelRunning') === 'yes',
})

function messageIn(form: FormData, action: PersonAction): Record<string, unknown> {
  const { by, reason, lifted, cancelRunning } = valuesIn(form)
  if (action === 'approve') return { kind: action, by, plan: textIn(form, 'plan'), lifted, reason }
  if (action === 'lift') return { kind: action, by, lifted, reason }
  if (action === 'pause') return { kind: action, by, cancelRunning }
  return needsReason(action) ? { kind: action, by, reason } : { kind: action, by }
}

async function workOf(controlPlane: ControlPlane, id: MaintenanceId, order: string) {
  const head = await headOf(controlPlane, id)
  const work = head.view.workOrders.find((one) => one.order.id === order)
  if (work === undefined) throw notFound(`work order ${order}`)
  return { head, work }
}

function addWorkOrderRoutes(server: FastifyInstance, controlPlane: ControlPlane, { freshKey }: Context): void {
  const takesPhotos = controlPlane.keepPhoto !== undefined
  const show = async (params: unknown, key: string, values: AnswerValues, faults: readonly string[]) => {
    const { id, order } = params as { id: MaintenanceId; order: string }
    const input = { ...(await frameOf(controlPlane)), ...(await workOf(controlPlane, id, order)) }
    return workOrderPage({ ...input, key, takesPhotos, values, faults })
  }

  /** The address on the LED's label, in the mail, on the live page: always the one that counts now. */
  server.get('/maintenances/:id/work-order', async (request, reply) => {
    const { id, view } = await headOf(controlPlane, idOf(request.params))
    const work: WorkOrderView | undefined = openWorkOrderOf(view) ?? view.workOrders.at(-1)
    if (work === undefined) throw notFound('work order yet')
    const path = `/maintenances/${encodeURIComponent(id)}/work-orders/${encodeURIComponent(work.order.id)}`
    return reply.redirect(path, 303)
  })

  server.get('/maintenances/:id/work-orders/:order', async (request, reply) => {
    const { serial } = request.query as { serial?: string }
    return sendPage(reply, await show(request.params, freshKey(), serial === undefined ? {} : { serial }, []))
  })

  server.get('/maintenances/:id/work-orders/:order/interlock', async (request, reply) => {
    const { view } = await headOf(controlPlane, idOf(request.params))
    return sendPage(reply, interlockPage({ ...(await frameOf(controlPlane)), view }))
  })

  server.post('/maintenances/:id/work-orders/:order', async (request, reply) => {
    const { id, order } = request.params as { id: MaintenanceId; order: string }
    const form = formIn(request.body)
    const key = textIn(form, 'key') || freshKey()
    const values = answerIn(form)
    try {
      // Read once without pictures: nothing is kept of a form that does not fit.
      answerOf(order, values)
      const photos = await keepPhotos(controlPlane, id, filesIn(form, 'photos'))
      await sendAnswer(controlPlane, { id, answer: answerOf(order, { ...values, photos }), key })
      return reply.redirect(`/maintenances/${encodeURIComponent(id)}/work-orders/${encodeURIComponent(order)}`, 303)
    } catch (error) {
      const problem = problemIn(error)
      return sendPage(reply, await show(request.params, key, values, faultLines(problem)), problem.status)
    }
  })
}

const answerIn = (form: FormData) => ({
  by: textIn(form, 'by'),
  serial: textIn(form, 'serial'),
  outcome: textIn(form, 'outcome'),
  found: textIn(form, 'found'),
  did: textsIn(form, 'did'),
})

async function keepPhotos(
  controlPlane: ControlPlane,
  id: MaintenanceId,
  files: readonly File[],
): Promise<readonly string[]> {
  if (files.length > PHOTOS_LIMIT) throw new ProblemError({ status: 422, title: `at most ${PHOTOS_LIMIT} pictures` })
  const names: string[] = []
  for (const file of files) {
    const { name, type } = file
    if (!type.startsWith('image/')) throw new ProblemError({ status: 422, title: `${name} is not a picture` })
    const bytes = new Uint8Array(await file.arrayBuffer())
    const kept = await controlPlane.keepPhoto?.(id, { name, type, bytes })
    if (kept !== undefined) names.push(kept)
  }
  return names
}
