/** The least time in which what must leave can flow into the nodes that may take it, whoever goes where. */

export type Supply = { readonly bits: number; readonly into: readonly number[] }

/** Halvings of the interval: the answer is within a millionth of the true one, and never above it. */
const BISECTIONS = 24

/**
 * The least time T so that all supplies flow into nodes of capacity `capacityAt(node, T)`, which grows with T; at least `fromS`. Rounded
 * down. Where they do not flow within `untilS`, that is the answer.
 */
export function leastFlowS(
  supplies: readonly Supply[],
  capacityAt: (node: number, seconds: number) => number,
  [fromS, untilS]: readonly [number, number],
): number {
  const flows = (seconds: number) => flowsInto(supplies, (node) => capacityAt(node, seconds))
  if (supplies.length === 0 || flows(fromS)) return fromS
  if (!flows(untilS)) return untilS
  let [tooShort, enough] = [fromS, untilS]
  for (let round = 0; round < BISECTIONS; round++) {
    const middle = (tooShort + enough) / 2
    if (flows(middle)) enough = middle
    else tooShort = middle
  }
  return tooShort
}

/** A rest of the arithmetic: bits are counted by the billion. */
const REST_BITS = 8

/** Whether all supplies find room: a flow that is made larger along shortest paths until none is left. */
function flowsInto(supplies: readonly Supply[], capacityOf: (node: number) => number): boolean {
  const room = new Map<number, number>()
  for (const node of new Set(supplies.flatMap(({ into }) => into))) room.set(node, capacityOf(node))
  const sent = supplies.map(() => new Map<number, number>())
  for (const [from, { bits }] of supplies.entries()) {
    for (let left = bits; left > REST_BITS; ) {
      const path = shortestPath(supplies, sent, room, from)
      if (path === undefined) return false
      left -= push(path, sent, room, left)
    }
  }
  return true
}

/** Supply, node, supply that gives way there, node it goes to instead, …; the last node has room. */
type Path = readonly { readonly supply: number; readonly node: number }[]

function shortestPath(
  supplies: readonly Supply[],
  sent: readonly Map<number, number>[],
  room: ReadonlyMap<number, number>,
  from: number,
): Path | undefined {
  const cameFrom = new Map<number, { supply: number; before: number | undefined }>()
  const queue: { supply: number; before: number | undefined }[] = [{ supply: from, before: undefined }]
  const seen = new Set([from])
  for (const { supply, before } of queue) {
    for (const node of supplies[supply]?.into ?? []) {
      if (cameFrom.has(node)) continue
      cameFrom.set(node, { supply, before })
      if ((room.get(node) ?? 0) > 0) return pathTo(node, cameFrom)
      for (const [other, nodes] of sent.entries()) {
        if (seen.has(other) || (nodes.get(node) ?? 0) <= 0) continue
        seen.add(other)
        queue.push({ supply: other, before: node })
      }
    }
  }
  return undefined
}

function pathTo(node: number, cameFrom: ReadonlyMap<number, { supply: number; before: number | undefined }>): Path {
  const path: { supply: number; node: number }[] = []
  for (let at: number | undefined = node; at !== undefined; ) {
    const came = cameFrom.get(at)
    if (came === undefined) break
    path.unshift({ supply: came.supply, node: at })
    at = came.before
  }
  return path
}

/** Sends as much as the path holds. */
function push(path: Path, sent: readonly Map<number, number>[], room: Map<number, number>, wanted: number): number {
  const last = path.at(-1)
  if (last === undefined) return wanted
  let bits = Math.min(wanted, room.get(last.node) ?? 0)
  // What gives way at a node is what the next supply had sent there.
  for (const [index, { node }] of path.slice(0, -1).entries()) {
    bits = Math.min(bits, sent[path[index + 1]?.supply ?? -1]?.get(node) ?? 0)
  }
  for (const [index, { supply, node }] of path.entries()) {
    const own = sent[supply]
    own?.set(node, (own.get(node) ?? 0) + bits)
    const givesWay = path[index + 1]
    const theirs = givesWay && sent[givesWay.supply]
    theirs?.set(node, (theirs.get(node) ?? 0) - bits)
  }
  room.set(last.node, (room.get(last.node) ?? 0) - bits)
  return bits
}
