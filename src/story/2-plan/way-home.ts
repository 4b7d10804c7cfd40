/** The way home: every guest back where it was, in an order that keeps every rule as the cluster is by then. */
import type { BlockerKind } from '#domain/blocker'
import type { ClusterObservation } from '#domain/cluster'
import type { Guest } from '#domain/guest'
import type { NodeName, Vmid } from '#domain/ids'
import { type BrokenBefore, DEFAULT_FORECAST_MODEL, type ForecastModel, type HomePlan, type Stay } from '#domain/plan'
import type { PlanPolicy } from '#domain/policy'
import { allowancesOf } from './allowed-again.ts'
import { Board, type Unit } from './board.ts'
import { guestFaults, isLocalDisk, modeOf, targetFaults } from './eligibility.ts'
import type { DraftMove } from './forecast.ts'
import { type Hop, orderMoves } from './order.ts'
import { scheduleMoves } from './schedule.ts'

const GIB = 2 ** 30
/** Each round brings somebody home, or is the last. */
const ROUNDS_LIMIT = 50

export type HomeInput = {
  readonly cluster: ClusterObservation
  /** Where each guest was before. Guests that are there already, or are gone, are not spoken of. */
  readonly origins: ReadonlyMap<Vmid, NodeName>
  readonly policy: PlanPolicy
  readonly model?: ForecastModel
  readonly before?: BrokenBefore
}

