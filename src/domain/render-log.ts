/** A journal as people read it: one line a row, and an act whose outcome stands right below it as one line. */
import type { JournalRow } from './event.ts'
import { canonicalJson, type Json } from './json.ts'
import { renderLogLine } from './render.ts'

const SECOND_MS = 1000

/** "shuts down" and "shutdown accepted" of the same second are one thing to its reader: the outcome says both. */
export function renderLog(rows: readonly JournalRow[], startMs: number): readonly string[] {
  return rows.filter((row, index) => !isSaidBelow(row, rows[index + 1])).map((row) => renderLogLine({ row, startMs }))
}

function isSaidBelow({ event, atMs }: JournalRow, next: JournalRow | undefined): boolean {
  if (event.kind !== 'intends' || next?.event.kind !== 'did') return false
  if (Math.floor(next.atMs / SECOND_MS) !== Math.floor(atMs / SECOND_MS)) return false
  return canonicalJson(event.act as unknown as Json) === canonicalJson(next.event.act as unknown as Json)
}
