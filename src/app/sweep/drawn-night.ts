/** A night as data: what was drawn from a seed, or left of it after shrinking. Played, recorded and written as a scenario. */
import { parseScript } from '#app/night/script'
import type { StoryPolicy } from '#domain/policy'
import type { Snapshot } from '#domain/snapshot'
import { parseSnapshot } from '#drivers/snapshot/snapshot-file'
import type { SnapshotFile } from '#drivers/snapshot/snapshot-schema'
import type { StorageOptions } from '#lab/ports/storage'
import type { NightOptions } from '../night/play.ts'

/** Lines of a night's script that belong together: a fault and what mends it, a pause and its end. */
export type Part = {
  readonly what: 'start' | 'people' | 'hands' | 'fault' | 'crash'
  readonly lines: readonly string[]
}

export type DrawnNight = {
  readonly format: 'coulisse/night@1'
  readonly seed: number
  readonly startAtMs: number
  readonly snapshot: SnapshotFile
  readonly story: Partial<StoryPolicy>
  readonly storage: StorageOptions
  readonly parts: readonly Part[]
}

const scriptOf = (night: DrawnNight): string => night.parts.flatMap(({ lines }) => lines).join('\n')

/** Throws when the night is not one that can be played: a drawn one always can. */
export function nightOptions(night: DrawnNight): NightOptions {
  const { seed, startAtMs, story, storage } = night
  return {
    snapshot: snapshotOf(night),
    seed,
    script: parseScript(scriptOf(night)),
    policy: story,
    storage,
    startAtMs,
  }
}

function snapshotOf({ snapshot, seed }: DrawnNight): Snapshot {
  const parsed = parseSnapshot(JSON.stringify(snapshot))
  if (!parsed.ok) throw new Error(`the cluster of night ${seed} is none: ${parsed.faults.join('; ')}`)
  return parsed.snapshot
}
