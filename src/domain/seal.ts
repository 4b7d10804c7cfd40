/**
 * How a row of the journal is sealed: its content is cut into parts, each hashed with a salt of its own, and the row's hash is the
 * root of a tree over them. So some parts can be shown and the rest stays hidden, though bound; and what names somebody can be
 * forgotten, though bound.
 */
import type { JournalRow, Seal } from './event.ts'
import { canonicalJson } from './json.ts'
import { leafHash, nodeHash, rootOf, type Sha256, splitOf } from './merkle.ts'

/** A part of a row that is shown: where it stands (a JSON pointer), its salt, what it says. */
export type Part = { readonly at: string; readonly salt: string; readonly value: Scalar }
export type Scalar = null | boolean | number | string | readonly never[] | { readonly [key: string]: never }

/** A tree of which some leaves are shown: a string is the hash of all below that is hidden. */
export type PrunedTree = string | Part | readonly [PrunedTree, PrunedTree]

/** What a text reads that was erased. */
export const ERASED = '[erased]'
const SALT_DIGITS = 32

/** Strings under these keys may name a customer, a guest or a person: what people and systems wrote, and who they are. */
const NAMING = new Set(
  'name customer by requestedBy text reason reasons lifts found did photos evidence subject notes serial owner why'.split(
    ' ',
  ),
)
/** How a stored event says that a text is kept elsewhere; a text that begins like it is kept elsewhere too. */
const REFERENCE = 'sealed:'

/** Random salts for a new row; `fresh` gives 32 hex digits at every call. */
export function newSeal(event: JournalRow['event'], fresh: () => string): Seal {
  const salts: Record<string, string> = {}
  mapTexts(event, (text, { at, key }) => {
    if (NAMING.has(key) || text.startsWith(REFERENCE)) salts[at] = fresh()
    return text
  })
  return { seed: fresh(), salts }
}

export type SealedRow = Omit<JournalRow, 'hash' | 'seal'> & { readonly seal: Seal }

/** The hash of a sealed row: the root over all its parts. */
export const sealedHash = (row: SealedRow, sha256: Sha256) =>
  rootOf(
    leavesOf(row, sha256).map(({ hash }) => hash),
    sha256,
  )

type Leaf = { readonly hash: string; readonly part: Part | undefined }

function leavesOf({ seal, ...content }: SealedRow, sha256: Sha256): readonly Leaf[] {
  const { maintenance, seq, key, atMs, event, prevHash } = content
  return flatten({ maintenance, seq, key, atMs, event, prevHash }).map(([at, value]) => {
    const gone = seal.erased?.[at]
    if (gone !== undefined) return { hash: gone, part: undefined }
    const part = { at, salt: seal.salts[at] ?? sha256(seal.seed, '\n', at).slice(0, SALT_DIGITS), value }
    return { hash: hashOfPart(part, sha256), part }
  })
}

const hashOfPart = ({ at, salt, value }: Part, sha256: Sha256) => leafHash(canonicalJson([salt, at, value]), sha256)

/** The row with those of its parts shown that `isShown` picks; parts that were erased are never among them. */
export function disclose(row: SealedRow, isShown: (part: Part) => boolean, sha256: Sha256): PrunedTree {
  const leaves = leavesOf(row, sha256).map(({ hash, part }) => ({
    hash,
    part: part && isShown(part) ? part : undefined,
  }))
  const prune = (from: number, to: number): PrunedTree => {
    const range = leaves.slice(from, to)
    const [first] = range
    if (first === undefined || range.every(({ part }) => part === undefined)) {
      return rootOf(
        range.map(({ hash }) => hash),
        sha256,
      )
    }
    if (range.length === 1) return first.part ?? first.hash
    const middle = from + splitOf(to - from)
    return [prune(from, middle), prune(middle, to)]
  }
  return prune(0, leaves.length)
}

const isPair = (tree: PrunedTree): tree is readonly [PrunedTree, PrunedTree] => Array.isArray(tree)

/** Deeper than any row: 2^40 parts. */
const DEPTH_LIMIT = 40

/** The row's hash and the parts shown. Throws RangeError for a tree deeper than any of ours. */
export function openTree(tree: PrunedTree, sha256: Sha256, depth = 0): { hash: string; parts: readonly Part[] } {
  if (depth > DEPTH_LIMIT) throw new RangeError('the tree of an entry is too deep')
  if (typeof tree === 'string') return { hash: tree, parts: [] }
  if (!isPair(tree)) return { hash: hashOfPart(tree, sha256), parts: [tree] }
  const left = openTree(tree[0], sha256, depth + 1)
  const right = openTree(tree[1], sha256, depth + 1)
  return { hash: nodeHash(left.hash, right.hash, sha256), parts: [...left.parts, ...right.parts] }
}

