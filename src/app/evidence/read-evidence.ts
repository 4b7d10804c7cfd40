/** Evidence and published roots from files: their form is checked here, their truth by the story's own verifier. */
import { z } from 'zod'
import { BadInput } from '#app/bad-input'
import { canonicalJson } from '#domain/json'
import { HEAD_FORMAT, KEY_FORMAT, ROOTS_FORMAT } from '#domain/tree-head'
import { EVIDENCE_FORMAT, type Evidence } from '#tell/bundle'
import { evidenceProblems, type KeptRoots } from '#tell/verify-bundle'
import { sha256, verifySignature } from './crypto.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/, '64 hex digits')
const count = z.int().min(0)

const scalar = z.union([z.null(), z.boolean(), z.number(), z.string(), z.tuple([]), z.strictObject({})])
const part = z.strictObject({ at: z.string(), salt: z.string(), value: scalar })
const tree: z.ZodType<unknown> = z.lazy(() => z.union([hash, part, z.tuple([tree, tree])]))

const head = z.looseObject({
  format: z.literal(HEAD_FORMAT),
  number: z.int().min(1),
  size: count,
  root: hash,
  atMs: z.number(),
  day: z.string(),
  previous: hash.nullable(),
  key: z.string(),
  signature: z.string(),
})
const link = z.looseObject({ from: count, to: count, proof: z.array(hash) })
const key = z.looseObject({
  format: z.literal(KEY_FORMAT),
  id: z.string(),
  publicKey: hash,
  sinceMs: z.number(),
  succeeds: z.looseObject({ key: z.string(), signature: z.string() }).optional(),
})
const sentence = z.looseObject({
  id: z.string(),
  text: z.string(),
  rests: z.looseObject({ entries: z.array(count), samples: z.array(z.string()) }),
  unmeasured: z.string(),
})

const evidenceSchema = z.looseObject({
  format: z.literal(EVIDENCE_FORMAT),
  maintenance: z.string(),
  customer: z.looseObject({
    id: z.string(),
    name: z.string(),
    language: z.enum(['en', 'fr', 'es']),
    timeZone: z.string().optional(),
  }),
  hoster: z.string(),
  simulated: z.boolean(),
  sentences: z.array(sentence),
  samples: z.array(z.looseObject({ id: z.string(), entry: count, tree })),
  entries: z.array(z.looseObject({ seq: count, index: count, inclusion: z.array(hash), tree })),
  head,
  before: z.looseObject({ heads: z.array(head), links: z.array(link) }),
  keys: z.array(key),
  signature: z.string(),
})

const rootsSchema = z.looseObject({
  format: z.literal(ROOTS_FORMAT),
  hoster: z.string(),
  simulated: z.boolean(),
  keys: z.array(key),
  heads: z.array(head),
  links: z.array(link),
})

export type EvidenceVerdict = {
  readonly ok: boolean
  readonly entries: number
  readonly problems: readonly string[]
  readonly simulated: boolean
  readonly proves: readonly string[]
  readonly doesNotProve: readonly string[]
}

/** For those who look which kind of file they hold. */
export function isEvidence(text: string): boolean {
  try {
    return (JSON.parse(text) as { format?: unknown } | null)?.format === EVIDENCE_FORMAT
  } catch {
    return false
  }
}

/** `text` as it lies in the file. Throws BadInput for what is no evidence at all. */
export function verifyEvidence(text: string, source: string, kept: readonly KeptRoots[]): EvidenceVerdict {
  const parsed = evidenceSchema.safeParse(jsonIn(text, source))
  if (!parsed.success) throw faultsIn(source, parsed.error)
  const evidence = parsed.data as unknown as Evidence
  // One content has one spelling: a reader that takes the first of two equal keys must not see another bundle than we do.
  const isCanonical = canonicalJson(parsed.data) === text.trimEnd()
  const problems = [
    ...(isCanonical ? [] : ['it is not written as it was handed out: bytes were changed']),
    ...evidenceProblems(evidence, kept, { sha256, verifySignature }),
  ]
  return {
    ok: problems.length === 0,
    entries: evidence.entries.length,
    problems,
    simulated: evidence.simulated,
    proves: problems.length === 0 ? provenBy(evidence, kept) : [],
    doesNotProve: unprovenBy(evidence, kept),
  }
}

export function readRoots(text: string, source: string): KeptRoots {
  const parsed = rootsSchema.safeParse(jsonIn(text, source))
  if (!parsed.success) throw faultsIn(source, parsed.error)
  return { name: source, roots: parsed.data as unknown as KeptRoots['roots'] }
}

function provenBy({ head, keys, maintenance, sentences }: Evidence, kept: readonly KeptRoots[]): readonly string[] {
  const key = keys.find(({ id }) => id === head.key)
  return [
    `Each of the ${sentences.length} sentences says what the entries and samples say that it rests on, word for word.`,
    `The entries of maintenance ${maintenance} stand in the journal of ${head.size} entries whose root ${head.root} was signed by the key ${key?.publicKey} for ${head.day}.`,
    'Nothing in the file was changed since it was signed.',
    ...kept.map(({ name }) => `The journal is the one whose roots you kept in ${name}: it only grew.`),
  ]
}

function unprovenBy({ simulated }: Evidence, kept: readonly KeptRoots[]): readonly string[] {
  return [
    ...(simulated ? ['That any of it happened: it comes from a laboratory.'] : []),
    'That hypervisor and probe told the truth: only that what they told was written down then and not changed since.',
    'That the hardware was faulty, or would have failed.',
    'That nothing was left out: entries that are not in this file are hidden, and nobody can see from it what they say.',
    'That the clocks were right.',
    ...(kept.length > 0
      ? []
      : [
          'That the key is the hoster’s, and that the journal was not written anew before you got this file: compare with roots that you kept earlier (--root).',
        ]),
  ]
}

function jsonIn(text: string, source: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new BadInput([`${source}: is not JSON: ${error instanceof Error ? error.message : error}`])
  }
}

const faultsIn = (source: string, error: z.ZodError) =>
  new BadInput(
    error.issues.map(({ path, message }) => `${source}: $${path.map((one) => `.${String(one)}`).join('')}: ${message}`),
  )
