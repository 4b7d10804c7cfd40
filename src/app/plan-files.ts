/** Plans and checks files without any cluster: reads, parses, asks the planner or the checker. */
import { readFile } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import type { ClusterObservation } from '#domain/cluster'
import { planId } from '#domain/ids'
import type { Plan, Violation } from '#domain/plan'
import { HighsSolver } from '#drivers/highs/solver'
import { parsePlan, planToFile } from '#drivers/snapshot/plan-file'
import { drainNames, findDrainFaults, parseSnapshot } from '#drivers/snapshot/snapshot-file'
import { checkPlan } from '#plan/check-plan'
import type { PlanRequest } from '#plan/decide'
import { provePlan } from '#plan/prove-plan'
import type { Solver } from '#ports/solver'

export type BadInput = { readonly ok: false; readonly faults: readonly string[] }
export type PlannedFile = {
  readonly ok: true
  readonly plan: Plan
  readonly cluster: ClusterObservation
  /** `coulisse/plan@1` */
  readonly json: string
}
export type CheckedFile = { readonly ok: true; readonly violations: readonly Violation[]; readonly json: string }

export async function planFromFiles(options: {
  snapshotPath: string
  drain: readonly string[]
  policyPath?: string
  /** False: nothing is proven that sums do not prove. */
  asksSolver?: boolean
}): Promise<PlannedFile | BadInput> {
  const read = await readAll([options.snapshotPath, options.policyPath])
  if (!read.ok) return read
  const [snapshotText = '', policyText] = read.texts
  const parsed = parseSnapshot(snapshotText, policyText)
  if (!parsed.ok) return parsed
  const { cluster, ceph, policy } = parsed.snapshot
  const faults = findDrainFaults(cluster, options.drain)
  if (faults.length > 0) return { ok: false, faults }
  const request = {
    cluster,
    ceph,
    drain: drainNames(options.drain),
    policy,
    revision: 1,
    id: planId(`plan-of-${cluster.name}-${cluster.observedAtMs}`),
  }
  const { proposed, planMs } = await planTimed(request, options.asksSolver !== false)
  const plan = { ...proposed, notes: [...proposed.notes, ...parsed.assumptions] }
  return { ok: true, plan, cluster, json: planToFile(plan, planMs) }
}

/** `planMs` is the planner's own time: how long a solver was waited for is not counted. */
async function planTimed(request: PlanRequest, asksSolver: boolean): Promise<{ proposed: Plan; planMs: number }> {
  const highs = asksSolver ? new HighsSolver() : undefined
  let waitedMs = 0
  const solver: Solver | undefined = highs && {
    solve: async (problem, limitMs) => {
      const askedAtMs = performance.now()
      const answer = await highs.solve(problem, limitMs)
      waitedMs += performance.now() - askedAtMs
      return answer
    },
  }
  const startedAtMs = performance.now()
  try {
    const proposed = await provePlan(request, solver)
    return { proposed, planMs: performance.now() - startedAtMs - waitedMs }
  } finally {
    await highs?.close()
  }
}

export async function checkFromFiles(options: {
  snapshotPath: string
  planPath: string
  policyPath?: string
}): Promise<CheckedFile | BadInput> {
  const read = await readAll([options.snapshotPath, options.planPath, options.policyPath])
  if (!read.ok) return read
  const [snapshotText = '', planText = '', policyText] = read.texts
  const parsed = parseSnapshot(snapshotText, policyText)
  const parsedPlan = parsePlan(planText)
  if (!parsed.ok || !parsedPlan.ok) {
    return { ok: false, faults: [...(parsed.ok ? [] : parsed.faults), ...(parsedPlan.ok ? [] : parsedPlan.faults)] }
  }
  const { cluster, policy } = parsed.snapshot
  const violations = checkPlan({ cluster, plan: parsedPlan.plan, policy })
  return { ok: true, violations, json: JSON.stringify({ violations }) }
}

/** All that cannot be read is said at once. */
export async function readAll(
  paths: readonly (string | undefined)[],
): Promise<{ ok: true; texts: readonly (string | undefined)[] } | BadInput> {
  const faults: string[] = []
  const texts: (string | undefined)[] = []
  for (const path of paths) {
    try {
      texts.push(path === undefined ? undefined : await readFile(path, 'utf8'))
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
      faults.push(`${path} $: cannot be read (${why})`)
    }
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, texts }
}
