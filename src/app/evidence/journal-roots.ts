/** The journal's tree as it grows: heads signed day by day and whenever evidence needs one, each proven to extend the one before. */

import { LogTree } from '#domain/merkle'
import {
  dayOf,
  HEAD_FORMAT,
  type HeadLink,
  hashOfHead,
  type JournalKey,
  KEY_FORMAT,
  keyIdOf,
  leafOf,
  ROOTS_FORMAT,
  type Roots,
  type SignedHead,
  signedText,
  successionText,
} from '#domain/tree-head'
import type { SigningKey } from '#drivers/files/signing-key'
import type { Clock } from '#ports/clock'
import { sha256 } from './crypto.ts'

type Hashes = { hashes(from: number): Promise<readonly string[]> }

export type HeadStore = {
  heads(after: number): Promise<readonly SignedHead[]>
  addHead(head: SignedHead): Promise<boolean>
  keys(): Promise<readonly JournalKey[]>
  addKey(number: number, key: JournalKey): Promise<boolean>
}

export type RootsParts = {
  readonly journal: Hashes
  readonly store: HeadStore
  readonly key: SigningKey
  /** The one before, where the key was replaced: it names its successor. */
  readonly oldKey?: SigningKey
  readonly clock: Clock
  readonly hoster: string
  readonly simulated: boolean
}

/** Another worker may sign at the same moment: then his head is taken, or ours comes after it. */
const SIGN_TRIES_LIMIT = 5

export class JournalRoots {
  readonly #parts: RootsParts
  readonly #tree = new LogTree(sha256)
  readonly #heads: SignedHead[] = []
  #keys: readonly JournalKey[] = []
  #turn: Promise<unknown> = Promise.resolve()

  constructor(parts: RootsParts) {
    this.#parts = parts
  }

  /** A head of today, where the newest is of an earlier day. */
  keepDaily(): Promise<SignedHead> {
    return this.#inTurn(async () => {
      const nowMs = await this.#parts.clock.nowMs()
      return this.#headWhere((head) => head.day >= dayOf(nowMs))
    })
  }

  /** The newest head, of at least so many rows. */
  headOver(size: number): Promise<SignedHead> {
    return this.#inTurn(() => this.#headWhere((head) => head.size >= size))
  }

  inclusion(index: number, head: SignedHead): readonly string[] {
    return this.#tree.inclusion(index, head.size)
  }

  /** Heads before this one, at most `count`, with the links from each to the next and to it. */
  before(head: SignedHead, count: number): { heads: readonly SignedHead[]; links: readonly HeadLink[] } {
    const heads = this.#heads.filter(({ number }) => number < head.number).slice(-count)
    return { heads, links: this.#linksOf([...heads, head]) }
  }

  keys(): readonly JournalKey[] {
    return this.#keys
  }

  /** Everything that is published. */
  roots(): Promise<Roots> {
    return this.#inTurn(async () => {
      await this.#follow()
      const { hoster, simulated } = this.#parts
      const heads = [...this.#heads]
      return { format: ROOTS_FORMAT, hoster, simulated, keys: this.#keys, heads, links: this.#linksOf(heads) }
    })
  }

  #linksOf(heads: readonly SignedHead[]): readonly HeadLink[] {
    return heads.slice(1).flatMap((head, index) => {
      const from = heads[index]?.size ?? 0
      return from === head.size ? [] : [{ from, to: head.size, proof: this.#tree.consistency(from, head.size) }]
    })
  }

  async #headWhere(isFit: (head: SignedHead) => boolean): Promise<SignedHead> {
    for (let tries = 0; tries < SIGN_TRIES_LIMIT; tries++) {
      await this.#follow()
      const newest = this.#heads.at(-1)
      if (newest !== undefined && isFit(newest)) return newest
      await this.#sign(newest)
    }
    throw new Error(
      `no head of the journal could be kept in ${SIGN_TRIES_LIMIT} tries: others keep theirs all the time`,
    )
  }

  async #sign(previous: SignedHead | undefined): Promise<void> {
    const { key, clock, store } = this.#parts
    const atMs = await clock.nowMs()
    const head = {
      format: HEAD_FORMAT,
      number: (previous?.number ?? 0) + 1,
      size: this.#tree.size,
      root: this.#tree.root(),
      atMs,
      day: dayOf(atMs),
      previous: previous === undefined ? null : hashOfHead(previous, sha256),
      key: await this.#ownKey(atMs),
    } as const
    await store.addHead({ ...head, signature: key.sign(signedText(head)) })
  }

  /** Ours is the newest key of the journal, or becomes it: the first of all, or named by the one before it. */
  async #ownKey(sinceMs: number): Promise<string> {
    const { key, oldKey, store } = this.#parts
    const newest = this.#keys.at(-1)
    if (newest?.publicKey === key.publicKey) return newest.id
    const made = { format: KEY_FORMAT, id: keyIdOf(key.publicKey, sha256), publicKey: key.publicKey, sinceMs } as const
    if (newest !== undefined && newest.publicKey !== oldKey?.publicKey) {
      throw new Error(
        `key ${made.id} is not the one that signs this journal (${newest.id}): bring that one here, or let it name this one (docs/operations.md)`,
      )
    }
    const named = newest === undefined || oldKey === undefined ? made : succeeding(made, newest, oldKey)
    await store.addKey(this.#keys.length + 1, named)
    this.#keys = await store.keys()
    if (this.#keys.at(-1)?.id !== made.id) throw new Error(`another key was named while ${made.id} was: try again`)
    return made.id
  }

  async #follow(): Promise<void> {
    const { journal, store } = this.#parts
    this.#keys = await store.keys()
    this.#heads.push(...(await store.heads(this.#heads.at(-1)?.number ?? 0)))
    for (;;) {
      const hashes = await journal.hashes(this.#tree.size)
      if (hashes.length === 0) break
      for (const hash of hashes) this.#tree.append(leafOf(hash, sha256))
    }
    this.#assertNewest()
  }

  /** Somebody who owns the database may have written the journal anew: then nothing is signed any more. */
  #assertNewest(): void {
    const newest = this.#heads.at(-1)
    if (newest === undefined) return
    const isSame = newest.size <= this.#tree.size && this.#tree.root(newest.size) === newest.root
    if (!isSame)
      throw new Error(`the journal is not the one of head ${newest.number}: it was changed, and is not signed any more`)
  }

  /** One after the other: tree and heads belong together. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(work, work)
    this.#turn = next.catch(() => {})
    return next
  }
}

function succeeding(key: JournalKey, newest: JournalKey, oldKey: SigningKey): JournalKey {
  const unsigned = { ...key, succeeds: { key: newest.id, signature: '' } }
  return { ...key, succeeds: { key: newest.id, signature: oldKey.sign(successionText(unsigned)) } }
}
