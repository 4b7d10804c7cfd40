/** The smallest set of blockers that can be shown for guests that found no place, one a root cause. */
import type { Blocker, BlockerKind } from '#domain/blocker'
import type { Guest } from '#domain/guest'
import { Board, type BoardInput, type Relaxable, type Unit } from './board.ts'
import { guestFaults, targetFaults } from './eligibility.ts'
import { place } from './place.ts'
import { blockerOf, nameGuests, type Reason, type ReasonSet } from './reasons.ts'

export type Why = {
  readonly blockers: readonly Blocker[]
  readonly reasonOf: ReadonlyMap<Guest, BlockerKind>
  /** Proven: fewer blockers do not explain it. */
  readonly areFewest: boolean
  /** Proven without a solver: not all can leave. */
  readonly isCertain: boolean
  readonly way: Left['way']
}

const RELAXABLE: readonly Relaxable[] = ['memory-short', 'cpu-short', 'storage-short', 'keep-apart', 'keep-together']
/** Less than the planner's own search: with a constraint less there is more room. */
const RELAXED_LOOKS = 10_000
/** Rules that are tried alone. */
const RULES_TRIED_LIMIT = 24

export type Left = {
  /** Units of the board that found no node. */
  readonly unplaced: readonly Unit[]
  /** Units that found one, and no order to get there. */
  readonly stuck: readonly Unit[]
  /** A solver's word on why, where one was asked. */
  readonly proven?: ReasonSet
  /** What is known of ways to a placement that a solver has shown. */
  readonly way?: 'none-found' | 'proven-none'
}

export function explainUnplaced(board: Board, { unplaced, stuck, proven, way }: Left): Why {
  const blockers: Blocker[] = []
  const reasonOf = new Map<Guest, BlockerKind>()
  const say = (unit: Unit, kind: BlockerKind) => {
    for (const guest of unit.guests) reasonOf.set(guest, kind)
  }
  const leaving = stuck.filter(({ home }) => board.input.drain.includes(board.node(home).name))
  const groups = Map.groupBy(
    unplaced.filter((unit) => board.node(unit.home).online),
    (unit) => whatHolds(board, unit),
  )
  for (const unit of groups.get('itself') ?? []) {
    const own = ownBlockers(board, unit)
    blockers.push(...own)
    say(unit, own[0]?.kind ?? 'no-target')
  }
  const homeless = groups.get('no node') ?? []
  if (homeless.length > 0) blockers.push(noTarget(homeless))
  for (const unit of homeless) say(unit, 'no-target')
  const narrow = groups.get('every node') ?? []
  const crowded = groups.get('the others') ?? []
  const wayless = way === undefined ? leaving : [...crowded, ...leaving]
  const shown =
    proven === undefined
      ? shownBySearch(board, narrow, way === undefined ? crowded : [])
      : byProof(board, [...narrow, ...crowded], proven)
  blockers.push(...shown.blockers)
  for (const unit of narrow) say(unit, narrowBlockers(board, unit)[0]?.kind ?? 'no-target')
  for (const unit of crowded) say(unit, shown.crowdedBy)
  if (wayless.length > 0) blockers.push(noOrder(wayless, way))
  for (const unit of wayless) say(unit, 'no-order')
  return {
    blockers,
    reasonOf,
    areFewest: shown.areFewest && (wayless.length === 0 || blockers.length === 1),
    isCertain: unplaced.length > crowded.length || isSumShort(board, crowded),
    way,
  }
}

/** Residents moving about make no room in sum. What a node carried before it may carry again. */
function isSumShort(board: Board, crowded: readonly Unit[]): boolean {
  const before = new Board(board.input)
  const room = (has: Float64Array, had: Float64Array, limit: Float64Array) =>
    board.takers.reduce((sum, node) => sum + Math.max(limit[node] ?? 0, had[node] ?? 0) - (has[node] ?? 0), 0)
  const needed = (of: (unit: Unit) => number) => crowded.reduce((sum, unit) => sum + of(unit), 0)
  return (
    needed(({ memoryBytes }) => memoryBytes) > room(board.memory, before.memory, board.memoryLimit) + 1 ||
    needed(({ cpuCores }) => cpuCores) > room(board.cpu, before.cpu, board.cpuLimit) + 1e-6
  )
}

