/** The smallest set of reasons that can be shown for guests that found no place, one a root cause. */
import type { Blocker, BlockerKind } from '#domain/blocker'
import type { Guest } from '#domain/guest'
import { Board, type BoardInput, type Relaxable, type Unit } from './board.ts'
import { guestFaults, targetFaults } from './eligibility.ts'
import { place } from './place.ts'

export type Why = { readonly blockers: readonly Blocker[]; readonly reasonOf: ReadonlyMap<Guest, BlockerKind> }

const RELAXABLE: readonly Relaxable[] = ['memory-short', 'cpu-short', 'storage-short', 'keep-apart', 'keep-together']
const GIB = 2 ** 30
/** Less than the planner's own search: with a constraint less there is more room. */
const RELAXED_LOOKS = 10_000
/** Guests named in one sentence; the rest is counted. */
const NAMED_LIMIT = 8

/** `unplaced` found no node; `stuck` found one, and no order to get there. Both are units of the board. */
export function explainUnplaced(board: Board, unplaced: readonly Unit[], stuck: readonly Unit[]): Why {
  const blockers: Blocker[] = []
  const reasonOf = new Map<Guest, BlockerKind>()
  const crowded: Unit[] = []
  const homeless: Unit[] = []
  for (const unit of unplaced) {
    const own = ownBlockers(board, unit)
    if (!board.node(unit.home).online) continue
    if (own.length > 0) blockers.push(...own)
    else if (board.takers.length === 0) homeless.push(unit)
    else if (board.candidatesOf(unit).length > 0) crowded.push(unit)
    else blockers.push(...narrowBlockers(board, unit))
    const first = own[0]?.kind ?? blockers.findLast(({ guest }) => unit.guests.some(({ vmid }) => vmid === guest))?.kind
    for (const guest of unit.guests) reasonOf.set(guest, first ?? 'no-target')
  }
  if (homeless.length > 0) blockers.push(noTarget(homeless))
  if (crowded.length > 0) {
    const shown = crowdedBlockers(board, crowded)
    blockers.push(...shown)
    for (const unit of crowded) for (const guest of unit.guests) reasonOf.set(guest, shown[0]?.kind ?? 'no-target')
  }
  const leaving = stuck.filter(({ home }) => board.input.drain.includes(board.node(home).name))
  if (leaving.length > 0) blockers.push(noOrder(leaving))
  for (const unit of leaving) for (const guest of unit.guests) reasonOf.set(guest, 'no-order')
  return { blockers, reasonOf }
}

/** Reasons of the guest itself: each has to be lifted, whatever else. */
function ownBlockers(board: Board, unit: Unit): readonly Blocker[] {
  return unit.guests.flatMap((guest) =>
    guestFaults(guest, board.input.policy).map((kind) => ({
      kind,
      guest: guest.vmid,
      node: guest.node,
      text: `guest ${guest.vmid} (${guest.name}) on ${guest.node} ${OWN[kind]?.says(guest) ?? 'cannot leave'}`,
      lifts: OWN[kind]?.lifts(guest) ?? 'its owner',
    })),
  )
}

const OWN: Partial<Record<BlockerKind, { says: (guest: Guest) => string; lifts: (guest: Guest) => string }>> = {
  'guest-not-movable': {
    says: () => 'may not be moved: its owner forbids it',
    lifts: () => 'the owner allows the move (movable: true)',
  },
  'guest-locked': {
    says: ({ lock }) => `is locked (${lock})`,
    lifts: ({ lock }) => `the ${lock} ends, and the lock with it`,
  },
  passthrough: {
    says: ({ passthrough }) => `uses hardware of its node (${passthrough.join(', ')})`,
    lifts: ({ vmid }) => `the owner shuts guest ${vmid} down, or gives up the device`,
  },
  'restart-not-allowed': {
    says: () => 'is a container: it moves only by a restart, and nobody allowed that',
    lifts: ({ vmid }) => `its owner allows a restart (policy.allowRestart: [${vmid}])`,
  },
}

/** No node would take the unit even if it were empty: the reasons of the node that is nearest to taking it. */
function narrowBlockers(board: Board, unit: Unit): readonly Blocker[] {
  let nearest: readonly { guest: Guest; kind: BlockerKind }[] | undefined
  const source = board.node(unit.home)
  const { policy } = board.input
  for (const index of board.takers) {
    const target = board.node(index)
    const faults = unit.guests.flatMap((guest) =>
      targetFaults({ guest, source, target, pins: board.pins, policy }).map((kind) => ({ guest, kind })),
    )
    if (nearest === undefined || faults.length < nearest.length) nearest = faults
  }
  return (nearest ?? []).map(({ guest, kind }) => ({
    kind,
    guest: guest.vmid,
    node: guest.node,
    text: `guest ${guest.vmid} (${guest.name}) on ${guest.node}: ${NARROW[kind]?.says(guest) ?? 'no node takes it'}`,
    lifts: NARROW[kind]?.lifts(guest) ?? 'a node that can take it',
  }))
}

