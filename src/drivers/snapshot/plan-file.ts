/** A `coulisse/plan@1` file and the domain's plan, both ways. A person's plan may leave out all that follows from its moves. */
import { z } from 'zod'
import { type Blocker, type BlockerKind, isBlockerKind } from '#domain/blocker'
import { nodeName, planId, vmid } from '#domain/ids'
import { DEFAULT_FORECAST_MODEL, type Plan } from '#domain/plan'
import { type Parsed, parseJson } from './faults.ts'

const name = z.string().min(1).transform(nodeName)
const guest = z.int().positive().transform(vmid)
const seconds = z.number()
const mode = z.enum(['live', 'restart', 'offline'])

const planSchema = z.object({
  format: z.literal('coulisse/plan@1'),
  id: z.string().optional(),
  parent: z.string().optional(),
  revision: z.int().nonnegative().optional(),
  observedAt: z.iso.datetime({ offset: true }).optional(),
  drain: z.array(name).min(1),
  feasible: z.boolean().default(true),
  moves: z.array(
    z.object({
      step: z.number(),
      guest,
      from: name,
      to: name,
      mode,
      purpose: z.enum(['drain', 'make-room', 'park']).default('drain'),
      startsAtS: seconds.default(0),
      endsAtS: seconds.optional(),
      forecastBlackoutMs: z.number().default(0),
    }),
  ),
  stays: z.array(z.object({ guest, reason: z.string(), text: z.string().default('') })).default([]),
  makespanS: seconds.optional(),
  lowerBoundS: seconds.optional(),
  bytesMoved: z.number().default(0),
  parallelMigrations: z.int().positive().optional(),
  model: z
    .object({
      streamBitsPerSecond: z.number(),
      fixedSecondsPerMove: z.number(),
      source: z.string().default('the file'),
    })
    .optional(),
  after: z
    .array(z.object({ node: name, memoryAllocatedFraction: z.number(), cpuAllocatedFraction: z.number().default(0) }))
    .default([]),
  spare: z.object({ nodesThatMayFail: z.number() }).optional(),
  blockers: z
    .array(
      z.object({
        kind: z.string(),
        text: z.string().default(''),
        lifts: z.string().default(''),
        guest: guest.optional(),
        node: name.optional(),
      }),
    )
    .default([]),
  notes: z.array(z.string()).default([]),
  wayHome: z.array(z.object({ guest, from: name, to: name, mode })).default([]),
})

type PlanFile = z.infer<typeof planSchema>

/** Every fault at once, one line each. */
export function parsePlan(text: string): Parsed<{ readonly plan: Plan }> {
  const parsed = parseJson(text, planSchema, 'plan')
  return parsed.ok ? { ok: true, plan: toPlan(parsed.value) } : parsed
}

/**
 * What nobody wrote down claims nothing: no end is later than the start, no bound above 0 is missing, no spare is promised. But a plan
 * that does not say otherwise is meant to empty its nodes.
 */
function toPlan(file: PlanFile): Plan {
  const moves = file.moves.map((move) => ({ ...move, endsAtS: move.endsAtS ?? move.startsAtS }))
  const lastS = Math.max(0, ...moves.map(({ endsAtS }) => endsAtS))
  return {
    id: planId(file.id ?? 'from-a-file'),
    ...(file.parent === undefined ? {} : { parent: planId(file.parent) }),
    revision: file.revision ?? 0,
    observedAtMs: file.observedAt === undefined ? 0 : Date.parse(file.observedAt),
    drain: file.drain,
    feasible: file.feasible,
    moves,
    stays: file.stays,
    makespanS: file.makespanS ?? lastS,
    lowerBoundS: file.lowerBoundS ?? Number.NaN,
    bytesMoved: file.bytesMoved,
    parallelMigrations: file.parallelMigrations ?? Number.POSITIVE_INFINITY,
    model: file.model ?? DEFAULT_FORECAST_MODEL,
    after: file.after,
    spare: file.spare ?? { nodesThatMayFail: 0 },
    blockers: file.blockers.flatMap(toBlocker),
    notes: file.notes,
    wayHome: file.wayHome,
  }
}

/** A kind that nobody knows lifts and excuses nothing; the plan is judged without it. */
function toBlocker({ kind, text, lifts, ...where }: PlanFile['blockers'][number]): readonly Blocker[] {
  if (!isBlockerKind(kind)) return []
  const known: BlockerKind = kind
  return [
    {
      kind: known,
      text,
      lifts,
      ...(where.guest === undefined ? {} : { guest: where.guest }),
      ...(where.node === undefined ? {} : { node: where.node }),
    },
  ]
}

/** The file's JSON; `planMs`: how long the planner took. */
export function planToFile(plan: Plan, planMs: number): string {
  const { observedAtMs, ...rest } = plan
  return JSON.stringify({
    format: 'coulisse/plan@1',
    ...rest,
    observedAt: new Date(observedAtMs).toISOString(),
    planMs: Math.round(planMs * 1000) / 1000,
  })
}
