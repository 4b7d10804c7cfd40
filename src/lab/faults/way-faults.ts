/** Faults on the way between: answers, probes, the database, and the hands in the data centre. */
import { schedule } from '#lab/world/events'
import type { ApiFault, World } from '#lab/world/state'
import type { FaultKind, FaultOf, FaultTable } from './kinds.ts'
import { mend } from './mend.ts'

type WayFaults = Extract<
  FaultKind,
  | 'technician'
  | 'dimm-missing-after-repair'
  | 'after-repair'
  | `api-${string}`
  | 'answer-lost'
  | 'prober-down'
  | 'mail-bounces'
  | 'double-clicks'
  | 'database-away'
  | 'mended'
>

/** Later than any work order's time. */
const ANSWERS_LATE_MIN = 360

export const WAY_FAULTS: FaultTable<WayFaults> = {
  technician: (world, { does, arrivesAfterMin, worksMin, answersAfterMin, pullsCords }) => {
    const lateMin = answersAfterMin ?? (does === 'answers-late' ? ANSWERS_LATE_MIN : undefined)
    Object.assign(world.technician, {
      ...(does === undefined ? {} : { does }),
      ...(arrivesAfterMin === undefined ? {} : { arrivesAfterMin }),
      ...(worksMin === undefined ? {} : { worksMin }),
      ...(lateMin === undefined ? {} : { answersAfterMin: lateMin }),
      ...(pullsCords === undefined ? {} : { pullsCords }),
    })
  },
  'dimm-missing-after-repair': (world) => {
    world.technician.sideEffects.push('dimm-missing')
  },
  'after-repair': (world, { effect }) => {
    world.technician.sideEffects.push(effect)
  },
  'api-error': (world, fault) => addApiFault(world, fault, { status: fault.status }),
  'api-slow': (world, fault) => addApiFault(world, fault, { delayMs: fault.delayMs }),
  'answer-lost': (world, fault) => addApiFault(world, fault, {}),
  'prober-down': (world, { forS }) => {
    world.probe.outages.push({ fromMs: world.nowMs })
    if (forS !== undefined) schedule(world, world.nowMs + forS * 1000, { kind: 'ends-fault', what: 'probe' })
  },
  'mail-bounces': (world, { address, forS }) => {
    world.mailBounces ??= []
    world.mailBounces.push({
      ...(address === undefined ? {} : { address }),
      ...(forS === undefined ? {} : { untilMs: world.nowMs + forS * 1000 }),
    })
  },
  'double-clicks': (world, { forS }) => {
    world.doubleClicksUntilMs = world.nowMs + forS * 1000
  },
  mended: (world, { what, node, flag }) => mend(world, what, { node, flag }),
  'database-away': (world, { s }) => {
    world.cluster.databaseAwayUntilMs = world.nowMs + s * 1000
  },
}

type OnApi = FaultOf<'api-error'> | FaultOf<'api-slow'> | FaultOf<'answer-lost'>

function addApiFault(world: World, fault: OnApi, more: Partial<ApiFault>): void {
  world.apiFaults.push({
    kind: fault.kind,
    rate: fault.rate,
    status: 500,
    delayMs: 0,
    ...(fault.api === undefined ? {} : { api: fault.api }),
    ...(fault.path === undefined ? {} : { path: fault.path }),
    ...(fault.times === undefined ? {} : { timesLeft: fault.times }),
    ...(fault.forS === undefined ? {} : { untilMs: world.nowMs + fault.forS * 1000 }),
    ...more,
  })
}
