/** Where in the text a fault stands, and what is wrong there, for the person who mends it. */
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type LineCounter, type Node, type Pair } from 'yaml'
import type { ZodError } from 'zod'

type Issue = ZodError['issues'][number]
type Path = readonly PropertyKey[]
export type Fault = { readonly path: Path; readonly text: string; readonly isKey?: boolean }

/** `$.nodes.pve1.bmc`: `$` is the whole. */
const pathText = (path: Path) => (path.length === 0 ? '$' : `$.${path.map(String).join('.')}`)

/** One fault for each thing that is wrong: an unknown key is one by itself, and a union says what its best branch says. */
export function faultsIn(document: Document, error: ZodError): readonly Fault[] {
  return error.issues.flatMap((issue) => faultsOfIssue(document, issue, []))
}

function faultsOfIssue(document: Document, issue: Issue, base: Path): readonly Fault[] {
  const path = [...base, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], text: 'no such key', isKey: true }))
  }
  if (issue.code === 'invalid_key') {
    return [{ path, text: issue.issues.map(({ message }) => message).join('; '), isKey: true }]
  }
  if (!isThere(document, path)) return [{ path, text: 'is missing' }]
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const deep = issue.errors.find((branch) => branch.some((one) => one.path.length > 0))
    if (deep !== undefined) return deep.flatMap((one) => faultsOfIssue(document, one, path))
    const said = issue.message === 'Invalid input' ? alternatives(issue.errors) : issue.message
    return [{ path, text: said }]
  }
  return [{ path, text: issue.message.replace('Invalid input: ', '') }]
}

const alternatives = (branches: readonly (readonly { readonly message: string }[])[]) =>
  branches.map((branch) => branch.map(({ message }) => message.replace('Invalid input: ', '')).join(', ')).join(', or ')

/** `FILE:LINE:COLUMN: $.path: text`, from top to bottom. What is missing is shown at what should hold it. */
export function faultLines(name: string, { document, lines }: Parsed, faults: readonly Fault[]): readonly string[] {
  return faults
    .map((fault) => ({ ...fault, offset: offsetOf(document, fault) }))
    .sort((a, b) => a.offset - b.offset)
    .map(({ path, text, offset }) => {
      const { line, col } = lines.linePos(offset)
      return `${name}:${line}:${col}: ${pathText(path)}: ${text}`
    })
}

export type Parsed = { readonly document: Document; readonly lines: LineCounter }

const isThere = (document: Document, path: Path) => walk(document, path).left === 0

function offsetOf(document: Document, { path, isKey = false }: Fault): number {
  const { node, pair, left } = walk(document, path)
  // Of something that lies deeper than the text goes, the key of what should hold it says more than its first entry.
  const shown = (left > 0 || isKey) && isNode(pair?.key) ? pair.key : node
  return shown?.range?.[0] ?? 0
}

type Walked = { readonly node: Node | null; readonly pair: Pair | undefined; readonly left: number }

/** As deep as the text goes along a path; `left`: how many steps of it are not there. */
function walk(document: Document, path: Path): Walked {
  let node: Node | null = isNode(document.contents) ? document.contents : null
  let pair: Pair | undefined
  for (const [index, step] of path.entries()) {
    const inside = isAlias(node) ? (node.resolve(document) ?? null) : node
    const next = stepInto(inside, step)
    if (next === undefined) return { node, pair, left: path.length - index }
    pair = next.pair
    node = next.node
  }
  return { node, pair, left: 0 }
}

function stepInto(node: Node | null, step: PropertyKey): Pick<Walked, 'node' | 'pair'> | undefined {
  if (isSeq(node)) {
    const item = node.items[Number(step)]
    return isNode(item) ? { node: item, pair: undefined } : undefined
  }
  if (!isMap(node)) return undefined
  const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(step))
  if (pair === undefined) return undefined
  return { node: isNode(pair.value) ? pair.value : isNode(pair.key) ? pair.key : null, pair }
}
