/** The journal in memory: the same chain as in PostgreSQL, gone with the process. */
import { createHash } from 'node:crypto'
import { DriverError } from '#domain/driver-error'
import type { JournalRow } from '#domain/event'
import type { ClusterName } from '#domain/ids'
import { CHAIN_START, hashOfRow } from '#domain/journal-chain'
import type { Sha256 } from '#domain/merkle'
import { newSeal } from '#domain/seal'
import type { Clock } from '#ports/clock'
import { type Appended, type Journal, MAINTENANCES_READ } from '#ports/journal'

/** As PostgreSQL's client says it of a server that is away. */
export const DATABASE_AWAY_TEXT = 'connect ECONNREFUSED'

type Listener = (row: JournalRow) => void

type Habits = { readonly isAway?: () => boolean; readonly fresh?: () => string }

export class MemoryJournal implements Journal {
  readonly #clock: Clock
  readonly #isAway: () => boolean
  readonly #fresh: (() => string) | undefined
  readonly #rowsOf = new Map<string, JournalRow[]>()
  readonly #rowOfKey = new Map<string, JournalRow>()
  readonly #listeners = new Set<Listener>()

  /**
   * `isAway`: nothing is written or read meanwhile. `fresh`, where rows shall be sealed: 32 hex digits of chance at every call
   * (sealing costs, and most nights need none).
   */
  constructor(clock: Clock, { isAway = () => false, fresh }: Habits = {}) {
    this.#clock = clock
    this.#isAway = isAway
    this.#fresh = fresh
  }

  async append(entry: Parameters<Journal['append']>[0]): Promise<Appended> {
    const atMs = await this.#clock.nowMs()
    this.#refuseAway(`write ${entry.event.kind} into the journal`)
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
    this.#refuseAway('read the journal')
    return (this.#rowsOf.get(maintenance) ?? []).slice(afterSeq)
  }

  #refuseAway(doing: string): void {
    if (this.#isAway()) throw new DriverError('postgres', doing, { retry: 'later', text: DATABASE_AWAY_TEXT })
  }

  async readMoves(cluster: ClusterName): Promise<readonly JournalRow[]> {
    return [...this.#rowsOf.values()]
      .filter(([first]) => first?.event.kind === 'maintenance-opened' && first.event.cluster === cluster)
      .slice(-MAINTENANCES_READ)
      .flat()
      .filter(({ event }) => (event.kind === 'intends' || event.kind === 'did') && event.act.kind === 'migrate')
  }

  /** Called with every new row, at once and in order; the answer ends it. */
  onRow(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')
