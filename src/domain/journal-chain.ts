/** The hash chain over a maintenance's journal: each row names the hash of the row before. */
import type { JournalRow } from './event.ts'
import { canonicalJson } from './json.ts'
import type { Sha256 } from './merkle.ts'
import { sealedHash } from './seal.ts'

export const CHAIN_START = '0'.repeat(64)

export function hashOfRow(row: Omit<JournalRow, 'hash'>, sha256: Sha256): string {
  const { maintenance, seq, key, atMs, event, prevHash, seal } = row
  if (seal !== undefined) return sealedHash({ maintenance, seq, key, atMs, event, prevHash, seal }, sha256)
  return sha256(canonicalJson({ maintenance, seq, key, atMs, event, prevHash }))
}

/** What is wrong with a chain of one maintenance, in order of `seq`; nothing when it is whole. */
export function chainProblems(rows: readonly JournalRow[], sha256: Sha256): readonly string[] {
  const problems: string[] = []
  let prevHash = CHAIN_START
  rows.forEach((row, index) => {
    if (row.seq !== index + 1) problems.push(`row ${index + 1} has number ${row.seq}: a row is missing or moved`)
    if (row.prevHash !== prevHash) problems.push(`row ${row.seq} does not follow the row before it`)
    if (row.hash !== hashOfRow(row, sha256)) problems.push(`row ${row.seq} was changed after it was written`)
    prevHash = row.hash
  })
  return problems
}
