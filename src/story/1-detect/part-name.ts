/** Knows a part again under another name: 'FAN3', 'Fan 3', 'Fan3 RPM' and 'System Board Fan3' are one fan, and one piece of evidence. */
import type { PartKind } from '#domain/signal'
import type { NodeRecord } from './state.ts'

const BOARD = /^(systemboard|system|chassis|fan(?=fan))/
const QUANTITY = /(rpm|speed|tach|status|sensor|reading)$/
/** A part may carry this many names; more are taken for parts of their own. */
const ALIASES_LIMIT = 256

/** What is left of a name when spelling, board and quantity are taken away. */
export function plainName(name: string): string {
  const letters = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
  const bare = letters.replace(BOARD, '').replace(QUANTITY, '')
  return (bare === '' ? letters : bare).replaceAll(/0+(?=\d)/g, (zeros, at: number, all: string) =>
    /\d/.test(all[at - 1] ?? '') ? zeros : '',
  )
}

/** The name under which the node's record holds this part; undefined where it is new. `isAlias`: seen under this name for the first time. */
export function knownAs(
  node: NodeRecord,
  name: string,
  kind: PartKind,
): { name: string; isAlias: boolean } | undefined {
  if (Object.hasOwn(node.parts, name)) return { name, isAlias: false }
  const alias = Object.hasOwn(node.aliases, name) ? node.aliases[name] : undefined
  if (alias !== undefined) return { name: alias, isAlias: false }
  const plain = plainName(name)
  const twin = Object.keys(node.parts).find((known) => node.parts[known]?.kind === kind && plainName(known) === plain)
  if (twin === undefined || Object.keys(node.aliases).length >= ALIASES_LIMIT) return undefined
  node.aliases[name] = twin
  return { name: twin, isAlias: true }
}