const NARROW: Partial<Record<BlockerKind, { says: (guest: Guest) => string; lifts: (guest: Guest) => string }>> = {
  pinned: {
    says: () => 'a pin rule names no other node that takes guests now',
    lifts: ({ vmid }) => `another node in the pin rule of guest ${vmid}`,
  },
  'storage-missing': {
    says: ({ disks }) => `no node that may take it has its storage (${unique(disks.map(({ storage }) => storage))})`,
    lifts: () => 'its disks move to a storage that the others have',
  },
  'bridge-missing': {
    says: ({ bridges }) => `no node that may take it has its bridges (${unique(bridges)})`,
    lifts: () => 'the bridge is made on another node',
  },
  'cpu-model': {
    says: () => 'CPU type "host" moves live only to an equal CPU model, and none that may take it has one',
    lifts: ({ vmid }) => `its owner allows a restart (policy.allowRestart: [${vmid}]), or another CPU type`,
  },
  'qemu-older-on-target': {
    says: () => 'it runs on a newer QEMU than any node that may take it has: it could not be taken over live',
    lifts: () => 'pve-qemu-kvm is upgraded on a node that may take it',
  },
}

const unique = (texts: readonly string[]): string => [...new Set(texts)].join(', ')

const noTarget = (units: readonly Unit[]): Blocker => ({
  kind: 'no-target',
  text: `no node is left to take ${nameGuests(units)}: all others are offline, in maintenance, drained or of the same chassis`,
  lifts: 'another node comes online or leaves maintenance',
})

/** Takes constraints away, one alone and then two, until all find a place: those are the reasons. */
function crowdedBlockers(board: Board, crowded: readonly Unit[]): readonly Blocker[] {
  const sets: Relaxable[][] = RELAXABLE.map((kind) => [kind])
  for (const [index, one] of RELAXABLE.entries()) for (const two of RELAXABLE.slice(index + 1)) sets.push([one, two])
  const kinds = sets.find((set) => wouldFit(board.input, crowded, new Set(set)))
  if (kinds === undefined) return [noOrder(crowded)]
  return kinds.map((kind) => crowdedBlocker(board, crowded, kind))
}

function wouldFit(input: BoardInput, crowded: readonly Unit[], relaxed: ReadonlySet<Relaxable>): boolean {
  const board = new Board({ ...input, relaxed })
  const must = new Set(crowded.flatMap(({ guests }) => guests.map(({ vmid }) => vmid)))
  const drained = input.drain.map((name) => board.indexOf(name))
  const leaving = board.units.filter((unit) => drained.includes(unit.home) && board.candidatesOf(unit).length > 0)
  const { unplaced } = place(board, leaving, 'constrained-first', RELAXED_LOOKS)
  return !unplaced.some(({ guests }) => guests.some(({ vmid }) => must.has(vmid)))
}

function crowdedBlocker(board: Board, crowded: readonly Unit[], kind: Relaxable): Blocker {
  const who = nameGuests(crowded)
  const only = crowded.length === 1 && crowded[0]?.guests.length === 1 ? { guest: crowded[0].guests[0]?.vmid } : {}
  const guest = only.guest === undefined ? {} : { guest: only.guest }
  switch (kind) {
    case 'memory-short': {
      const shortBytes = memoryShortBytes(board, crowded)
      const text = `memory short by ${(shortBytes / GIB).toFixed(1)} GiB for ${who}, headroom kept`
      return { kind, ...guest, text, lifts: `${(shortBytes / GIB).toFixed(1)} GiB more on nodes that may take them` }
    }
    case 'cpu-short':
      return {
        kind,
        ...guest,
        text: `cores short for ${who} within the CPU overcommit`,
        lifts: 'more cores, or a higher cpuOvercommit',
      }
    case 'storage-short':
      return {
        kind,
        ...guest,
        text: `no node has room for the local disks of ${who}`,
        lifts: 'room on the local storages, or shared storage',
      }
    case 'keep-apart':
      return {
        kind,
        ...guest,
        text: `keep-apart rules leave no node for ${who}`,
        lifts: 'one more node, or the rule is suspended by its owner',
      }
    case 'keep-together':
      return {
        kind,
        ...guest,
        text: `no node has room for all of ${who}, who must stay together`,
        lifts: 'room for all of them on one node, or the rule is suspended by its owner',
      }
  }
}

const noOrder = (units: readonly Unit[]): Blocker => ({
  kind: 'no-order',
  text: `no order of moves was found that keeps every rule at every moment for ${nameGuests(units)}`,
  lifts: 'more room on any node that may take guests',
})

/** What the nodes lack in sum; where the sum would do, what the roomiest node lacks for the smallest unit. */
function memoryShortBytes(board: Board, crowded: readonly Unit[]): number {
  const candidates = new Set(crowded.flatMap((unit) => board.candidatesOf(unit)))
  const free = [...candidates].map((node) => Math.max(0, (board.memoryLimit[node] ?? 0) - (board.memory[node] ?? 0)))
  const neededBytes = crowded.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
  const inSumBytes = neededBytes - free.reduce((sum, bytes) => sum + bytes, 0)
  if (inSumBytes > 0) return inSumBytes
  const smallest = Math.min(...crowded.map(({ memoryBytes }) => memoryBytes))
  return Math.max(0, smallest - Math.max(0, ...free))
}

function nameGuests(units: readonly Unit[]): string {
  const ids = units.flatMap(({ guests }) => guests.map(({ vmid }) => vmid))
  const named = ids.slice(0, NAMED_LIMIT).join(', ')
  const more = ids.length > NAMED_LIMIT ? ` and ${ids.length - NAMED_LIMIT} more` : ''
  return `guest${ids.length === 1 ? '' : 's'} ${named}${more}`
}
