/** What an operator allows. Defaults are those of the contracts; every wait has a limit with a name. */
import type { BlockerKind } from './blocker.ts'
import type { Vmid } from './ids.ts'

export type PlanPolicy = {
  readonly cpuOvercommit: number
  readonly memoryHeadroomFraction: number
  /** How many further nodes may fail afterwards. 'auto': 1 where at least 4 nodes remain, else 0 (and said). */
  readonly reserveNodes: number | 'auto'
  readonly parallelMigrations: number | 'auto'
  readonly allowRestart: readonly Vmid[] | 'all'
  readonly returnHome: boolean
  /** Blocker kinds that an approver lifted by name. */
  readonly lifted: readonly BlockerKind[]
}

export const DEFAULT_PLAN_POLICY: PlanPolicy = {
  cpuOvercommit: 4,
  memoryHeadroomFraction: 0.05,
  reserveNodes: 'auto',
  parallelMigrations: 'auto',
  allowRestart: [],
  returnHome: true,
  lifted: [],
}

export type StoryPolicy = {
  readonly plan: PlanPolicy
  /** People who must approve; two where four eyes are asked. */
  readonly approvalsNeeded: number
  /** A plan that had to be revised in the middle of a drain wants a person again; else one that keeps every rule goes on. */
  readonly revisionsNeedApproval: boolean
  /** Local hours of a working day in which a drain may begin, UTC; absent: always. */
  readonly window?: { readonly fromHour: number; readonly toHour: number; readonly weekdaysOnly: boolean }
  /** An approved plan older than this is observed anew. */
  readonly planMaxAgeS: number
  /** Two looks at the emptied node lie this far apart; more than the staleness of /cluster/resources. */
  readonly emptyLooksApartS: number
  readonly gateLimitS: number
  readonly drainLimitS: number
  readonly migrationLimitS: number
  readonly shutdownLimitS: number
  readonly bootLimitS: number
  readonly repairLimitS: number
  readonly recoveryLimitS: number
  readonly soakS: number
  readonly leaseS: number
  /** Cancel a precopy whose allowed pause grew past the guest's budget. */
  readonly cancelOverBudget: boolean
  /** For guests whose owner named no budget. */
  readonly defaultPauseBudgetMs: number
  /** Monitors that must be left in quorum when the node is away. */
  readonly monitorsLeftAtLeast: number
}

export const DEFAULT_STORY_POLICY: StoryPolicy = {
  plan: DEFAULT_PLAN_POLICY,
  approvalsNeeded: 1,
  revisionsNeedApproval: false,
  planMaxAgeS: 900,
  emptyLooksApartS: 25,
  gateLimitS: 4 * 3600,
  drainLimitS: 6 * 3600,
  migrationLimitS: 3600,
  shutdownLimitS: 900,
  bootLimitS: 1800,
  repairLimitS: 8 * 3600,
  recoveryLimitS: 2 * 3600,
  soakS: 900,
  leaseS: 4 * 3600,
  cancelOverBudget: true,
  defaultPauseBudgetMs: 1000,
  monitorsLeftAtLeast: 2,
}
