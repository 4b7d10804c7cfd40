/** Merkle trees as in RFC 6962 and RFC 9162: one root over a growing list, with proofs that something stands in it and that it only grew. */

/** SHA-256 of the pieces one after the other, as 64 lower-case hex digits; texts count as UTF-8. */
export type Sha256 = (...pieces: readonly (string | Uint8Array)[]) => string

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)
const HASH_BYTES = 32

/** The two prefixes keep a leaf from passing for a node. */
export const leafHash = (data: string | Uint8Array, sha256: Sha256) => sha256(LEAF, data)
export const nodeHash = (left: string, right: string, sha256: Sha256) => sha256(NODE, bytesOf(left), bytesOf(right))

/** Lower-case hex alone; by codes, for it is called for every node of a tree. */
export function bytesOf(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2)
  const nibble = (at: number) => hex.charCodeAt(at) - (hex.charCodeAt(at) < LETTER_A ? DIGIT_0 : LETTER_A - 10)
  for (let index = 0; index < bytes.length; index++) bytes[index] = 16 * nibble(2 * index) + nibble(2 * index + 1)
  return bytes
}

const DIGIT_0 = 48
const LETTER_A = 97

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

const hexOf = (bytes: Uint8Array) => Array.from(bytes, (byte) => DIGITS[byte]).join('')

/** The largest power of two below `size`: where RFC 6962 parts a list of more than one. */
export function splitOf(size: number): number {
  let part = 1
  while (part * 2 < size) part *= 2
  return part
}

export type Inclusion = {
  readonly index: number
  readonly size: number
  readonly leaf: string
  readonly proof: readonly string[]
  readonly root: string
}

/** RFC 9162, 2.1.3.2. */
export function isIncluded({ index, size, leaf, proof, root }: Inclusion, sha256: Sha256): boolean {
  if (!isCount(index) || !isCount(size) || index >= size) return false
  let way: Way = { first: index, last: size - 1 }
  let hash = leaf
  for (const sibling of proof) {
    if (way.last === 0) return false
    hash = isRight(way) ? nodeHash(sibling, hash, sha256) : nodeHash(hash, sibling, sha256)
    way = up(way)
  }
  return way.last === 0 && hash === root
}

export type Consistency = {
  readonly from: { readonly size: number; readonly root: string }
  readonly to: { readonly size: number; readonly root: string }
  readonly proof: readonly string[]
}

/** Whether the tree `to` begins with all of the tree `from`, unchanged. RFC 9162, 2.1.4.2. */
export function isConsistent({ from, to, proof }: Consistency, sha256: Sha256): boolean {
  if (!isCount(from.size) || !isCount(to.size) || from.size > to.size) return false
  if (from.size === to.size) return proof.length === 0 && from.root === to.root
  if (from.size === 0) return proof.length === 0
  const path = isPowerOfTwo(from.size) ? [from.root, ...proof] : proof
  const [seed, ...rest] = path
  if (seed === undefined) return false
  let way: Way = { first: from.size - 1, last: to.size - 1 }
  while (way.first % 2 === 1) way = halved(way)
  let before = seed
  let after = seed
  for (const sibling of rest) {
    if (way.last === 0) return false
    if (isRight(way)) {
      before = nodeHash(sibling, before, sha256)
      after = nodeHash(sibling, after, sha256)
    } else after = nodeHash(after, sibling, sha256)
    way = up(way)
  }
  return way.last === 0 && before === from.root && after === to.root
}

/** Where a leaf's ancestor stands on its level, and where the level ends. */
type Way = { readonly first: number; readonly last: number }

const isRight = ({ first, last }: Way) => first % 2 === 1 || first === last
const halved = ({ first, last }: Way): Way => ({ first: Math.floor(first / 2), last: Math.floor(last / 2) })

/** One level up; a last one without a neighbour goes up until it has one. */
function up(way: Way): Way {
  let next = way
  if (isRight(way)) while (next.first % 2 === 0 && next.first !== 0) next = halved(next)
  return halved(next)
}

const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0
const isPowerOfTwo = (size: number) => 2 * splitOf(size) === size || size === 1

/** The root over a list of leaf hashes; of an empty list the hash of nothing. */
export function rootOf(leaves: readonly string[], sha256: Sha256): string {
  const [first] = leaves
  if (first === undefined) return sha256()
  if (leaves.length === 1) return first
  const part = splitOf(leaves.length)
  return nodeHash(rootOf(leaves.slice(0, part), sha256), rootOf(leaves.slice(part), sha256), sha256)
}

/** A tree that grows at its end and answers for every size that it ever had. 64 bytes a leaf. */
export class LogTree {
  readonly #sha256: Sha256
  /** By level: the roots of all full subtrees of 2^level leaves, packed. */
  readonly #levels: Packed[] = [new Packed()]

  constructor(sha256: Sha256) {
    this.#sha256 = sha256
  }

  get size(): number {
    return this.#level(0).length
  }

  append(leaf: string): void {
    let hash = leaf
    for (let level = 0; ; level++) {
      const packed = this.#level(level)
      packed.push(hash)
      if (packed.length % 2 === 1) return
      hash = nodeHash(packed.at(packed.length - 2), hash, this.#sha256)
    }
  }

  root(size = this.size): string {
    return size === 0 ? this.#sha256() : this.#range(0, size)
  }

  /** That leaf `index` stands in the tree of the first `size` leaves. */
  inclusion(index: number, size = this.size): readonly string[] {
    const path = (from: number, to: number): string[] => {
      if (to - from === 1) return []
      const middle = from + splitOf(to - from)
      if (index < middle) return [...path(from, middle), this.#range(middle, to)]
      return [...path(middle, to), this.#range(from, middle)]
    }
    if (index < 0 || index >= size || size > this.size) throw new RangeError(`no leaf ${index} in a tree of ${size}`)
    return path(0, size)
  }

  /** That the tree of `from` leaves is the beginning of the tree of `to` leaves. */
  consistency(from: number, to = this.size): readonly string[] {
    const path = (want: number, start: number, end: number, isWhole: boolean): string[] => {
      if (want === end) return isWhole ? [] : [this.#range(start, end)]
      const middle = start + splitOf(end - start)
      if (want <= middle) return [...path(want, start, middle, isWhole), this.#range(middle, end)]
      return [...path(want, middle, end, false), this.#range(start, middle)]
    }
    if (from < 0 || from > to || to > this.size) throw new RangeError(`no way from ${from} to ${to} leaves`)
    return from === 0 ? [] : path(from, 0, to, true)
  }

  #level(level: number): Packed {
    const known = this.#levels[level]
    if (known !== undefined) return known
    const made = new Packed()
    this.#levels[level] = made
    return made
  }

  /** RFC 6962 parts at powers of two, so every left part is a full subtree that is known already. */
  #range(from: number, to: number): string {
    const size = to - from
    if (isPowerOfTwo(size)) return this.#level(Math.log2(size)).at(from / size)
    const middle = from + splitOf(size)
    return nodeHash(this.#range(from, middle), this.#range(middle, to), this.#sha256)
  }
}

const FIRST_CAPACITY = 16

class Packed {
  #bytes = new Uint8Array(FIRST_CAPACITY * HASH_BYTES)
  length = 0

  push(hex: string): void {
    if (this.length * HASH_BYTES === this.#bytes.length) {
      const wider = new Uint8Array(2 * this.#bytes.length)
      wider.set(this.#bytes)
      this.#bytes = wider
    }
    this.#bytes.set(bytesOf(hex), this.length * HASH_BYTES)
    this.length++
  }

  at(index: number): string {
    return hexOf(this.#bytes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES))
  }
}
