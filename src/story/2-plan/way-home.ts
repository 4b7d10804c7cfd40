/** The way home: every guest back where it was, in an order that keeps every rule as the cluster is by then. */
import type { ClusterObservation } from '#domain/cluster'
import type { Guest } from '#domain/guest'
import type { NodeName, Vmid } from '#domain/ids'
import { DEFAULT_FORECAST_MODEL, type ForecastModel, type HomePlan, type Stay } from '#domain/plan'
import type { PlanPolicy } from '#domain/policy'
import { Board, type BoardInput, type Unit } from './board.ts'
import { guestFaults, isLocalDisk, modeOf, targetFaults } from './eligibility.ts'
import type { DraftMove } from './forecast.ts'
import { type Hop, orderMoves } from './order.ts'
import { scheduleMoves } from './schedule.ts'

/** `origins`: where each guest was before. Guests that are there already, or are gone, are not spoken of. */
export function proposeWayHome(input: {
  readonly cluster: ClusterObservation
  readonly origins: ReadonlyMap<Vmid, NodeName>
  readonly policy: PlanPolicy
  readonly model?: ForecastModel
  /** As it was before everything: what was over a limit or broken then may be so again. */
  readonly before?: Pick<BoardInput, 'memoryFloorBytes' | 'cpuFloorCores' | 'pairsBroken'>
}): HomePlan {
  const { cluster, origins, policy, model = DEFAULT_FORECAST_MODEL } = input
  const takers = cluster.nodes.filter(({ online, maintenance }) => online && !maintenance)
  // Partners with different homes were apart before: each goes to his own.
  const keyOf = ({ vmid, node }: Guest) => origins.get(vmid) ?? node
  const board = new Board({ cluster, drain: [], policy, takers, keyOf, ...input.before })
  const stays: Stay[] = []
  const wanted = wantedHomes(board, origins, stays)
  const { hops, stuck } = orderMoves(board, wanted, () => 'drain')
  for (const unit of stuck)
    for (const guest of unit.guests) stays.push(noRoom(guest, board.node(wanted.get(unit) ?? 0).name))
  const drafts = [...hops.flatMap((hop) => draftHop(board, hop)), ...stoppedHome(board, origins, stays)]
  const { moves, parallel, makespanS } = scheduleMoves(drafts, model, policy.parallelMigrations)
  return {
    parallelMigrations: parallel,
    makespanS,
    stays,
    moves: moves.map((move) => ({
      step: move.step,
      guest: move.guest.vmid,
      from: move.source.name,
      to: move.target.name,
      mode: move.mode,
      startsAtS: move.startsAtS,
      endsAtS: move.endsAtS,
      forecastBlackoutMs: move.forecastBlackoutMs,
    })),
  }
}

/** Units with one home for all their guests; others are said. */
function wantedHomes(board: Board, origins: ReadonlyMap<Vmid, NodeName>, stays: Stay[]): Map<Unit, number> {
  const wanted = new Map<Unit, number>()
  for (const unit of board.units) {
    const home = unit.guests.map(({ vmid }) => origins.get(vmid)).find((name) => name !== undefined)
    if (home === undefined || home === unit.guests[0]?.node) continue
    const index = board.indexOf(home)
    const faults = unit.guests.flatMap((guest) => [
      ...guestFaults(guest, board.input.policy),
      ...faultsAt(board, guest, home),
    ])
    if (faults.length === 0) wanted.set(unit, index)
    else
      for (const { vmid } of unit.guests)
        stays.push({
          guest: vmid,
          reason: faults[0] ?? 'no-target',
          text: `guest ${vmid} cannot go home to ${home}: ${faults.join(', ')}`,
        })
  }
  return wanted
}

function faultsAt(board: Board, guest: Guest, home: NodeName) {
  const index = board.indexOf(home)
  if (!board.takers.includes(index)) return ['no-target' as const]
  const source = board.node(board.indexOf(guest.node))
  return targetFaults({ guest, source, target: board.node(index), pins: board.pins, policy: board.input.policy })
}

const noRoom = (guest: Guest, home: NodeName): Stay => ({
  guest: guest.vmid,
  reason: 'no-order',
  text: `guest ${guest.vmid} cannot go home to ${home} now: no room there, or a rule forbids it`,
})

/** Stopped guests go along in the first step: they weigh nothing. */
function stoppedHome(board: Board, origins: ReadonlyMap<Vmid, NodeName>, stays: Stay[]): readonly DraftMove[] {
  const drafts: DraftMove[] = []
  for (const guest of board.input.cluster.guests) {
    const home = origins.get(guest.vmid)
    if (guest.status !== 'stopped' || home === undefined || home === guest.node) continue
    const faults = [...guestFaults(guest, board.input.policy), ...faultsAt(board, guest, home)]
    if (faults.length > 0) {
      stays.push({
        guest: guest.vmid,
        reason: faults[0] ?? 'no-target',
        text: `guest ${guest.vmid} cannot go home to ${home}: ${faults.join(', ')}`,
      })
      continue
    }
    const source = board.node(board.indexOf(guest.node))
    const target = board.node(board.indexOf(home))
    drafts.push({ step: 1, guest, source, target, mode: 'offline', purpose: 'drain', diskBytes: 0 })
  }
  return drafts
}

export function draftHop(board: Board, hop: Hop): readonly DraftMove[] {
  const source = board.node(hop.from)
  const target = board.node(hop.to)
  return hop.unit.guests.map((guest) => ({
    step: hop.step,
    guest,
    source,
    target,
    mode: modeOf({ guest, source, target }),
    purpose: hop.purpose,
    unit: hop.unit.index,
    diskBytes: guest.disks
      .filter(({ storage }) => isLocalDisk({ storage, source, target }))
      .reduce((sum, { bytes }) => sum + bytes, 0),
  }))
}
