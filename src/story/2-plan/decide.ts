/** Proposes the plan that empties nodes: every move, its order and forecast, what stands in the way, what is left afterwards, the way home. */
import { type Blocker, withoutLifted } from '#domain/blocker'
import type { CephObservation } from '#domain/ceph'
import type { ClusterObservation } from '#domain/cluster'
import type { Guest } from '#domain/guest'
import type { NodeName, PlanId } from '#domain/ids'
import { DEFAULT_FORECAST_MODEL, type ForecastModel, type Plan, type Stay, type Violation } from '#domain/plan'
import type { PlanPolicy } from '#domain/policy'
import { Board } from './board.ts'
import { lowerBoundS } from './bound.ts'
import { brokenBefore } from './broken-before.ts'
import { afterOf, bestDraft, type Draft } from './draft.ts'
import { explainUnplaced } from './explain.ts'
import { type DraftMove, overruns, type TimedMove } from './forecast.ts'
import { wayHomeOf } from './plan-way-home.ts'
import { proofNotes, proofOf, type SolverWord, whoIsLeft } from './proof.ts'
import { fewestText, inGib } from './reasons.ts'
import { checkReserve, type Reserve } from './reserve.ts'
import { scheduleMoves } from './schedule.ts'
import { decideStopped } from './stopped.ts'
import { draftHop } from './way-home.ts'

export type PlanRequest = {
  readonly cluster: ClusterObservation
  /** Read for the notes alone: Ceph is judged when the node is isolated. */
  readonly ceph?: CephObservation | 'none'
  readonly drain: readonly NodeName[]
  readonly policy: PlanPolicy
  /** Measured constants; those of the contracts where absent. */
  readonly model?: ForecastModel
  readonly parent?: PlanId
  readonly revision: number
  readonly id: PlanId
  /** What an exact solver said; the planner asks nobody itself. */
  readonly word?: SolverWord
}

/** Pure, and never throws: what cannot be done is a blocker of the plan. One input, one plan. */
export function proposePlan(request: PlanRequest): Plan {
  const { cluster, policy, model = DEFAULT_FORECAST_MODEL } = request
  const drain = request.drain.filter((name) => cluster.nodes.some((node) => node.name === name))
  const reserveNodes = reserveWanted(cluster, drain, policy)
  const draft = bestDraft({ cluster, drain, policy }, reserveNodes, request.word?.ends)
  const spare = spareOf(draft.board, reserveNodes, draft.reserve)
  const stopped = decideStopped(draft.board, draft.order.hops)
  const drafts = [...draft.order.hops.flatMap((hop) => draftHop(draft.board, hop)), ...stopped.moves]
  const { parallel, moves, makespanS } = scheduleMoves(drafts, model, policy.parallelMigrations)
  const left = explainUnplaced(draft.board, whoIsLeft({ cluster, drain, policy }, draft, request.word))
  const blockers = [
    ...nodeBlockers(request, drain),
    ...left.blockers,
    ...stopped.blockers,
    ...reserveBlockers(draft, reserveNodes, spare),
    ...pauseBlockers(moves),
  ]
  const broken = brokenBefore(cluster, policy)
  const feasible = drain.length === request.drain.length && !isAnyLeft(draft.board, drain)
  const proof = proofOf({ feasible, moves, left, ...(request.word === undefined ? {} : { word: request.word }) })
  return {
    id: request.id,
    ...(request.parent === undefined ? {} : { parent: request.parent }),
    revision: request.revision,
    observedAtMs: cluster.observedAtMs,
    drain: request.drain,
    feasible,
    moves: moves.map(toMove),
    stays: [...staysOf(draft.board, drain, left.reasonOf), ...stopped.stays],
    makespanS: roundS(makespanS),
    // Of the observation alone, whatever the draft was allowed.
    lowerBoundS: floorS(lowerBoundS(new Board({ cluster, drain, policy }), model)),
    bytesMoved: drafts.reduce((sum, move) => sum + bytesOf(move), 0),
    parallelMigrations: parallel,
    model,
    after: afterOf(draft.board),
    spare: { nodesThatMayFail: spare },
    proof,
    brokenBefore: broken,
    blockers: withoutLifted(blockers, policy.lifted),
    notes: [...notesOf(request, draft, reserveNodes), ...proofNotes(proof), ...brokenNotes(broken)],
    wayHome: policy.returnHome ? wayHomeOf(draft.board, moves, model) : [],
  }
}

