/** Evidence as part of the running control plane: the key, the tree, a head a day, and the roots as a file that outlives us. */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { canonicalJson } from '#domain/json'
import { openSigningKey } from '#drivers/files/signing-key'
import type { PostgresJournal } from '#drivers/postgres/journal'
import { PostgresTreeHeads } from '#drivers/postgres/tree-heads'
import type { Clock } from '#ports/clock'
import type { Inventory } from '#ports/inventory'
import { type EvidenceDesk, evidenceDesk } from './desk.ts'
import { JournalRoots } from './journal-roots.ts'

export type EvidenceParts = {
  readonly stateDir: string
  readonly pool: pg.Pool
  readonly journal: PostgresJournal
  readonly clock: Clock
  readonly inventory: Inventory
  readonly log: (text: string) => void
}

/** Real time: the day may be the lab's, which can pass faster, and then gets its head late. */
const LOOK_EVERY_MS = 60_000

/** The key is made at the first start. `signal` ends the daily signing. */
export function startEvidence(parts: EvidenceParts, signal: AbortSignal): EvidenceDesk {
  const { stateDir, pool, journal, clock, inventory, log } = parts
  const key = openSigningKey(join(stateDir, 'keys', 'journal.pem'))
  const oldPath = join(stateDir, 'keys', 'journal.old.pem')
  const roots = new JournalRoots({
    journal,
    store: new PostgresTreeHeads(pool),
    key,
    ...(existsSync(oldPath) && { oldKey: openSigningKey(oldPath) }),
    clock,
    hoster: inventory.hoster,
    simulated: inventory.simulated,
  })
  const desk = evidenceDesk({ journal, roots, key, inventory })
  void signDaily(roots, join(stateDir, 'public'), log, signal)
  return desk
}

async function signDaily(
  roots: JournalRoots,
  folder: string,
  log: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let published = 0
  let said = ''
  while (!signal.aborted) {
    try {
      await roots.keepDaily()
      const all = await roots.roots()
      if (all.heads.length !== published) writeWhole(folder, 'roots.json', `${canonicalJson(all)}\n`)
      published = all.heads.length
      said = ''
    } catch (error) {
      const text = `the journal's root is not signed and published: ${error instanceof Error ? error.message : error}`
      if (text !== said && !signal.aborted) log(text)
      said = text
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => {})
  }
}

function writeWhole(folder: string, name: string, text: string): void {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, name)
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}
