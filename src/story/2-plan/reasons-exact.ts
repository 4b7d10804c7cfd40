/**
 * The smallest set of reasons as a problem for a solver: every constraint may be lifted, as few as possible are. All guests are placed
 * one by one here: keep-together is a constraint like others.
 */
import type { Guest, Rule } from '#domain/guest'
import type { Vmid } from '#domain/ids'
import type { Column, Milp, Row, Solver } from '#ports/solver'
import { Board, type BoardInput } from './board.ts'
import { guestFaults, targetFaults } from './eligibility.ts'
import type { Reason, ReasonSet, Short } from './reasons.ts'

const GIB = 2 ** 30
const NONE = Number.NEGATIVE_INFINITY

/**
 * The fewest constraints that have to be lifted so that every guest finds a place whom nothing of his own holds; none where nothing has to
 * be. Undefined where the solver does not answer in time. What a node carried before it may carry.
 *
 * @param isImpossible proven already: said to the solver, it spares him the same proof
 */
export async function smallestReasons(
  solver: Solver,
  {
    input,
    isImpossible,
    limitMs,
    amountLimitMs,
  }: { input: BoardInput; isImpossible: boolean; limitMs: number; amountLimitMs: number },
): Promise<ReasonSet | undefined> {
  const draft = new Draft(input)
  const first = await solver.solve(draft.fewestProblem(isImpossible), limitMs)
  if (first.is !== 'optimal' && first.is !== 'feasible') return undefined
  const lifted = draft.liftedIn(first.values)
  // Which ones is settled; now by how much at least.
  const second = await solver.solve(draft.leastProblem(lifted), amountLimitMs)
  const values = second.is === 'optimal' || second.is === 'feasible' ? second.values : first.values
  return {
    reasons: lifted.map((group) => draft.reasonOf(group, values)),
    // One less would be a whole one less.
    isSmallest: first.is === 'optimal' || first.bound > lifted.length - 1 + 1e-3,
  }
}

type Group = { readonly key: string; readonly column: number; readonly kind: Reason['kind']; readonly what: string }
type Placing = { readonly guest: Guest; readonly node: number; readonly column: number }
type Slack = { readonly kind: Reason['kind']; readonly node: number; readonly column: number; readonly most: number }

/** With equal numbers, what an operator can lift more easily: thousandths, so that no number of them weighs a reason. */
const DEARNESS: Record<Reason['kind'], number> = {
  'memory-short': 0,
  'cpu-short': 1e-3,
  'storage-short': 2e-3,
  'storage-missing': 3e-3,
  'bridge-missing': 3e-3,
  'qemu-older-on-target': 4e-3,
  'cpu-model': 4e-3,
  'keep-apart': 5e-3,
  'keep-together': 6e-3,
  pinned: 7e-3,
}

/** Rows that a lifted group frees are written with a factor that no sum reaches. */
class Draft {
  readonly #board: Board
  readonly #together: Board
  readonly #columns: Column[] = []
  readonly #rows: Row[] = []
  readonly #groups = new Map<string, Group>()
  readonly #placings: Placing[] = []
  readonly #slacks: Slack[] = []
  readonly #byGuest = new Map<Vmid, ReadonlyMap<number, number>>()
  readonly #drained: ReadonlySet<number>

