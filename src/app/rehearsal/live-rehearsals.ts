/** Rehearsals of the live cluster for the surfaces: one at a time, in a thread of its own, so that nothing else waits for it. */
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { StoryPolicy } from '#domain/policy'
import type { Ports } from '#ports/all'
import type { Faults } from './play-twin.ts'
import { lookAt } from './read-setting.ts'
import { type Rehearsal, rehearse } from './rehearse.ts'

export type RehearseRequest = {
  readonly node: NodeName
  readonly seed: number
  readonly seeds: number
  readonly faults: Faults
}

export type RehearseOutcome =
  | { readonly is: 'rehearsed'; readonly rehearsal: Rehearsal }
  | { readonly is: 'refused'; readonly text: string; readonly lifts: string }

/** What a page may ask for; the command has its own limit. */
const SEEDS_LIMIT = 200

export type Rehearses = (request: RehearseRequest) => Promise<RehearseOutcome>

/** Looks at the cluster once, and touches nothing. */
export function liveRehearsals(parts: {
  readonly ports: Pick<Ports, 'hypervisor' | 'storage'>
  readonly policy: StoryPolicy
}): Rehearses {
  let isBusy = false
  return async (request) => {
    if (isBusy) return refused('a rehearsal is played already', 'it ends: some seconds to some minutes')
    if (request.seeds < 1 || request.seeds > SEEDS_LIMIT)
      return refused(`${request.seeds} nights are asked for`, `ask for 1 to ${SEEDS_LIMIT}`)
    isBusy = true
    try {
      return await rehearseNow(parts, request)
    } finally {
      isBusy = false
    }
  }
}

const refused = (text: string, lifts: string): RehearseOutcome => ({ is: 'refused', text, lifts })

async function rehearseNow(
  { ports, policy }: Parameters<typeof liveRehearsals>[0],
  request: RehearseRequest,
): Promise<RehearseOutcome> {
  try {
    const snapshot = await lookAt(ports, policy.plan)
    const names = snapshot.cluster.nodes.map(({ name }) => name)
    if (!names.includes(request.node))
      return refused(`cluster ${snapshot.cluster.name} has no node ${request.node}`, `name one of ${names.join(', ')}`)
    return { is: 'rehearsed', rehearsal: await rehearse({ ...request, snapshot, policy, threads: 1 }) }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return refused(`the cluster cannot be looked at: ${error.message}`, 'it answers again')
  }
}