/** What holds the unit: itself (a lock, its owner), that no node is left, that every node lacks something, or who else is there. */
function whatHolds(board: Board, unit: Unit): 'itself' | 'no node' | 'every node' | 'the others' {
  if (unit.guests.some((guest) => guestFaults(guest, board.input.policy).length > 0)) return 'itself'
  if (board.takers.length === 0) return 'no node'
  return board.candidatesOf(unit).length > 0 ? 'the others' : 'every node'
}

type Shown = { readonly blockers: readonly Blocker[]; readonly crowdedBy: BlockerKind; readonly areFewest: boolean }

function byProof(board: Board, held: readonly Unit[], { reasons, isSmallest }: ReasonSet): Shown {
  const guests = held.flatMap((unit) => unit.guests)
  return {
    blockers: reasons.map((reason) => blockerOf(board, reason, guests)),
    crowdedBy: reasons[0]?.kind ?? 'no-order',
    areFewest: isSmallest,
  }
}

function shownBySearch(board: Board, narrow: readonly Unit[], crowded: readonly Unit[]): Shown {
  const reasons = crowded.length === 0 ? [] : crowdedReasons(board, crowded)
  const guests = crowded.flatMap((unit) => unit.guests)
  const isUnexplained = crowded.length > 0 && reasons.length === 0
  return {
    blockers: [
      ...narrow.flatMap((unit) => narrowBlockers(board, unit)),
      ...reasons.map((reason) => blockerOf(board, reason, guests)),
      ...(isUnexplained ? [noOrder(crowded, undefined)] : []),
    ],
    crowdedBy: reasons[0]?.kind ?? 'no-order',
    // One reason, without which the search places everybody, cannot be less.
    areFewest: narrow.length === 0 && reasons.length <= 1 && !isUnexplained,
  }
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
  text: `no node is left to take ${nameGuests(units.flatMap(({ guests }) => guests.map(({ vmid }) => vmid)))}: all others are offline, in maintenance, drained or of the same chassis`,
  lifts: 'another node comes online or leaves maintenance',
})

/** Takes constraints away, one alone and then two, until all find a place: those are the reasons. None: no two of them suffice. */
function crowdedReasons(board: Board, crowded: readonly Unit[]): readonly Reason[] {
  const sets: Relaxable[][] = RELAXABLE.map((kind) => [kind])
  for (const [index, one] of RELAXABLE.entries()) for (const two of RELAXABLE.slice(index + 1)) sets.push([one, two])
  const kinds = sets.find((set) => wouldFit({ ...board.input, relaxed: new Set(set) }, crowded))
  return (kinds ?? []).flatMap((kind) => reasonsOfKind(board, crowded, kind, kinds ?? []))
}

function wouldFit(input: BoardInput, crowded: readonly Unit[]): boolean {
  const board = new Board(input)
  const must = new Set(crowded.flatMap(({ guests }) => guests.map(({ vmid }) => vmid)))
  const drained = input.drain.map((name) => board.indexOf(name))
  const leaving = board.units.filter((unit) => drained.includes(unit.home) && board.candidatesOf(unit).length > 0)
  const { unplaced } = place(board, leaving, 'constrained-first', RELAXED_LOOKS)
  return !unplaced.some(({ guests }) => guests.some(({ vmid }) => must.has(vmid)))
}

