/** What a running control plane may take from a configuration that was read again. Pure. */
import { canonicalJson, type Json } from '#domain/json'
import type { Config } from './schema.ts'

/**
 * Wired into the process at its start, or into what was written since. Another cluster, folder or database is another control plane.
 * Everything else is looked up when it is needed.
 */
const FIXED: readonly (keyof Config)[] = [
  'cluster',
  'stateDir',
  'database',
  'listen',
  'lab',
  'prometheus',
  'alertmanager',
  'monitoringLabels',
]

export type Reload =
  /** The old one stays in force, the whole of it. */
  | { readonly is: 'refused'; readonly keys: readonly string[] }
  /** `changed` may be empty: the secrets behind the names may be others all the same. */
  | { readonly is: 'taken'; readonly changed: readonly string[] }

export function reloadOf({ before, after }: { readonly before: Config; readonly after: Config }): Reload {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])] as (keyof Config)[]
  const changed = keys.filter((key) => textOf(before[key]) !== textOf(after[key]))
  const fixed = changed.filter((key) => FIXED.includes(key))
  return fixed.length > 0 ? { is: 'refused', keys: fixed } : { is: 'taken', changed }
}

/** The order of keys in the file means nothing. */
const textOf = (value: unknown) => (value === undefined ? '' : canonicalJson(JSON.parse(JSON.stringify(value)) as Json))
