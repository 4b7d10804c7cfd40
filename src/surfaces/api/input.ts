/** What people and programs may send, by schema; checked once, at the edge. */
import { z } from 'zod'
import { DRAFT_FORMS, MONTH_FORMS, REPORT_FORMS } from '#app/report-query'
import { isBlockerKind } from '#domain/blocker'
import { type MaintenanceId, maintenanceId, nodeName, planId, workOrderId } from '#domain/ids'
import type { ControlMessage, WorkOrderAnswer } from '#domain/maintenance'
import { badInput } from './problem.ts'

const Name = z.string().trim().min(1, 'a name is needed: it stays in the journal').max(100)
const Reason = z.string().trim().min(1, 'a reason is needed: it stays in the journal').max(1000)
const Id = z.string().min(1).max(200)
const Kind = z.string().refine(isBlockerKind, 'no blocker has this name')
const Lifted = z.array(Kind).max(100)

const Control = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('approve'),
    by: Name,
    plan: Id,
    lifted: Lifted.default([]),
    reason: z.string().trim().max(1000).default(''),
  }),
  z.strictObject({ kind: z.literal('reject'), by: Name, reason: Reason }),
  z.strictObject({
    kind: z.literal('lift'),
    by: Name,
    lifted: Lifted.min(1, 'name at least one blocker'),
    reason: Reason,
  }),
  z.strictObject({ kind: z.literal('pause'), by: Name, cancelRunning: z.boolean().default(false) }),
  z.strictObject({ kind: z.literal('resume'), by: Name }),
  z.strictObject({ kind: z.literal('abort'), by: Name, reason: Reason }),
])

const Answer = z.strictObject({
  by: Name,
  serial: z.string().trim().min(1, 'the serial, read off the chassis').max(100),
  outcome: z.enum(['repaired', 'nothing-found', 'cannot'], 'say how it ended'),
  found: z.string().trim().max(2000).default(''),
  did: z.array(z.string().trim().min(1).max(300)).max(50).default([]),
  photos: z.array(z.string().min(1).max(300)).max(20).default([]),
})

const Start = z.strictObject({
  node: z.string().trim().min(1).max(200),
  part: z.string().trim().min(1).max(200).optional(),
  reason: Reason,
  by: Name,
})

const Key = z.string().min(1).max(200)

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (!result.success) throw badInput(result.error)
  return result.data
}

export function controlOf(body: unknown): ControlMessage {
  const message = parsed(Control, body)
  if (message.kind === 'approve') {
    return { ...message, plan: planId(message.plan), lifted: message.lifted.filter(isBlockerKind) }
  }
  return message.kind === 'lift' ? { ...message, lifted: message.lifted.filter(isBlockerKind) } : message
}

export const answerOf = (order: string, body: unknown): WorkOrderAnswer => ({
  ...parsed(Answer, body),
  order: workOrderId(order),
})

export function startOf(body: unknown) {
  const { node, part, reason, by } = parsed(Start, body)
  return { node: nodeName(node), ...(part === undefined ? {} : { part }), reason, by }
}

/** One person pressing twice, or a program trying again, counts once. Without the header every request is a new one. */
const releaseSchema = z.object({ by: z.string().trim().min(1).max(100), reason: z.string().trim().min(1).max(1000) })

export function releaseOf(body: unknown) {
  return parsed(releaseSchema, body)
}

export function keyOf(header: unknown, fresh: () => string): string {
  return header === undefined ? fresh() : parsed(Key, header)
}

export const afterSeqOf = (value: unknown): number =>
  parsed(z.coerce.number().int().nonnegative().default(0), value === '' ? undefined : value)

export const idOf = (params: unknown): MaintenanceId => maintenanceId((params as { id: string }).id)

const Language = z.enum(['en', 'fr', 'es'])

/** Without a form: the page as it was published. */
const ReportQuery = z.object({ form: z.enum(REPORT_FORMS).optional(), language: Language.optional() })

export const reportFormOf = (query: unknown) => parsed(ReportQuery, query)

const MonthQuery = z.object({
  customer: Id.optional(),
  form: z.enum(MONTH_FORMS).default('html'),
  language: Language.optional(),
})

export const monthFormOf = (query: unknown) => parsed(MonthQuery, query)

const DraftQuery = z.object({
  form: z.enum(DRAFT_FORMS).default('md'),
  language: Language.default('en'),
})

export const draftFormOf = (query: unknown) => parsed(DraftQuery, query)
