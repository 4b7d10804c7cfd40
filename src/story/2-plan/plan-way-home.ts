/** The way home of a plan: everybody who moves goes back, residents too, in an order that keeps every rule. */
import type { ClusterObservation } from '#domain/cluster'
import type { Vmid } from '#domain/ids'
import type { Node } from '#domain/node'
import type { ForecastModel, HomeMove } from '#domain/plan'
import { allowedAgain } from './allowed-again.ts'
import type { Board } from './board.ts'
import { guestFaults, modeOf, targetFaults } from './eligibility.ts'
import type { TimedMove } from './forecast.ts'
import { proposeWayHome } from './way-home.ts'

/**
 * The plan backwards, where every guest may go back: while a step runs a guest counts on both ends, so backwards it keeps the same rules.
 * Else (a hop, a home that lacks something) it is planned anew. Home is never fuller than it was.
 */
export function wayHomeOf(end: Board, moves: readonly TimedMove[], model: ForecastModel): readonly HomeMove[] {
  const { policy, drain } = end.input
  // By then the drained nodes are repaired and take guests again.
  const cluster = {
    ...end.input.cluster,
    nodes: end.input.cluster.nodes.map((node) => (drain.includes(node.name) ? { ...node, maintenance: false } : node)),
  }
  const canGoBack = moves.every(
    ({ purpose, guest, source, target }) =>
      purpose !== 'park' &&
      source.online &&
      (!source.maintenance || drain.includes(source.name)) &&
      guestFaults(guest, policy).length === 0 &&
      targetFaults({ guest, source: target, target: source, pins: end.pins, policy }).length === 0,
  )
  if (!canGoBack || moves.some(({ purpose }) => purpose === 'park')) return planAnew(end, cluster, moves, model)
  return moves
    .toSorted(
      (a, b) =>
        b.step - a.step || unitIndex(end, a.guest.vmid) - unitIndex(end, b.guest.vmid) || a.guest.vmid - b.guest.vmid,
    )
    .map(({ guest, source, target }) => ({
      guest: guest.vmid,
      from: target.name,
      to: source.name,
      mode: modeOf({ guest, source: target, target: source }),
    }))
}

function planAnew(
  end: Board,
  cluster: ClusterObservation,
  moves: readonly TimedMove[],
  model: ForecastModel,
): readonly HomeMove[] {
  const { policy } = end.input
  const nowOn = new Map(moves.map((move) => [move.guest.vmid, move.target.name]))
  const guests = cluster.guests.map((guest) => ({ ...guest, node: nowOn.get(guest.vmid) ?? guest.node }))
  const home = proposeWayHome({
    cluster: { ...cluster, guests, nodes: cluster.nodes.map((node) => withDisksMoved(node, moves)) },
    origins: new Map(moves.map((move) => [move.guest.vmid, move.guest.node])),
    policy,
    model,
    before: allowedAgain(cluster, policy),
  })
  return home.moves
    .toSorted((a, b) => a.step - b.step || unitIndex(end, a.guest) - unitIndex(end, b.guest) || a.guest - b.guest)
    .map(({ guest, from, to, mode }) => ({ guest, from, to, mode }))
}

/** What is free on a storage was seen with the guests where they were: by then their disks lie elsewhere. */
function withDisksMoved(node: Node, moves: readonly TimedMove[]): Node {
  const storages = node.storages.map((storage) => {
    if (storage.shared) return storage
    let { freeBytes } = storage
    for (const { guest, source, target } of moves) {
      const bytes = guest.disks.reduce((sum, disk) => sum + (disk.storage === storage.id ? disk.bytes : 0), 0)
      if (target.name === node.name) freeBytes -= bytes
      if (source.name === node.name) freeBytes += bytes
    }
    return { ...storage, freeBytes }
  })
  return { ...node, storages }
}

/** Partners follow each other. */
const unitIndex = (board: Board, guest: Vmid): number => board.unitOf.get(guest)?.index ?? board.units.length