/**
 * What the parts say together, as far as it was shown: objects with the keys that are there, lists with the items that are there.
 * The caller has checked that no two parts stand in one place.
 */
export function assemble(parts: readonly Part[]): unknown {
  const whole = parts.find(({ at }) => at === '')
  if (whole !== undefined) return whole.value
  const children = Map.groupBy(parts, ({ at }) => at.slice(1).split('/', 1)[0] ?? '')
  const below = (key: string, own: readonly Part[]) =>
    assemble(own.map((part) => ({ ...part, at: part.at.slice(1 + key.length) })))
  const entries = [...children].map(([key, own]) => [key, below(key, own)] as const)
  // Lists are told by a mark of their own, so that the keys of an object may be numbers, or the mark itself (then escaped).
  const isList = entries.every(([key]) => key.startsWith(ITEM))
  if (!isList) return Object.fromEntries(entries.map(([key, value]) => [unescaped(key), value]))
  const order = (key: string) => Number(key.slice(ITEM.length))
  return entries.sort(([a], [b]) => order(a) - order(b)).map(([, value]) => value)
}

/** What stands before an item's number in a pointer: '/event/origins/#3/name'. */
const ITEM = '#'

/** As in RFC 6901, and a key that begins like an item's number is told apart from one. */
const escaped = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1').replace(/^#/, '~2')
const SIGNS: Readonly<Record<string, string>> = { '~0': '~', '~1': '/', '~2': ITEM }
const unescaped = (key: string) => key.replace(/~[012]/g, (sign) => SIGNS[sign] ?? sign)

/** Scalars and empty containers, in the order of canonical JSON. */
function flatten(value: unknown, at = ''): (readonly [string, Scalar])[] {
  if (Array.isArray(value) && value.length > 0) {
    return value.flatMap((item, index) => flatten(item ?? null, `${at}/${ITEM}${index}`))
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [[at, (value ?? null) as Scalar]]
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  if (entries.length === 0) return [[at, {}]]
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return entries.flatMap(([key, item]) => flatten(item, `${at}/${escaped(key)}`))
}

type Place = { readonly at: string; readonly key: string }

/** The same value with every string replaced; `key` is the nearest key of an object above it. */
function mapTexts(value: unknown, change: (text: string, place: Place) => string, place: Place = EVENT): unknown {
  if (typeof value === 'string') return change(value, place)
  if (Array.isArray(value)) {
    return value.map((item, index) => mapTexts(item, change, { ...place, at: `${place.at}/${ITEM}${index}` }))
  }
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      mapTexts(item, change, { at: `${place.at}/${escaped(key)}`, key }),
    ]),
  )
}

const EVENT: Place = { at: '/event', key: '' }

/** Text and salt of what may name somebody, by pointer: what is kept where it can be erased. */
export type NamingTexts = Readonly<Record<string, readonly [salt: string, text: string]>>

/** How a row is stored: the event with hashes in the place of texts that may name somebody, and those texts apart. */
export function partStored(
  event: JournalRow['event'],
  seal: Seal,
  sha256: Sha256,
): { event: unknown; texts: NamingTexts } {
  const texts: Record<string, readonly [string, string]> = {}
  const stored = mapTexts(event, (text, { at }) => {
    const salt = seal.salts[at]
    if (salt === undefined) return text
    texts[at] = [salt, text]
    return REFERENCE + hashOfPart({ at, salt, value: text }, sha256)
  })
  return { event: stored, texts }
}

/** The other way round. What was erased reads '[erased]', and its hash goes into the seal. */
export function joinStored(
  stored: unknown,
  { seed, texts }: { readonly seed: string; readonly texts: NamingTexts },
): { event: JournalRow['event']; seal: Seal } {
  const salts: Record<string, string> = {}
  const erased: Record<string, string> = {}
  const event = mapTexts(stored, (text, { at }) => {
    const kept = texts[at]
    if (kept !== undefined) {
      salts[at] = kept[0]
      return kept[1]
    }
    if (!text.startsWith(REFERENCE)) return text
    erased[at] = text.slice(REFERENCE.length)
    return ERASED
  }) as JournalRow['event']
  return { event, seal: { seed, salts, ...(Object.keys(erased).length > 0 && { erased }) } }
}