function reserveWanted(cluster: ClusterObservation, drain: readonly NodeName[], policy: PlanPolicy): number {
  if (policy.reserveNodes !== 'auto') return policy.reserveNodes
  return cluster.nodes.filter(({ name, online }) => online && !drain.includes(name)).length >= 4 ? 1 : 0
}

function spareOf(board: Board, reserveNodes: number, reserve: Reserve): number {
  if (reserve.holds && reserveNodes > 0) return reserveNodes
  for (let count = Math.max(1, reserveNodes - 1); count > 0; count--) {
    if (count !== reserveNodes && checkReserve(board, count).holds) return count
  }
  return 0
}

function isAnyLeft(board: Board, drain: readonly NodeName[]): boolean {
  return drain.some((name) => (board.unitsAt[board.indexOf(name)]?.size ?? 0) > 0)
}

function nodeBlockers({ cluster, drain }: PlanRequest, known: readonly NodeName[]): readonly Blocker[] {
  const unknown = drain
    .filter((name) => !known.includes(name))
    .map(
      (node): Blocker => ({
        kind: 'node-unknown',
        node,
        text: `the cluster has no node ${node}`,
        lifts: 'the right name',
      }),
    )
  const offline = cluster.nodes
    .filter(({ name, online }) => known.includes(name) && !online)
    .map(
      ({ name }): Blocker => ({
        kind: 'node-offline',
        node: name,
        text: `${name} is offline: guests on it cannot be moved, only recovered elsewhere after it is fenced`,
        lifts: `${name} comes online`,
      }),
    )
  return [...unknown, ...offline]
}

function reserveBlockers({ board, reserve }: Draft, reserveNodes: number, spare: number): readonly Blocker[] {
  if (reserveNodes === 0 || reserve.holds) return []
  const names = reserve.nodes.map((index) => board.node(index).name).join(' and ')
  const short =
    reserve.memoryShortBytes > 0
      ? `memory short by ${inGib(reserve.memoryShortBytes)} GiB`
      : reserve.cpuShortCores > 0
        ? `cores short by ${reserve.cpuShortCores}`
        : 'no packing of its guests was found under memory, CPU and rules'
  const there = reserve.nodes.flatMap((node) => [...(board.unitsAt[node] ?? [])].flatMap((at) => board.unit(at).guests))
  const fewer =
    reserve.memoryShortBytes > 0
      ? `, or ${fewestText(there, reserve.memoryShortBytes)} of ${names} shut down or moved out of the cluster`
      : ''
  const [first] = reserve.nodes
  return [
    {
      kind: 'reserve-unmet',
      ...(first === undefined ? {} : { node: board.node(first).name }),
      text: `${short} with ${reserveNodes === 1 ? 'one node' : `${reserveNodes} nodes`} in reserve, if ${names} fails afterwards (${spare} of ${reserveNodes} further nodes may fail)`,
      lifts: `a lower reserve (policy.reserveNodes: ${spare}), an approver who accepts the risk by name, more room on the other nodes${fewer}`,
    },
  ]
}

function pauseBlockers(moves: readonly TimedMove[]): readonly Blocker[] {
  return overruns(moves).map(({ guest, forecastBlackoutMs, allowedPauseMs }) => ({
    kind: 'pause-budget' as const,
    guest: guest.vmid,
    text:
      forecastBlackoutMs > (guest.pauseBudgetMs ?? 0)
        ? `guest ${guest.vmid} (${guest.name}): forecast blackout ${forecastBlackoutMs} ms, its owner accepts ${guest.pauseBudgetMs} ms`
        : `guest ${guest.vmid} (${guest.name}): its copy converges so slowly that a blackout of ${allowedPauseMs} ms would be allowed, its owner accepts ${guest.pauseBudgetMs} ms`,
    lifts: 'an approver accepts the pause by name, or the guest writes less by then',
  }))
}

