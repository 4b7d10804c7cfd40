/** Whether further nodes may fail afterwards: can their guests be packed on the rest without moving others? */
import type { Vmid } from '#domain/ids'
import type { Board, Unit } from './board.ts'

export type Reserve =
  | { readonly holds: true; readonly leftOut: readonly Vmid[]; readonly isSampled: boolean }
  | {
      readonly holds: false
      readonly nodes: readonly number[]
      /** What is missing in sum; 0 where the sum would do and the pieces do not fit. */
      readonly memoryShortBytes: number
      readonly cpuShortCores: number
    }

const COMBINATIONS_LIMIT = 400
/** On top of four straight passes. */
const PACKING_LOOKS_LIMIT = 20_000

/** Looks at every set of `count` further nodes, the fullest first; of very many sets only at the first few hundred. */
export function checkReserve(board: Board, count: number): Reserve {
  const nodes = mayFail(board)
  const leftOut = new Set<Vmid>()
  let looked = 0
  for (const failed of combinations(nodes, Math.min(count, nodes.length))) {
    if (looked++ >= COMBINATIONS_LIMIT) return { holds: true, leftOut: [...leftOut], isSampled: true }
    const fault = failing(board, failed, leftOut)
    if (fault) return { holds: false, nodes: failed, ...fault }
  }
  return { holds: true, leftOut: [...leftOut], isSampled: false }
}

/** Nodes with guests that are not drained, the fullest first. */
export function mayFail(board: Board): readonly number[] {
  const drained = new Set(board.input.drain.map((name) => board.indexOf(name)))
  return board.nodes
    .map((_, index) => index)
    .filter((index) => board.node(index).online && !drained.has(index) && (board.unitsAt[index]?.size ?? 0) > 0)
    .toSorted((a, b) => (board.memory[b] ?? 0) - (board.memory[a] ?? 0))
}

/** Whether the guests of this one node can be packed on the rest. */
export const survives = (board: Board, node: number): boolean => failing(board, [node], new Set()) === undefined

function* combinations(items: readonly number[], size: number, from = 0): Generator<readonly number[]> {
  if (size === 0) {
    yield []
    return
  }
  for (let index = from; index <= items.length - size; index++) {
    for (const rest of combinations(items, size - 1, index + 1)) yield [items[index] ?? 0, ...rest]
  }
}

function failing(board: Board, failed: readonly number[], leftOut: Set<Vmid>) {
  const names = new Set(failed.map((index) => board.node(index).name))
  const rest = board.takers.filter((index) => !failed.includes(index))
  const units: Unit[] = []
  for (const index of failed) {
    for (const at of board.unitsAt[index] ?? []) {
      const unit = board.unit(at)
      const alone = unit.guests.filter(({ vmid }) => {
        const pin = board.pins.get(vmid)
        return pin !== undefined && [...pin].every((node) => names.has(node))
      })
      for (const { vmid } of alone) leftOut.add(vmid)
      if (alone.length < unit.guests.length) units.push(alone.length === 0 ? unit : without(unit, alone))
    }
  }
  const room = rest.map((index) => ({
    index,
    memoryBytes: (board.memoryLimit[index] ?? 0) - (board.memory[index] ?? 0),
    cpuCores: (board.cpuLimit[index] ?? 0) - (board.cpu[index] ?? 0),
    taken: new Set<number>(),
  }))
  const memoryShortBytes = Math.max(0, sum(units, 'memoryBytes') - sum(room, 'memoryBytes'))
  const cpuShortCores = Math.max(0, sum(units, 'cpuCores') - sum(room, 'cpuCores'))
  if (memoryShortBytes > 0 || cpuShortCores > 0) return { memoryShortBytes, cpuShortCores }
  const choices = new Map(units.map((unit) => [unit, room.filter((node) => takes(board, node, unit)).length]))
  // Who finds no node alone finds none with the others: no packing has to be tried.
  if ([...choices.values()].includes(0)) return { memoryShortBytes: 0, cpuShortCores: 0 }
  const order = units.toSorted(
    (a, b) => rare(choices, a) - rare(choices, b) || b.memoryBytes - a.memoryBytes || b.cpuCores - a.cpuCores,
  )
  const search = { looks: PACKING_LOOKS_LIMIT + 4 * order.length * room.length }
  return pack(board, order, 0, room, search) ? undefined : { memoryShortBytes: 0, cpuShortCores: 0 }
}

/** Fewest choices first, of those that have few; the rest by size. */
const rare = (choices: ReadonlyMap<Unit, number>, unit: Unit): number => Math.min(FEW_CHOICES, choices.get(unit) ?? 0)
const FEW_CHOICES = 3

const without = (unit: Unit, gone: Unit['guests']): Unit => ({
  ...unit,
  guests: unit.guests.filter((guest) => !gone.includes(guest)),
  memoryBytes: unit.memoryBytes - sum(gone, 'memoryBytes'),
  cpuCores: unit.cpuCores - sum(gone, 'cpuCores'),
})

const sum = <K extends 'memoryBytes' | 'cpuCores'>(items: readonly Readonly<Record<K, number>>[], key: K): number =>
  items.reduce((total, item) => total + Math.max(0, item[key]), 0)

type Room = { readonly index: number; memoryBytes: number; cpuCores: number; readonly taken: Set<number> }

/** Largest first into the emptiest; takes back and tries the next where that fails, up to a limit. */
function pack(board: Board, units: readonly Unit[], next: number, room: Room[], search: { looks: number }): boolean {
  const unit = units[next]
  if (unit === undefined) return true
  const fitting = room
    .filter((node) => search.looks-- > 0 && takes(board, node, unit))
    .toSorted((a, b) => b.memoryBytes - a.memoryBytes)
  const seen = new Set<string>()
  for (const node of fitting) {
    // Nodes that are alike need one look only; those with rules on the unit are never alike.
    const likeness = unit.foes.length > 0 ? `${node.index}` : `${node.memoryBytes} ${node.cpuCores} ${node.taken.size}`
    if (seen.has(likeness)) continue
    seen.add(likeness)
    node.memoryBytes -= unit.memoryBytes
    node.cpuCores -= unit.cpuCores
    node.taken.add(unit.index)
    if (pack(board, units, next + 1, room, search)) return true
    node.memoryBytes += unit.memoryBytes
    node.cpuCores += unit.cpuCores
    node.taken.delete(unit.index)
    if (search.looks <= 0) return false
  }
  return false
}

const takes = (board: Board, node: Room, unit: Unit): boolean =>
  unit.memoryBytes <= node.memoryBytes &&
  unit.cpuCores <= node.cpuCores &&
  !unit.foes.some((foe) => node.taken.has(foe) || board.at[foe] === node.index) &&
  unit.guests.every(({ vmid }) => board.pins.get(vmid)?.has(board.node(node.index).name) ?? true)