/** Whoever cannot go stays where he is, and is said with the reason. Nobody moves who is not away from home. */
export function proposeWayHome(input: HomeInput): HomePlan {
  const { policy, model = DEFAULT_FORECAST_MODEL } = input
  const board = boardFor(input)
  const stays: Stay[] = []
  const wanted = wantedHomes(board, input.origins, stays)
  const { hops, stuck } = orderHome(board, wanted)
  for (const unit of stuck) stays.push(...staysOf(unit, whyNot(board, unit, wanted.get(unit) ?? unit.home)))
  const lastStep = hops.reduce((last, { step }) => Math.max(last, step), 0)
  const drafts = [
    ...hops.flatMap((hop) => draftHop(board, hop)),
    ...stoppedHome(board, input.origins, lastStep + 1, stays),
  ]
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

function boardFor({ cluster, origins, policy, before }: HomeInput): Board {
  const takers = cluster.nodes.filter(({ online, maintenance }) => online && !maintenance)
  const wereApart = new Set(before?.apart.flat())
  // Partners who were apart before go each to his own; whoever a rule keeps together now moves as one.
  const keyOf = ({ vmid, node }: Guest) => (wereApart.has(vmid) ? (origins.get(vmid) ?? node) : '')
  const allowances = before === undefined ? {} : allowancesOf(before, cluster)
  return new Board({ cluster, drain: [], policy, takers, keyOf, ...allowances })
}

type Why = { readonly kind: BlockerKind; readonly text: string }

/** Units that may go to the one home that all their guests have; the others are said. */
function wantedHomes(board: Board, origins: ReadonlyMap<Vmid, NodeName>, stays: Stay[]): Map<Unit, number> {
  const wanted = new Map<Unit, number>()
  for (const unit of board.units) {
    const away = unit.guests.filter((guest) => isAway(guest, origins))
    const home = away.map(({ vmid }) => origins.get(vmid)).find((name) => name !== undefined)
    if (home === undefined) continue
    const why = otherHome(unit, origins) ?? unit.guests.map((guest) => faultOf(board, guest, home)).find(Boolean)
    if (why === undefined) wanted.set(unit, board.indexOf(home))
    else stays.push(...away.map(({ vmid }) => stayOf(vmid, why)))
  }
  return wanted
}

const isAway = ({ vmid, node }: Guest, origins: ReadonlyMap<Vmid, NodeName>) => (origins.get(vmid) ?? node) !== node

/** A rule that is newer than their moves keeps together who belong on different nodes: none of them may go. */
function otherHome({ guests }: Unit, origins: ReadonlyMap<Vmid, NodeName>): Why | undefined {
  const homes = new Set(guests.map(({ vmid, node }) => origins.get(vmid) ?? node))
  if (homes.size < 2) return undefined
  const who = guests.map(({ vmid, node }) => `guest ${vmid} belongs on ${origins.get(vmid) ?? node}`).join(', ')
  return { kind: 'keep-together', text: `a rule keeps them together, and ${who}` }
}

/** What keeps a guest from going home however empty its home is. */
function faultOf(board: Board, guest: Guest, home: NodeName): Why | undefined {
  const { policy } = board.input
  const source = board.node(board.indexOf(guest.node))
  if (!source.online)
    return { kind: 'node-offline', text: `${source.name} is offline: from there it can only be recovered` }
  const [own] = guestFaults(guest, policy)
  if (own !== undefined) return { kind: own, text: (WORDS[own] ?? unsaid)(guest, home) }
  const index = board.indexOf(home)
  if (!board.takers.includes(index)) return { kind: 'no-target', text: whyTakesNothing(board, index) }
  const [lacking] = targetFaults({ guest, source, target: board.node(index), pins: board.pins, policy })
  return lacking === undefined ? undefined : { kind: lacking, text: (WORDS[lacking] ?? unsaid)(guest, home) }
}

type Words = (guest: Guest, home: NodeName) => string

const WORDS: Partial<Record<BlockerKind, Words>> = {
  'guest-not-movable': () => 'its owner forbids moves',
  'guest-locked': ({ lock }) => `it is locked (${lock})`,
  passthrough: ({ node }) => `it uses hardware of ${node}`,
  'restart-not-allowed': () => 'it is a container, and nobody allowed a restart',
  pinned: (_, home) => `a pin rule does not name ${home}`,
  'storage-missing': (_, home) => `${home} lacks its storage`,
  'bridge-missing': (_, home) => `${home} lacks its bridge`,
  'cpu-model': (_, home) => `${home} has another CPU model, and nobody allowed a restart`,
  'qemu-older-on-target': (_, home) => `${home} has an older QEMU`,
}

const unsaid: Words = (_, home) => `${home} cannot take it`

function whyTakesNothing(board: Board, index: number): string {
  const node = index < 0 ? undefined : board.node(index)
  if (node === undefined) return 'its home is not in the cluster any more'
  return node.online ? `${node.name} is in maintenance` : `${node.name} is offline`
}

/** Who found no way at first may find one when others have gone. */
function orderHome(board: Board, wanted: ReadonlyMap<Unit, number>): ReturnType<typeof orderMoves> {
  const hops: Hop[] = []
  let left = wanted
  for (let round = 0; round < ROUNDS_LIMIT && left.size > 0; round++) {
    const done = hops.reduce((last, { step }) => Math.max(last, step), 0)
    const order = orderMoves(board, left, () => 'drain')
    hops.push(...order.hops.map((hop) => ({ ...hop, step: hop.step + done })))
    left = new Map([...left].filter(([unit]) => order.stuck.includes(unit)))
    if (order.hops.length === 0) break
  }
  return { hops, stuck: [...left.keys()] }
}

/** The first limit that holds a unit back when everybody else is where he goes. */
function whyNot(board: Board, unit: Unit, home: number): Why {
  const { name } = board.node(home)
  const memoryShortBytes = (board.memory[home] ?? 0) + unit.memoryBytes - (board.memoryLimit[home] ?? 0)
  if (memoryShortBytes > 0)
    return { kind: 'memory-short', text: `memory of ${name} is short by ${(memoryShortBytes / GIB).toFixed(1)} GiB` }
  const coresShort = (board.cpu[home] ?? 0) + unit.cpuCores - (board.cpuLimit[home] ?? 0)
  if (coresShort > 0) return { kind: 'cpu-short', text: `${name} is short by ${coresShort} cores` }
  const foes = unit.foes.filter((foe) => board.at[foe] === home).flatMap((foe) => board.unit(foe).guests)
  if (foes.length > 0)
    return {
      kind: 'keep-apart',
      text: `a rule keeps it apart from guest ${foes.map(({ vmid }) => vmid).join(', ')} on ${name}`,
    }
  if (board.diskShortBytes(unit, home) > 0)
    return { kind: 'storage-short', text: `${name} has no room for its local disks` }
  return { kind: 'no-order', text: 'no order of moves keeps every rule at every moment' }
}

const stayOf = (guest: Vmid, { kind, text }: Why): Stay => ({
  guest,
  reason: kind,
  text: `guest ${guest} cannot go home now: ${text}`,
})

const staysOf = ({ guests }: Unit, why: Why): readonly Stay[] => guests.map(({ vmid }) => stayOf(vmid, why))

/** They weigh nothing and go in the first step; with local disks in the last, when what is free for those is known. */
function stoppedHome(
  board: Board,
  origins: ReadonlyMap<Vmid, NodeName>,
  lastStep: number,
  stays: Stay[],
): readonly DraftMove[] {
  const drafts: DraftMove[] = []
  for (const guest of board.input.cluster.guests) {
    const home = origins.get(guest.vmid)
    if (guest.status !== 'stopped' || home === undefined || home === guest.node) continue
    const why = faultOf(board, guest, home) ?? diskFault(board, guest, home, drafts)
    if (why === undefined) drafts.push(draftStopped(board, guest, home, lastStep))
    else stays.push(stayOf(guest.vmid, why))
  }
  return drafts
}

function draftStopped(board: Board, guest: Guest, home: NodeName, lastStep: number): DraftMove {
  const source = board.node(board.indexOf(guest.node))
  const target = board.node(board.indexOf(home))
  const diskBytes = diskBytesOf({ guest, source, target })
  const step = diskBytes > 0 ? lastStep : 1
  return { step, guest, source, target, mode: 'offline', purpose: 'drain', diskBytes }
}

/** With those that go there before it. */
function diskFault(board: Board, guest: Guest, home: NodeName, drafts: readonly DraftMove[]): Why | undefined {
  const going = drafts.filter(({ target }) => target.name === home).map((draft) => draft.guest)
  const lot = { guests: [...going, guest] }
  if (board.diskShortBytes(lot, board.indexOf(home)) <= 0) return undefined
  return { kind: 'storage-short', text: `${home} has no room for its local disks` }
}

type Ends = Pick<DraftMove, 'guest' | 'source' | 'target'>

const diskBytesOf = ({ guest, source, target }: Ends): number =>
  guest.disks
    .filter(({ storage }) => isLocalDisk({ storage, source, target }))
    .reduce((sum, { bytes }) => sum + bytes, 0)

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
    diskBytes: diskBytesOf({ guest, source, target }),
  }))
}
