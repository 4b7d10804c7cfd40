import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesOf, isConsistent, isIncluded, LogTree, leafHash, rootOf, type Sha256 } from './merkle.ts'

const sha256: Sha256 = (...pieces) => {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest('hex')
}

/** The leaves with which the authors of Certificate Transparency test theirs, and the roots of the trees of 0 to 8 of them. */
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const treeOf = (size: number, salt = '') => {
  const tree = new LogTree(sha256)
  for (let index = 0; index < size; index++) tree.append(leafHash(`${salt}${index}`, sha256))
  return tree
}

test('roots are those of Certificate Transparency’s own test tree, at every size', () => {
  const tree = new LogTree(sha256)
  const hashes = LEAVES.map((hex) => leafHash(bytesOf(hex), sha256))
  for (const [size, root] of ROOTS.entries()) {
    expect(tree.root()).toBe(root)
    expect(rootOf(hashes.slice(0, size), sha256)).toBe(root)
    const next = hashes[size]
    if (next !== undefined) tree.append(next)
  }
})

test('every leaf of every tree up to 70 is proven, and no other leaf, index, size or root in its place', () => {
  const tree = treeOf(70)
  for (let size = 1; size <= 70; size++) {
    const root = tree.root(size)
    for (let index = 0; index < size; index++) {
      const proof = tree.inclusion(index, size)
      const good = { index, size, leaf: leafHash(`${index}`, sha256), proof, root }
      expect(isIncluded(good, sha256)).toBe(true)
      expect(isIncluded({ ...good, leaf: leafHash('x', sha256) }, sha256)).toBe(false)
      expect(isIncluded({ ...good, index: index + 1 }, sha256)).toBe(false)
      expect(isIncluded({ ...good, proof: [...proof, root] }, sha256)).toBe(false)
      expect(isIncluded({ ...good, proof: proof.slice(1), index: -1 }, sha256)).toBe(false)
      if (proof.length > 0) expect(isIncluded({ ...good, proof: proof.slice(1) }, sha256)).toBe(false)
    }
  }
})

test('every tree up to 40 is proven to be the beginning of every later one, and a tree with another history is not', () => {
  const tree = treeOf(40)
  const forged = treeOf(40, 'another ')
  for (let to = 0; to <= 40; to++) {
    for (let from = 0; from <= to; from++) {
      const proof = tree.consistency(from, to)
      const good = { from: { size: from, root: tree.root(from) }, to: { size: to, root: tree.root(to) }, proof }
      expect(isConsistent(good, sha256)).toBe(true)
      if (from === 0) continue
      expect(isConsistent({ ...good, from: { size: from, root: forged.root(from) } }, sha256)).toBe(false)
      expect(isConsistent({ ...good, to: { size: to, root: forged.root(to) } }, sha256)).toBe(false)
      if (from < to) expect(isConsistent({ ...good, proof: [...proof, good.to.root] }, sha256)).toBe(false)
    }
  }
})

test('a proof in which one digit was changed proves nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), fc.nat(), (size, a, b, c) => {
      const tree = treeOf(size)
      const change = (proof: readonly string[]) => {
        const index = b % proof.length
        const hash = proof[index] ?? ''
        const at = c % hash.length
        const digit = ((Number.parseInt(hash[at] ?? '0', 16) + 1) % 16).toString(16)
        return proof.with(index, hash.slice(0, at) + digit + hash.slice(at + 1))
      }
      const root = tree.root()
      const index = a % size
      const inclusion = { index, size, leaf: leafHash(`${index}`, sha256), root }
      expect(isIncluded({ ...inclusion, proof: change(tree.inclusion(index)) }, sha256)).toBe(false)
      const from = 1 + (a % (size - 1))
      const ends = { from: { size: from, root: tree.root(from) }, to: { size, root } }
      expect(isConsistent({ ...ends, proof: change(tree.consistency(from)) }, sha256)).toBe(false)
    }),
    { numRuns: 200 },
  )
})
