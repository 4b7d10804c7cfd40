/** A scenario: one night in a folder, named by its promise: README.md, cluster.json, script, log.expect. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { StoryPolicy } from '#domain/policy'
import type { Snapshot } from '#domain/snapshot'
import { parseSnapshot } from '#drivers/snapshot/snapshot-file'
import type { StorageOptions } from '#lab/ports/storage'
import { parseScript, type ScriptLine } from './script.ts'

export type Scenario = {
  readonly snapshot: Snapshot
  readonly script: readonly ScriptLine[]
  readonly seed: number
  readonly policy: Partial<StoryPolicy>
  readonly storage: Partial<StorageOptions>
}

/** cluster.json: a whole snapshot, or `{ "base": "../clusters/x.json", "patch": {…} }` (RFC 7396), with `seed`, `story` policy, and `storage`: what our rights reach in Ceph. */
type ClusterFile = {
  readonly base?: string
  readonly patch?: unknown
  readonly seed?: number
  readonly story?: Partial<StoryPolicy>
  readonly storage?: Partial<StorageOptions>
}

/** Throws with the file's name when something in the folder is wrong. */
export function readScenario(folder: string): Scenario {
  const path = join(folder, 'cluster.json')
  const file = JSON.parse(readFileSync(path, 'utf8')) as ClusterFile
  const whole = file.base === undefined ? file : mergePatch(readBase(path, file.base), file.patch ?? {})
  const parsed = parseSnapshot(JSON.stringify(whole))
  if (!parsed.ok) throw new Error(`${path}:\n${parsed.faults.join('\n')}`)
  const scriptPath = join(folder, 'script')
  try {
    const script = parseScript(readFileSync(scriptPath, 'utf8'))
    return {
      snapshot: parsed.snapshot,
      script,
      seed: file.seed ?? 1,
      policy: file.story ?? {},
      storage: file.storage ?? {},
    }
  } catch (error) {
    throw new Error(`${scriptPath}: ${error instanceof Error ? error.message : error}`)
  }
}

const readBase = (path: string, base: string): unknown => JSON.parse(readFileSync(resolve(dirname(path), base), 'utf8'))

/** RFC 7396, and for arrays of things with a `vmid` or `name`: items are merged by it, so that one guest can be changed alone. */
function mergePatch(base: unknown, patch: unknown): unknown {
  if (Array.isArray(patch) && Array.isArray(base) && patch.every(hasName)) return mergeItems(base, patch)
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch
  const merged: Record<string, unknown> = { ...(isObject(base) ? base : {}) }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key]
    else merged[key] = mergePatch(merged[key], value)
  }
  return merged
}

type Named = Record<string, unknown>

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
const nameOf = (item: Named) => item.vmid ?? item.name
const hasName = (item: unknown): item is Named => isObject(item) && nameOf(item) !== undefined

function mergeItems(base: readonly unknown[], patch: readonly Named[]): unknown[] {
  const merged = base.map((item) => {
    const change = isObject(item) ? patch.find((one) => nameOf(one) === nameOf(item)) : undefined
    return change === undefined ? item : mergePatch(item, change)
  })
  const known = new Set(base.filter(hasName).map(nameOf))
  return [...merged, ...patch.filter((one) => !known.has(nameOf(one)))]
}

export const isScenario = (folder: string) => existsSync(join(folder, 'script'))
