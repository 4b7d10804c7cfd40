/** The journal in memory: the same chain as in PostgreSQL, gone with the process. */
import { createHash } from 'node:crypto'
import type { JournalRow } from '#domain/event'
import { CHAIN_START, hashOfRow } from '#domain/journal-chain'
import type { Sha256 } from '#domain/merkle'
import { newSeal } from '#domain/seal'
import type { Clock } from '#ports/clock'
import type { Appended, Journal } from '#ports/journal'

type Listener = (row: JournalRow) => void

export class MemoryJournal implements Journal {
  readonly #clock: Clock
  readonly #fresh: (() => string) | undefined
  readonly #rowsOf = new Map<string, JournalRow[]>()
  readonly #rowOfKey = new Map<string, JournalRow>()
  readonly #listeners = new Set<Listener>()

  /** `fresh`, where rows shall be sealed: 32 hex digits of chance at every call. Sealing costs, and most nights need none. */
  constructor(clock: Clock, fresh?: () => string) {
    this.#clock = clock
    this.#fresh = fresh
  }

  async append(entry: Parameters<Journal['append']>[0]): Promise<Appended> {
    const atMs = await this.#clock.nowMs()
    const { maintenance, key } = entry
    const keyInAll = JSON.stringify([maintenance, key])
    const known = this.#rowOfKey.get(keyInAll)
    if (known) return { row: known, isNew: false }
    const rows = this.#rowsOf.get(maintenance) ?? []
    const event = JSON.parse(JSON.stringify(entry.event)) as JournalRow['event']
    const prevHash = rows.at(-1)?.hash ?? CHAIN_START
    const seal = this.#fresh && newSeal(event, this.#fresh)
    const unhashed = { maintenance, seq: rows.length + 1, key, atMs, event, prevHash, ...(seal && { seal }) }
    const row = { ...unhashed, hash: hashOfRow(unhashed, sha256) }
    rows.push(row)
    this.#rowsOf.set(maintenance, rows)
    this.#rowOfKey.set(keyInAll, row)
    for (const listener of this.#listeners) listener(row)
    return { row, isNew: true }
  }

  async read(maintenance: JournalRow['maintenance'], afterSeq = 0): Promise<readonly JournalRow[]> {
    return (this.#rowsOf.get(maintenance) ?? []).slice(afterSeq)
  }

  /** Called with every new row, at once and in order; the answer ends it. */
  onRow(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')