  constructor(input: BoardInput) {
    this.#board = new Board({ ...input, relaxed: new Set(['keep-together']) })
    this.#together = new Board(input)
    this.#drained = new Set(input.drain.map((name) => this.#board.indexOf(name)))
    for (const { guests } of this.#board.units) for (const guest of guests) this.#addGuest(guest)
    for (const node of this.#board.takers) this.#addRoom(node)
    for (const [index, rule] of input.cluster.rules.entries()) this.#addRule(rule, index)
  }

  /** As few groups lifted as will do. */
  fewestProblem(isImpossible: boolean): Milp {
    const columns = [...this.#columns]
    for (const { column, kind } of this.#groups.values())
      columns[column] = { cost: 1 + DEARNESS[kind], lower: 0, upper: 1, isWhole: true }
    const terms = [...this.#groups.values()].map(({ column }) => plus(column))
    const some = isImpossible ? [{ terms, lower: 1, upper: Number.POSITIVE_INFINITY }] : []
    return { columns, rows: [...this.#rows, ...some] }
  }

  /** With exactly these lifted, as little room missing as will do. */
  leastProblem(lifted: readonly Group[]): Milp {
    const columns = [...this.#columns]
    for (const group of this.#groups.values()) {
      const isLifted = lifted.includes(group) ? 1 : 0
      columns[group.column] = { cost: 0, lower: isLifted, upper: isLifted, isWhole: true }
    }
    for (const { column, most } of this.#slacks) columns[column] = { cost: 1, lower: 0, upper: most, isWhole: false }
    return { columns, rows: this.#rows }
  }

  liftedIn(values: readonly number[]): readonly Group[] {
    return [...this.#groups.values()].filter(({ column }) => (values[column] ?? 0) > 0.5)
  }

  reasonOf({ kind, what }: Group, values: readonly number[]): Reason {
    const where: Short[] = this.#slacks
      .filter((slack) => slack.kind === kind && (values[slack.column] ?? 0) > 1e-6)
      .map(({ node, column }) => ({ node: this.#board.node(node).name, amount: values[column] ?? 0 }))
      .toSorted((a, b) => b.amount - a.amount)
    const inBytes = where.map(({ node, amount }) => ({ node, amount: Math.round(amount * GIB) }))
    switch (kind) {
      case 'memory-short':
      case 'storage-short':
        return { kind, shortBytes: sum(inBytes.map(({ amount }) => amount)), where: inBytes }
      case 'cpu-short':
        return { kind, shortCores: sum(where.map(({ amount }) => amount)), where }
      case 'keep-apart':
      case 'keep-together':
      case 'pinned':
        return { kind, rule: Number(what) }
      case 'storage-missing':
      case 'bridge-missing':
        return { kind, name: what, guests: this.#freedBy(kind, what, values) }
      case 'cpu-model':
        return { kind, guests: [Number(what) as Vmid] }
      case 'qemu-older-on-target':
        return { kind, guests: this.#freedBy(kind, what, values) }
    }
  }

  #freedBy(kind: Reason['kind'], what: string, values: readonly number[]): readonly Vmid[] {
    return this.#placings
      .filter(
        ({ guest, node, column }) =>
          (values[column] ?? 0) > 0.5 && this.#faultKeys(guest, node).includes(`${kind} ${what}`),
      )
      .map(({ guest }) => guest.vmid)
  }

  #group(kind: Reason['kind'], what: string): Group {
    const key = `${kind} ${what}`
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = { key, column: this.#columns.length, kind, what }
      this.#columns.push({ cost: 0, lower: 0, upper: 1, isWhole: true })
      this.#groups.set(key, group)
    }
    return group
  }

  #addGuest(guest: Guest): void {
    const board = this.#board
    const home = board.indexOf(guest.node)
    const isLeaving = this.#drained.has(home)
    const isFixed = !board.node(home).online || this.#isHeld(guest)
    if (isFixed || (!isLeaving && !board.takers.includes(home))) return
    const columns = new Map<number, number>()
    for (const node of board.takers) {
      const isHome = node === home
      const faults = isHome ? [] : this.#faultKeys(guest, node)
      // A resident is not asked to go where he may not: that would be a reason for nothing.
      if (faults.length > 0 && !isLeaving) continue
      const column = this.#columns.length
      this.#columns.push({ cost: 0, lower: 0, upper: 1, isWhole: true })
      columns.set(node, column)
      this.#placings.push({ guest, node, column })
      for (const key of faults) {
        const at = key.indexOf(' ')
        const group = this.#group(key.slice(0, at) as Reason['kind'], key.slice(at + 1))
        this.#rows.push({ terms: [plus(column), plus(group.column, -1)], lower: NONE, upper: 0 })
      }
    }
    this.#byGuest.set(guest.vmid, columns)
    this.#rows.push({ terms: [...columns.values()].map((column) => plus(column)), lower: 1, upper: 1 })
  }

  /** Something of his own holds him, or a partner who must come along: no room anywhere would change that. */
  #isHeld({ vmid }: Guest): boolean {
    const partners = this.#together.unitOf.get(vmid)?.guests ?? []
    return partners.some((partner) => guestFaults(partner, this.#board.input.policy).length > 0)
  }

  #faultKeys(guest: Guest, node: number): readonly string[] {
    const { pins, input } = this.#board
    const source = this.#board.node(this.#board.indexOf(guest.node))
    const target = this.#board.node(node)
    return targetFaults({ guest, source, target, pins, policy: input.policy }).flatMap((kind): readonly string[] => {
      switch (kind) {
        case 'pinned':
          return input.cluster.rules.flatMap((rule, index) =>
            rule.kind === 'pin' && rule.strict && rule.guests.includes(guest.vmid) && !rule.nodes.includes(target.name)
              ? [`pinned ${index}`]
              : [],
          )
        case 'storage-missing':
          return unique(guest.disks.map(({ storage }) => storage))
            .filter((storage) => !target.storages.some(({ id }) => id === storage))
            .map((storage) => `storage-missing ${storage}`)
        case 'bridge-missing':
          return unique(guest.bridges)
            .filter((bridge) => !target.bridges.includes(bridge))
            .map((bridge) => `bridge-missing ${bridge}`)
        case 'cpu-model':
          return [`cpu-model ${guest.vmid}`]
        default:
          return ['qemu-older-on-target -']
      }
    })
  }

  #addRoom(node: number): void {
    const board = this.#board
    const here = this.#placings.filter((placing) => placing.node === node)
    const leaves = (of: (guest: Guest) => number) =>
      sum(
        [...(board.unitsAt[node] ?? [])].flatMap((at) =>
          board.unit(at).guests.map((g) => (this.#byGuest.has(g.vmid) ? of(g) : 0)),
        ),
      )
    const memory = board.memory[node] ?? 0
    const cpu = board.cpu[node] ?? 0
    const memoryLeaves = leaves(({ memoryBytes }) => memoryBytes)
    this.#addLimit('memory-short', node, {
      here: here.map(({ guest, column }) => plus(column, guest.memoryBytes / GIB)),
      upper: (Math.max(board.memoryLimit[node] ?? 0, memory) - memory + memoryLeaves) / GIB,
    })
    this.#addLimit('cpu-short', node, {
      here: here.map(({ guest, column }) => plus(column, guest.cpuCores)),
      upper: Math.max(board.cpuLimit[node] ?? 0, cpu) - cpu + leaves(({ cpuCores }) => cpuCores),
    })
    for (const { id, shared, freeBytes } of board.node(node).storages) {
      if (shared) continue
      const gibOf = ({ disks }: Guest) => sum(disks.map(({ storage, bytes }) => (storage === id ? bytes : 0))) / GIB
      this.#addLimit('storage-short', node, {
        here: here.map(({ guest, column }) => plus(column, gibOf(guest))).filter(({ factor }) => factor > 0),
        upper: freeBytes / GIB + leaves(gibOf),
      })
    }
  }

  /** The limit, and how far above it the sum may be where the kind is lifted. */
  #addLimit(kind: Reason['kind'], node: number, { here, upper }: { here: Row['terms']; upper: number }): void {
    const most = sum(here.map(({ factor }) => factor))
    if (most <= upper) return
    const group = this.#group(kind, '-')
    const column = this.#columns.length
    this.#columns.push({ cost: 0, lower: 0, upper: most, isWhole: false })
    this.#slacks.push({ kind, node, column, most })
    this.#rows.push({ terms: [...here, plus(column, -1)], lower: NONE, upper })
    this.#rows.push({ terms: [plus(column), plus(group.column, -most)], lower: NONE, upper: 0 })
  }

  #addRule(rule: Rule, index: number): void {
    if (rule.kind === 'pin' || !rule.strict) return
    const running = unique(rule.guests).flatMap((vmid) => this.#board.unitOf.get(vmid)?.guests ?? [])
    for (const [at, one] of running.entries()) {
      for (const other of running.slice(at + 1)) {
        // Pairs of a keep-apart rule that shared a node may do so, and partners who were apart may stay so.
        const isTogether = one.node === other.node
        if (rule.kind === 'keep-apart' && !isTogether) this.#keepApart(one, other, index)
        if (rule.kind === 'keep-together' && isTogether) this.#keepTogether(one, other, index)
      }
    }
  }

  #keepApart(one: Guest, other: Guest, rule: number): void {
    for (const node of this.#board.takers) {
      const [here, there] = [this.#at(one, node), this.#at(other, node)]
      const terms = [here, there].flatMap((place) => (place.is === 'column' ? [plus(place.column)] : []))
      const fixed = [here, there].filter(({ is }) => is === 'stays').length
      if (terms.length + fixed < 2 || terms.length === 0) continue
      const group = this.#group('keep-apart', String(rule))
      this.#rows.push({ terms: [...terms, plus(group.column, -1)], lower: NONE, upper: 1 - fixed })
    }
  }

  #keepTogether(one: Guest, other: Guest, rule: number): void {
    const group = this.#group('keep-together', String(rule))
    for (const node of this.#board.takers) {
      const [here, there] = [this.#at(one, node), this.#at(other, node)]
      for (const [a, b] of [
        [here, there],
        [there, here],
      ] as const) {
        if (a.is !== 'column') continue
        const terms = b.is === 'column' ? [plus(a.column), plus(b.column, -1)] : [plus(a.column)]
        this.#rows.push({ terms: [...terms, plus(group.column, -1)], lower: NONE, upper: b.is === 'stays' ? 1 : 0 })
      }
    }
  }

  #at(guest: Guest, node: number): { is: 'column'; column: number } | { is: 'stays' | 'never' } {
    const columns = this.#byGuest.get(guest.vmid)
    if (columns === undefined) return { is: this.#board.indexOf(guest.node) === node ? 'stays' : 'never' }
    const column = columns.get(node)
    return column === undefined ? { is: 'never' } : { is: 'column', column }
  }
}

const plus = (column: number, factor = 1) => ({ column, factor })
const sum = (figures: readonly number[]): number => figures.reduce((total, figure) => total + figure, 0)
const unique = <T>(items: readonly T[]): readonly T[] => [...new Set(items)]
