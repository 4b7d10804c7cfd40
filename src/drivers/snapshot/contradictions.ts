/** What a snapshot file may say field by field and not as a whole: names twice, names nobody has, rules against each other. */
import { fault } from './faults.ts'
import type { SnapshotFile } from './snapshot-schema.ts'

export function findContradictions(file: SnapshotFile): readonly string[] {
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

function storagesTwice(file: SnapshotFile): readonly string[] {
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
function rulesAgainstEachOther(file: SnapshotFile): readonly string[] {
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
