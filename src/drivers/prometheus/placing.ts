/** Which node, and which part of it, a set of Prometheus labels speaks of. Pure. */
import type { NodeName } from '#domain/ids'
import type { PartKind } from '#domain/signal'

export type Labels = Readonly<Record<string, string>>

export type Placing = {
  readonly nodes: readonly NodeName[]
  /** What else a label may call a node: the address of its BMC, which is the IPMI exporter's `instance`. */
  readonly aliases: Readonly<Record<string, NodeName>>
  /** In the order in which they are asked; the first that names a node of ours wins. */
  readonly nodeLabels: readonly string[]
  readonly partLabels: readonly string[]
  /** For names that are built by a rule: /^bmc-(.+)\.example$/ → '$1'. */
  readonly rules: readonly { readonly match: RegExp; readonly node: string }[]
}

export const DEFAULT_NODE_LABELS = ['node', 'nodename', 'hostname', 'instance']
export const DEFAULT_PART_LABELS = ['part', 'name', 'sensor', 'device']

/** Undefined: none of ours. */
export function nodeIn(labels: Labels, placing: Placing): NodeName | undefined {
  for (const label of placing.nodeLabels) {
    const value = labels[label]
    if (value === undefined || value === '') continue
    const node = nodeNamed(value, placing)
    if (node !== undefined) return node
  }
  return undefined
}

/** The whole value, what a rule makes of it, then its host without scheme, port and path, then that host's first part. */
function nodeNamed(value: string, { nodes, aliases, rules }: Placing): NodeName | undefined {
  const host = hostOf(value)
  const byRule = rules.filter(({ match }) => match.test(value)).map(({ match, node }) => value.replace(match, node))
  const shortName = /^[\d.]+$|:/.test(host) ? host : (host.split('.')[0] ?? host)
  for (const name of [value, ...byRule, host, shortName]) {
    const node = nodes.find((one) => one === name)
    if (node !== undefined) return node
    if (Object.hasOwn(aliases, name)) return aliases[name]
  }
  return undefined
}

export function hostOf(value: string): string {
  const rest = value.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').replace(/[/?#].*$/s, '')
  const bracketed = /^\[([^\]]*)\]/.exec(rest)
  if (bracketed !== null) return bracketed[1] ?? ''
  // More than one colon without brackets is an IPv6 address, and has no port.
  return rest.split(':').length === 2 ? rest.replace(/:\d+$/, '') : rest
}

export function partIn(labels: Labels, { partLabels }: Placing): string | undefined {
  return partLabels.map((label) => labels[label]).find((value) => value !== undefined && value !== '')
}

const KINDS: readonly (readonly [words: RegExp, kind: PartKind])[] = [
  [/\bfan|fan\b|fan_|cooling|\brpm\b/i, 'fan'],
  [/\bpsu?\d*\b|power ?supply|powersupply/i, 'psu'],
  [/temp|thermal/i, 'temperature'],
  [/\bdimm|memory|\becc\b|edac/i, 'memory'],
  [/\bdrive|disk|\bssd\b|\bhdd\b|nvme|smart|\bosd\b/i, 'disk'],
  [/\bnic\b|\blink|ethernet|carrier|network/i, 'link'],
]

/** The first of `words` that says a kind; 'other' where none does. */
export function kindOf(words: readonly (string | undefined)[]): PartKind {
  for (const word of words) {
    const found = KINDS.find(([pattern]) => word !== undefined && pattern.test(word))
    if (found !== undefined) return found[1]
  }
  return 'other'
}
