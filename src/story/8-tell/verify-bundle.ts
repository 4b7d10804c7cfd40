/** Checks a customer's evidence without asking anybody: what is wrong with it, what it proves, and what it does not. */
import { canonicalJson } from '#domain/json'
import { isIncluded, type Sha256 } from '#domain/merkle'
import { assemble, openTree } from '#domain/seal'
import {
  forkProblems,
  type HeadLink,
  leafOf,
  type Roots,
  rootsProblems,
  type SignedHead,
  signedText,
  type VerifySignature,
} from '#domain/tree-head'
import { carriedSentences, type Evidence, type EvidenceEntry, sentencesIn } from './bundle.ts'

type Crypto = { readonly sha256: Sha256; readonly verifySignature: VerifySignature }

/** Roots that somebody kept, with the name of the file. */
export type KeptRoots = { readonly name: string; readonly roots: Roots }

/** Everything that does not hold; nothing when all of it does. Throws nothing for what was changed, however it was changed. */
export function evidenceProblems(evidence: Evidence, kept: readonly KeptRoots[], crypto: Crypto): readonly string[] {
  try {
    return [
      ...signatureProblems(evidence, crypto),
      ...rootsProblems(journalOf(evidence), crypto),
      ...entryProblems(evidence, crypto.sha256),
      ...sampleProblems(evidence, crypto.sha256),
      ...sentenceProblems(evidence, crypto.sha256),
      ...keptProblems(evidence, kept, crypto),
    ]
  } catch (error) {
    // Whoever changes a bundle may leave anything behind: what cannot be followed is not proven.
    return [`it cannot be followed: ${error instanceof Error ? error.message : String(error)}`]
  }
}

const journalOf = ({ keys, before, head }: Evidence) => ({ keys, heads: [...before.heads, head], links: before.links })

function signatureProblems(evidence: Evidence, crypto: Crypto): readonly string[] {
  const { head, keys, signature } = evidence
  const key = keys.find(({ id }) => id === head.key)
  if (key === undefined) return [`the key ${head.key} is not in it`]
  const isSigned = crypto.verifySignature(signedText(evidence), key.publicKey, signature)
  return isSigned ? [] : ['it was changed after it was signed']
}

function entryProblems(evidence: Evidence, sha256: Sha256): readonly string[] {
  const { entries } = evidence
  const twice = entries.filter(({ seq }, index) => entries.findIndex((one) => one.seq === seq) !== index)
  return [
    ...(entries.length === 0 ? ['there is no entry'] : []),
    ...twice.map(({ seq }) => `entry ${seq} is there twice`),
    ...entries.flatMap((entry) => [
      ...placeProblems(entry, evidence, sha256),
      ...contentProblems(entry, evidence, sha256),
    ]),
  ]
}

function placeProblems({ seq, index, inclusion, tree }: EvidenceEntry, { head }: Evidence, sha256: Sha256) {
  const leaf = leafOf(openTree(tree, sha256).hash, sha256)
  const isThere = isIncluded({ index, size: head.size, leaf, proof: inclusion, root: head.root }, sha256)
  return isThere ? [] : [`entry ${seq} does not stand in the signed journal as it is shown`]
}

function contentProblems({ seq, tree }: EvidenceEntry, { maintenance, samples }: Evidence, sha256: Sha256) {
  const own = samples.filter(({ entry }) => entry === seq)
  const parts = [tree, ...own.map((sample) => sample.tree)].flatMap((one) => openTree(one, sha256).parts)
  const places = new Set(parts.map(({ at }) => at))
  const row = assemble(parts) as { readonly seq?: unknown; readonly maintenance?: unknown }
  return [
    ...(places.size === parts.length ? [] : [`entry ${seq} shows one place twice`]),
    ...(row.seq === seq && row.maintenance === maintenance ? [] : [`entry ${seq} is another entry than it says`]),
  ]
}

function sampleProblems({ samples, entries }: Evidence, sha256: Sha256): readonly string[] {
  return samples.flatMap(({ id, entry, tree }) => {
    const whole = entries.find(({ seq }) => seq === entry)
    if (whole === undefined) return [`sample ${id} belongs to no entry`]
    const isOfIt = openTree(tree, sha256).hash === openTree(whole.tree, sha256).hash
    return isOfIt ? [] : [`sample ${id} is not what entry ${entry} holds`]
  })
}

/** Told anew from what is shown, by the same words: each sentence must be the one that stands there. */
function sentenceProblems(evidence: Evidence, sha256: Sha256): readonly string[] {
  const { sentences } = evidence
  const carried = carriedSentences(evidence)
  const missing = sentences.filter(({ text }, index) => carried[index]?.text !== text)
  if (missing.length > 0)
    return missing.map(({ id }) => `sentence ${id}: what it rests on is missing, so nobody measured it`)
  const told = sentencesIn(evidence, sha256)
  const isSame = canonicalJson(told) === canonicalJson(sentences)
  if (isSame) return []
  const wrong = sentences.filter((sentence) => !told.some((one) => canonicalJson(one) === canonicalJson(sentence)))
  const unsaid = told.filter(({ id }) => !sentences.some((sentence) => sentence.id === id))
  return [
    ...wrong.map(({ id }) => `sentence ${id} is not what the entries say`),
    ...unsaid.map(({ id }) => `sentence ${id} is left out`),
    ...(wrong.length + unsaid.length === 0 ? ['the sentences are not in their order'] : []),
  ]
}

function keptProblems(evidence: Evidence, kept: readonly KeptRoots[], crypto: Crypto): readonly string[] {
  if (kept.length === 0) return []
  const all = [journalOf(evidence), ...kept.map(({ roots }) => roots)]
  const heads = all.flatMap((one) => one.heads)
  return [
    ...kept.flatMap(({ name, roots }) => rootsProblems(roots, crypto).map((problem) => `${name}: ${problem}`)),
    ...kept.flatMap(({ name, roots }) => strangeKeys(name, roots, evidence)),
    ...forkProblems(heads),
    ...kept.flatMap(({ name, roots }) => reachProblems(name, roots, evidence, all)),
  ]
}

function strangeKeys(name: string, { keys }: Roots, evidence: Evidence): readonly string[] {
  const ids = evidence.keys.map(({ id }) => id)
  return keys.some(({ id }) => ids.includes(id))
    ? []
    : [`${name}: another journal's: none of its keys signed this evidence`]
}

type Journal = { readonly heads: readonly SignedHead[]; readonly links: readonly HeadLink[] }

/**
 * A way of proven links leads up from the shorter of the two journals to the longer. Up alone: two that were parted later have their
 * beginning in common as well.
 */
function reachProblems(name: string, { heads }: Roots, { head }: Evidence, all: readonly Journal[]): readonly string[] {
  const newest = heads.at(-1)
  if (newest === undefined) return [`${name}: there is no root in it`]
  const links = all.flatMap((one) => one.links)
  const reached = new Set([Math.min(head.size, newest.size)])
  for (const size of reached) for (const { from, to } of links) if (from === size) reached.add(to)
  if (reached.has(Math.max(head.size, newest.size))) return []
  return [
    `${name}: nothing shows that its root and this evidence belong to one journal; give the roots published since as well`,
  ]
}
