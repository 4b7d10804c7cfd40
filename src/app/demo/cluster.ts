/** The demo's cluster: where it is described, and which of its nodes has the bad fan. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Vmid } from '#domain/ids'
import { parseSnapshot } from '#drivers/snapshot/snapshot-file'
import { firstGuestsOn } from '#lab/real/guests/as-real'

export const SNAPSHOT = fileURLToPath(import.meta.resolve('./cluster.json'))
export const NODE_TO_REPAIR = 'pve3'

/** So many guests of that node: they will be moved away, and home again. */
export function guestsToMove(count: number): readonly Vmid[] {
  const parsed = parseSnapshot(readFileSync(SNAPSHOT, 'utf8'))
  if (!parsed.ok) throw new Error(`${SNAPSHOT}: ${parsed.faults.join('; ')}`)
  return firstGuestsOn(parsed.snapshot, NODE_TO_REPAIR, count)
}
