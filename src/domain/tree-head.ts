/** Signed heads of the journal's tree: what is published, so that the journal cannot be written anew later. */
import { canonicalJson } from './json.ts'
import { isConsistent, leafHash, type Sha256 } from './merkle.ts'

export const HEAD_FORMAT = 'coulisse/tree-head@1'
export const KEY_FORMAT = 'coulisse/journal-key@1'
export const ROOTS_FORMAT = 'coulisse/roots@1'

export type TreeHead = {
  readonly format: typeof HEAD_FORMAT
  /** From 1, without gaps. */
  readonly number: number
  /** Rows of the journal, of all maintenances. */
  readonly size: number
  readonly root: string
  readonly atMs: number
  /** UTC, of `atMs`: '2026-11-23'. */
  readonly day: string
  /** The hash of the head before, signature included; null for the first. */
  readonly previous: string | null
  /** Whose signature it is. */
  readonly key: string
}

export type SignedHead = TreeHead & { readonly signature: string }

/** A public key that signs the journal. Each but the first is named by the one before it. */
export type JournalKey = {
  readonly format: typeof KEY_FORMAT
  readonly id: string
  /** Ed25519, raw: 64 hex digits. */
  readonly publicKey: string
  readonly sinceMs: number
  readonly succeeds?: { readonly key: string; readonly signature: string }
}

/** That the tree of `to` rows begins with the tree of `from` rows. */
export type HeadLink = { readonly from: number; readonly to: number; readonly proof: readonly string[] }

/** What is published: every head, each proven to extend the one before. */
export type Roots = {
  readonly format: typeof ROOTS_FORMAT
  readonly hoster: string
  readonly simulated: boolean
  readonly keys: readonly JournalKey[]
  readonly heads: readonly SignedHead[]
  readonly links: readonly HeadLink[]
}

/** Whether `signature` (128 hex digits) over the text is by this public key (64 hex digits). */
export type VerifySignature = (text: string, publicKey: string, signature: string) => boolean

/** What is signed: everything but the signature. */
export function signedText(document: object): string {
  const { signature: _, ...rest } = document as { readonly signature?: string }
  return canonicalJson(rest)
}

export const successionText = ({ succeeds, ...key }: JournalKey) =>
  canonicalJson({ ...key, succeeds: { key: succeeds?.key } })

export const hashOfHead = (head: SignedHead, sha256: Sha256) => sha256(canonicalJson(head))
export const keyIdOf = (publicKey: string, sha256: Sha256) => sha256(publicKey).slice(0, 16)
export const dayOf = (atMs: number) => new Date(atMs).toISOString().slice(0, 10)

/** How a row's hash becomes a leaf of the journal's tree. */
export const leafOf = (rowHash: string, sha256: Sha256) =>
  leafHash(canonicalJson(['coulisse/entry@1', rowHash]), sha256)

type Crypto = { readonly sha256: Sha256; readonly verifySignature: VerifySignature }

/** What is wrong with keys, heads and links that were published together; nothing when all of it holds. */
export function rootsProblems(roots: Pick<Roots, 'keys' | 'heads' | 'links'>, crypto: Crypto): readonly string[] {
  const { keys, heads, links } = roots
  return [
    ...keyProblems(keys, crypto),
    ...heads.flatMap((head) => headProblems(head, keys, crypto)),
    ...heads.slice(1).flatMap((head, index) => orderProblems(heads[index], head, crypto.sha256)),
    ...links.flatMap((link) => linkProblems(link, heads, crypto.sha256)),
    ...forkProblems(heads),
  ]
}

/** Two heads of one number, or two roots of one size: somebody was shown another journal. */
export function forkProblems(heads: readonly SignedHead[]): readonly string[] {
  const hasTwo = (values: readonly string[]) => new Set(values).size > 1
  const bySize = [...Map.groupBy(heads, ({ size }) => size)].filter(([, same]) => hasTwo(same.map(({ root }) => root)))
  const byNumber = [...Map.groupBy(heads, ({ number }) => number)].filter(([, same]) => hasTwo(same.map(canonicalJson)))
  return [
    ...bySize.map(([size]) => `there are two journals of ${size} entries: one of them was written anew`),
    ...byNumber.map(([number]) => `there are two heads ${number}: the journal was written anew between them`),
  ]
}

/** Each key's id is its own, and each but the first is named by the one before it. */
function keyProblems(keys: readonly JournalKey[], { sha256, verifySignature }: Crypto): readonly string[] {
  return keys.flatMap((key, index) => {
    const { id, publicKey, succeeds } = key
    if (id !== keyIdOf(publicKey, sha256)) return [`key ${id} is not the key that its name says`]
    if (index === 0) return []
    const before = keys[index - 1]
    const isNamed =
      succeeds !== undefined &&
      before?.id === succeeds.key &&
      verifySignature(successionText(key), before.publicKey, succeeds.signature)
    return isNamed ? [] : [`key ${id} is not named by the key before it`]
  })
}

function headProblems(head: SignedHead, keys: readonly JournalKey[], { verifySignature }: Crypto) {
  const key = keys.find(({ id }) => id === head.key)
  if (key === undefined) return [`head ${head.number}: its key ${head.key} is not known`]
  const isSigned = verifySignature(signedText(head), key.publicKey, head.signature)
  return isSigned ? [] : [`head ${head.number}: its signature is not by key ${key.id}`]
}

function orderProblems(before: SignedHead | undefined, head: SignedHead, sha256: Sha256): readonly string[] {
  if (before === undefined || head.number !== before.number + 1)
    return [`head ${head.number}: a head before it is missing`]
  if (head.previous !== hashOfHead(before, sha256)) return [`head ${head.number} does not follow the head before it`]
  return head.size < before.size ? [`head ${head.number}: the journal became shorter`] : []
}

function linkProblems({ from, to, proof }: HeadLink, heads: readonly SignedHead[], sha256: Sha256): readonly string[] {
  const [before, after] = [from, to].map((size) => heads.find((head) => head.size === size))
  if (before === undefined || after === undefined) return [`the proof from ${from} to ${to} entries names no head`]
  const isProven = isConsistent({ from: before, to: after, proof }, sha256)
  return isProven ? [] : [`the journal of ${to} entries does not begin with the journal of ${from} entries`]
}
