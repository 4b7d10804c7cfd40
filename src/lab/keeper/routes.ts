/** What the control server answers over one world. */
import { z } from 'zod'
import type { Act } from '#domain/act'
import type { Event } from '#domain/event'
import { type Vmid, vmid, workOrderId } from '#domain/ids'
import type { Interlock, WorkOrder } from '#domain/maintenance'
import type { ProbeReading } from '#domain/measurement'
import { takeFault } from '#lab/faults/apply'
import { FAULT_FIELDS } from '#lab/faults/kinds'
import { publishPage } from '#lab/world/commands'
import { noteIntent, noteInterlock, noteJournal } from '#lab/world/journal'
import type { LabWorld } from '#lab/world/lab-world'
import { probeReading } from '#lab/world/queries'
import { answerWorkOrder, issueWorkOrder, refuseAnswer, takeAnswers } from '#lab/world/technician'
import { type ControlServer, type Handler, problem, type Reply } from './control.ts'
import type { Keeper } from './keeper.ts'
import { tellTruth } from './truth.ts'

type ProbeQuery = { readonly guest: Vmid; readonly fromMs: number; readonly toMs: number }

const ok = (body: unknown): Reply => ({ status: 200, body })

/** What is wrong with a body, one line a problem; nothing was done. */
function parsed<T>(
  schema: z.ZodType<T>,
  body: unknown,
  act: (value: T) => Reply | Promise<Reply>,
): Reply | Promise<Reply> {
  const result = schema.safeParse(body)
  if (result.success) return act(result.data)
  const lines = result.error.issues.map((issue) => `$.${issue.path.map(String).join('.')}: ${issue.message}`)
  return problem(400, ...lines)
}

const waitSchema = z.object({ untilMs: z.number(), patient: z.boolean().default(false), id: z.string().default('') })
const quitSchema = z.object({ id: z.string().min(1) })
const probeSchema = z.object({ guests: z.array(z.int().positive()), fromMs: z.number(), toMs: z.number() })
const eventSchema = z.looseObject({ kind: z.string() })
const actSchema = z.looseObject({ kind: z.string() })
const interlockSchema = z.discriminatedUnion('is', [
  z.object({ is: z.literal('safe'), sinceMs: z.number(), text: z.string() }),
  z.object({ is: z.literal('not-safe'), reasons: z.array(z.string()) }),
])
const orderSchema = z.looseObject({ id: z.string(), node: z.string(), part: z.string() })
const answerSchema = z.object({
  order: z.string().transform(workOrderId),
  by: z.string().min(1),
  serial: z.string().min(1),
  outcome: z.enum(['repaired', 'nothing-found', 'cannot']),
  found: z.string(),
  did: z.array(z.string()).default([]),
  photos: z.array(z.string()).default([]),
})
const pageSchema = z.object({ maintenance: z.string(), customer: z.string(), html: z.string() })

/** The prober's answer for each guest that is asked for. */
export function probeRoute(read: (query: ProbeQuery) => ProbeReading | Promise<ProbeReading>): Handler {
  return (body) =>
    parsed(probeSchema, body, async ({ guests, fromMs, toMs }) => {
      const readings = guests.map((guest) => read({ guest: vmid(guest), fromMs, toMs }))
      return ok({ readings: await Promise.all(readings) })
    })
}

export function addRoutes(control: ControlServer, lab: LabWorld, keeper: Keeper): void {
  const world = lab.state
  control.on('GET /world', () => ok(tellTruth(world)))
  // The control plane's clock follows the world's, and may be wrong.
  const wrongByMs = () => world.cluster.controlClockOffsetMs ?? 0
  control.on('GET /time', () =>
    ok({ nowMs: keeper.nowMs + wrongByMs(), inMotion: lab.inMotion, startedAtMs: world.startedAtMs }),
  )
  control.on('POST /time/wait', (body, _url, gone) =>
    parsed(waitSchema, body, async ({ untilMs, patient: isPatient, id }) => {
      const nowMs = await keeper.waitUntil(untilMs - wrongByMs(), { isPatient, id, gone })
      return ok({ nowMs: nowMs + wrongByMs() })
    }),
  )
  control.on('POST /time/quit', (body) =>
    parsed(quitSchema, body, ({ id }) => {
      keeper.quit(id)
      return ok({ nowMs: keeper.nowMs })
    }),
  )
  control.on('GET /faults', () => ok({ faults: world.faults, kinds: Object.keys(FAULT_FIELDS) }))
  control.on('POST /faults', (body) => {
    const answer = takeFault(world, body)
    return answer.is === 'taken'
      ? { status: 201, body: { taken: true, atMs: world.nowMs } }
      : problem(400, ...answer.problems)
  })
  control.on(
    'POST /probe',
    probeRoute((query) => probeReading(world, query)),
  )
  control.on('GET /mails', () => ok({ mails: world.mails }))
  control.on('GET /database', () => ok({ awayUntilMs: world.cluster.databaseAwayUntilMs ?? null }))
  addJournalRoutes(control, lab)
}

/** What the control plane tells: with it the promises are looked after over the wire as they are in memory. */
function addJournalRoutes(control: ControlServer, { state: world }: LabWorld): void {
  const taken = ok({ taken: true })
  const touch = (act: () => void): Reply => {
    act()
    world.changeCount++
    return taken
  }
  control.on('POST /journal', (body) =>
    parsed(eventSchema, body, (event) => touch(() => noteJournal(world, event as unknown as Event))),
  )
  control.on('POST /intents', (body) =>
    parsed(actSchema, body, (act) => touch(() => noteIntent(world, act as unknown as Act))),
  )
  control.on('POST /interlock', (body) =>
    parsed(interlockSchema, body, (interlock) => touch(() => noteInterlock(world, interlock as Interlock))),
  )
  control.on('POST /pages', (body) =>
    parsed(pageSchema, body, (page) => touch(() => publishPage(world, page as Parameters<typeof publishPage>[1]))),
  )
  control.on('POST /work-order', (body) =>
    parsed(orderSchema, body, (order) => touch(() => issueWorkOrder(world, order as unknown as WorkOrder))),
  )
  control.on('POST /work-order/refused', (body) =>
    parsed(z.object({ order: z.string() }), body, ({ order }) => touch(() => refuseAnswer(world, order))),
  )
  control.on('POST /work-order/answer', (body) =>
    parsed(answerSchema, body, (answer) => touch(() => answerWorkOrder(world, answer))),
  )
  control.on('GET /work-order', () => ok({ workOrders: world.workOrders }))
  control.on('POST /work-order/take', () => {
    const answers = takeAnswers(world)
    if (answers.length > 0) world.changeCount++
    return ok({ answers })
  })
}
