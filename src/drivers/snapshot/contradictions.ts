/** What a snapshot file may say field by field and not as a whole: names twice, names nobody has, rules against each other. */
import { fault } from './faults.ts'
import type { SnapshotFile } from './snapshot-schema.ts'

/** What these checks read of a file. */
type Named = Pick<SnapshotFile, 'rules'> & {
  readonly nodes: readonly Pick<SnapshotFile['nodes'][number], 'name' | 'storages'>[]
  readonly guests: readonly Pick<SnapshotFile['guests'][number], 'vmid' | 'node'>[]
}

export function findContradictions(file: Named): readonly string[] {
  const nodes = new Set(file.nodes.map(({ name }) => name))
  const guests = new Set(file.guests.map(({ vmid }) => vmid))
  return [
    ...twice(file.nodes.map(({ name }) => name)).map(([index, name]) =>
      fault(['nodes', index, 'name'], `node ${name} is listed twice`),
    ),
    ...twice(file.guests.map(({ vmid }) => vmid)).map(([index, id]) =>
      fault(['guests', index, 'vmid'], `guest ${id} is listed twice`),
    ),
    ...file.guests.flatMap(({ node, vmid }, index) =>
      nodes.has(node)
        ? []
        : [fault(['guests', index, 'node'], `guest ${vmid} is on node ${node}, which is not in nodes`)],
    ),
    ...file.rules.flatMap((rule, index) => [
      ...rule.guests.flatMap((id, at) =>
        guests.has(id) ? [] : [fault(['rules', index, 'guests', at], `guest ${id} is not in guests`)],
      ),
      ...(rule.kind === 'pin' ? rule.nodes : []).flatMap((name, at) =>
        nodes.has(name) ? [] : [fault(['rules', index, 'nodes', at], `node ${name} is not in nodes`)],
      ),
    ]),
    ...file.rules.flatMap((rule, index) => [
      ...twice(rule.guests).map(([at, id]) => fault(['rules', index, 'guests', at], `guest ${id} is named twice`)),
      ...twice(rule.kind === 'pin' ? rule.nodes : []).map(([at, name]) =>
        fault(['rules', index, 'nodes', at], `node ${name} is named twice`),
      ),
    ]),
    ...storagesTwice(file),
    ...rulesAgainstEachOther(file),
  ]
}

function twice<T>(items: readonly T[]): readonly (readonly [number, T])[] {
  const seen = new Set<T>()
  return items.flatMap((item, index) => {
    if (seen.has(item)) return [[index, item] as const]
    seen.add(item)
    return []
  })
}

function storagesTwice(file: Named): readonly string[] {
  return file.nodes.flatMap(({ storages = [] }, at) => [
    ...twice(storages.map(({ id }) => id)).map(([index, id]) =>
      fault(['nodes', at, 'storages', index, 'id'], `storage ${id} is listed twice`),
    ),
    ...storages.flatMap(({ shared, freeBytes }, index) =>
      shared || freeBytes !== undefined
        ? []
        : [fault(['nodes', at, 'storages', index, 'freeBytes'], 'a storage that is not shared says how much is free')],
    ),
  ])
}

/** One pair cannot be kept apart and together. Partners of partners are together too. */
function rulesAgainstEachOther(file: Named): readonly string[] {
  const leader = new Map<number, number>()
  const find = (id: number): number => {
    const up = leader.get(id)
    return up === undefined ? id : find(up)
  }
  for (const rule of file.rules) {
    if (rule.kind !== 'keep-together' || !rule.strict) continue
    const [first, ...others] = rule.guests
    if (first === undefined) continue
    for (const other of others) if (find(other) !== find(first)) leader.set(find(other), find(first))
  }
  return file.rules.flatMap((rule, index) => {
    if (rule.kind !== 'keep-apart' || !rule.strict) return []
    const firstOf = new Map<number, number>()
    return [...new Set(rule.guests)].flatMap((id) => {
      const root = find(id)
      const other = firstOf.get(root)
      firstOf.set(root, other ?? id)
      if (other === undefined) return []
      return [
        fault(['rules', index], `guests ${other} and ${id} are to be kept apart here and together by another rule`),
      ]
    })
  })
}

/**
 * What can be read of a file whose fields are partly wrong, so that its contradictions are said in the same breath. Entries keep their
 * places. Where the name of a node cannot be read nobody is on an unknown one, and where a guest's number cannot, no rule speaks of nobody.
 */
export function readableParts(json: unknown): Named {
  const { nodes, guests, rules } = fieldsOf(json)
  const readNodes = itemsOf(nodes).map((item, index) => {
    const { name } = fieldsOf(item)
    return { name: typeof name === 'string' ? name : `nodes[${index}]` }
  })
  const areNodesTold =
    itemsOf(nodes).length > 0 && itemsOf(nodes).every((item) => typeof fieldsOf(item).name === 'string')
  const readGuests = itemsOf(guests).map((item, index) => {
    const { vmid, node } = fieldsOf(item)
    return {
      vmid: typeof vmid === 'number' ? vmid : -index - 1,
      node: areNodesTold && typeof node === 'string' ? node : (readNodes[0]?.name ?? ''),
    }
  })
  const areGuestsTold = Array.isArray(guests) && readGuests.every(({ vmid }) => vmid > 0)
  return {
    nodes: readNodes,
    guests: readNodes.length === 0 ? [] : readGuests,
    rules: areGuestsTold && areNodesTold ? itemsOf(rules).flatMap(readRule) : [],
  }
}

/** One that cannot be read keeps its place, and speaks of nobody. */
function readRule(item: unknown): Named['rules'] {
  const { kind, guests, nodes, strict } = fieldsOf(item)
  const ids = itemsOf(guests).filter((id) => typeof id === 'number')
  const isStrict = strict !== false
  if (kind === 'pin') {
    const names = itemsOf(nodes).filter((name) => typeof name === 'string')
    return [{ kind, guests: ids, nodes: names, strict: isStrict }]
  }
  const known = kind === 'keep-apart' || kind === 'keep-together' ? kind : 'keep-apart'
  return [{ kind: known, guests: kind === known ? ids : [], strict: isStrict }]
}

const fieldsOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

const itemsOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
