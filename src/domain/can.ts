/** What people may do to a maintenance now, or why not: the one table that every surface asks. */
import { BLOCKERS } from './blocker.ts'
import { awaitsApproval, type MaintenanceView, openWorkOrderOf } from './view.ts'

export const ACTIONS = ['approve', 'reject', 'lift', 'pause', 'resume', 'abort', 'answer-work-order'] as const
export type Action = (typeof ACTIONS)[number]

export type Allowed = { readonly is: 'yes' } | { readonly is: 'no'; readonly reason: string }

const YES: Allowed = { is: 'yes' }
const no = (reason: string): Allowed => ({ is: 'no', reason })

const RULES: { readonly [A in Action]: (view: MaintenanceView) => Allowed } = {
  approve: mayApprove,
  reject: (view) => (awaitsApproval(view) ? YES : no('no plan waits for approval')),
  lift: mayLift,
  pause: ({ paused }) => (paused === undefined ? YES : no(`paused already, by ${paused.by}`)),
  resume: ({ paused }) => (paused === undefined ? no('it is not paused') : YES),
  abort: ({ aborting }) => (aborting === undefined ? YES : no(`${aborting.by} asked for that already`)),
  'answer-work-order': (view) => (openWorkOrderOf(view) === undefined ? no('no work order is open') : YES),
}

/** Yes, or the reason in words for the person who asks. The story decides again when the message arrives. */
export function can(view: MaintenanceView, action: Action): Allowed {
  if (view.ended !== undefined) return no(`the maintenance has ended: ${view.ended.ending}`)
  return RULES[action](view)
}

function mayApprove(view: MaintenanceView): Allowed {
  if (!awaitsApproval(view)) return no(view.plan === undefined ? 'there is no plan yet' : 'no plan waits for approval')
  const firm = new Set(view.plan?.blockers.filter(({ kind }) => !BLOCKERS[kind].liftable).map(({ kind }) => kind))
  return firm.size === 0 ? YES : no(`the plan has blockers that nobody may lift: ${[...firm].join(', ')}`)
}

function mayLift({ gate }: MaintenanceView): Allowed {
  if (gate === undefined) return no('it waits at no gate')
  if (gate.blockers.some(({ kind }) => BLOCKERS[kind].liftable)) return YES
  return no(`nobody may lift ${[...new Set(gate.blockers.map(({ kind }) => kind))].join(', ')}`)
}