function reasonsOfKind(
  board: Board,
  crowded: readonly Unit[],
  kind: Relaxable,
  kinds: readonly Relaxable[],
): readonly Reason[] {
  switch (kind) {
    case 'memory-short':
      return [{ kind, shortBytes: memoryShortBytes(board, crowded), where: [] }]
    case 'cpu-short':
      return [{ kind, shortCores: cpuShortCores(board, crowded), where: [] }]
    case 'storage-short':
      return [{ kind, shortBytes: 0, where: [] }]
    default:
      return rulesOfKind(board, crowded, kind, kinds).map((rule) => ({ kind, rule }))
  }
}

/** The rules of a kind without which all find a place: one alone where one does, else what is left when none more can be kept. */
function rulesOfKind(
  board: Board,
  crowded: readonly Unit[],
  kind: 'keep-apart' | 'keep-together',
  kinds: readonly Relaxable[],
): readonly number[] {
  const { rules } = board.input.cluster
  const all = rules.flatMap((rule, index) => (rule.kind === kind && rule.strict ? [index] : []))
  const held = new Set(crowded.flatMap(({ guests }) => guests.map(({ vmid }) => vmid)))
  const touches = (index: number) => rules[index]?.guests.some((vmid) => held.has(vmid)) === true
  const nearFirst = all.toSorted((a, b) => Number(touches(b)) - Number(touches(a)) || a - b)
  const relaxed = new Set(kinds.filter((other) => other !== kind))
  const fitsWithout = (gone: readonly number[]) => {
    const cluster = { ...board.input.cluster, rules: rules.filter((_, index) => !gone.includes(index)) }
    return wouldFit({ ...board.input, cluster, relaxed }, crowded)
  }
  const alone = nearFirst.slice(0, RULES_TRIED_LIMIT).find((index) => fitsWithout([index]))
  if (alone !== undefined) return [alone]
  let gone: readonly number[] = all
  for (const kept of nearFirst.toReversed().slice(0, RULES_TRIED_LIMIT)) {
    const fewer = gone.filter((index) => index !== kept)
    if (fitsWithout(fewer)) gone = fewer
  }
  return gone
}

const noOrder = (units: readonly Unit[], way: Left['way']): Blocker => {
  const who = nameGuests(units.flatMap(({ guests }) => guests.map(({ vmid }) => vmid)))
  return {
    kind: 'no-order',
    text: `${NO_ORDER[way ?? 'not-asked']} ${who}`,
    lifts: 'more room on any node that may take guests, so that one guest can step aside',
  }
}

const NO_ORDER = {
  'not-asked': 'no order of moves was found that keeps every rule at every moment for',
  'none-found':
    'the end state exists, a way there was not found: no order of moves seen keeps every rule at every moment for',
  'proven-none':
    'the end state exists, the way there does not: every order of moves breaks a rule or fills a node at some moment for',
} as const

/** What the nodes lack in sum; where the sum would do, what the roomiest node lacks for the smallest unit. */
function memoryShortBytes(board: Board, crowded: readonly Unit[]): number {
  const candidates = new Set(crowded.flatMap((unit) => board.candidatesOf(unit)))
  const free = [...candidates].map((node) => Math.max(0, (board.memoryLimit[node] ?? 0) - (board.memory[node] ?? 0)))
  return shortIn(
    crowded.map(({ memoryBytes }) => memoryBytes),
    free,
  )
}

function cpuShortCores(board: Board, crowded: readonly Unit[]): number {
  const candidates = new Set(crowded.flatMap((unit) => board.candidatesOf(unit)))
  const free = [...candidates].map((node) => Math.max(0, (board.cpuLimit[node] ?? 0) - (board.cpu[node] ?? 0)))
  return shortIn(
    crowded.map(({ cpuCores }) => cpuCores),
    free,
  )
}

function shortIn(needed: readonly number[], free: readonly number[]): number {
  const total = (figures: readonly number[]) => figures.reduce((sum, figure) => sum + figure, 0)
  const inSum = total(needed) - total(free)
  return inSum > 0 ? inSum : Math.max(0, Math.min(...needed) - Math.max(0, ...free))
}