function staysOf(board: Board, drain: readonly NodeName[], reasonOf: ReadonlyMap<Guest, string>): readonly Stay[] {
  return board.units
    .filter((unit) => drain.includes(board.node(board.placeOf(unit)).name))
    .flatMap(({ guests }) => guests)
    .map((guest) => {
      const reason = reasonOf.get(guest) ?? 'node-offline'
      return {
        guest: guest.vmid,
        reason,
        text: `guest ${guest.vmid} (${guest.name}) still runs on ${guest.node}: ${reason}`,
      }
    })
}

/** Of more the plan tells by number. */
const BROKEN_NAMED_LIMIT = 8

function brokenNotes(broken: readonly Violation[]): readonly string[] {
  const more = broken.length - BROKEN_NAMED_LIMIT
  return [
    ...broken.slice(0, BROKEN_NAMED_LIMIT).map(({ text }) => `Broken before, and not made worse: ${text}.`),
    ...(more > 0 ? [`Broken before, and not made worse: ${more} more.`] : []),
  ]
}

const roundS = (seconds: number): number => Math.round(seconds * 1000) / 1000
/** A bound is rounded down, or it would not be one. */
const floorS = (seconds: number): number => Math.floor(seconds * 1000) / 1000

const toMove = (move: TimedMove) => ({
  step: move.step,
  guest: move.guest.vmid,
  from: move.source.name,
  to: move.target.name,
  mode: move.mode,
  purpose: move.purpose,
  startsAtS: roundS(move.startsAtS),
  endsAtS: roundS(move.endsAtS),
  forecastBlackoutMs: move.forecastBlackoutMs,
})

const bytesOf = ({ mode, guest, diskBytes }: DraftMove): number =>
  diskBytes + (mode === 'offline' ? 0 : guest.residentBytes)

function notesOf(request: PlanRequest, { board, reserve }: Draft, reserveNodes: number): readonly string[] {
  const { cluster, policy, drain, model = DEFAULT_FORECAST_MODEL } = request
  const notes = [
    `Forecast: ${(model.streamBitsPerSecond / 1e9).toFixed(1)} Gbit/s a stream, ${model.fixedSecondsPerMove} s a move (${model.source}).`,
  ]
  if (reserveNodes === 0) {
    const why = policy.reserveNodes === 'auto' ? 'fewer than 4 nodes remain' : 'the policy says so'
    notes.push(`No reserve is kept (${why}): another failure meanwhile may leave guests down.`)
  }
  if (reserve.holds && reserve.leftOut.length > 0) {
    notes.push(`Left out of the reserve, because they are pinned to one node: guests ${reserve.leftOut.join(', ')}.`)
  }
  if (reserve.holds && reserve.isSampled)
    notes.push('The reserve was checked for the fullest nodes only: there are too many sets of nodes.')
  const leaving = board.units
    .filter(({ home }) => drain.includes(board.node(home).name))
    .flatMap(({ guests }) => guests)
  const unmeasured = leaving.filter(({ dirtyBytesPerSecond }) => dirtyBytesPerSecond === 'unknown').length
  if (unmeasured > 0) notes.push(`Nobody measured how fast ${unmeasured} of the guests write: 8 MiB/s is assumed.`)
  const hostType = leaving.filter(({ cpuType }) => cpuType === 'host').length
  if (hostType > 0 && cluster.nodes.some(({ cpuModel }) => cpuModel === undefined)) {
    notes.push(
      `${hostType} guests have CPU type "host" and some nodes do not tell their CPU model: nodes that do not tell count as alike.`,
    )
  }
  return notes
}
