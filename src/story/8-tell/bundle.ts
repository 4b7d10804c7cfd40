/**
 * A customer's evidence for one maintenance: his sentences, the figures under them, the entries of the journal that concern him,
 * and proofs that these entries stand in the signed journal. Nobody else's anything.
 */
import type { Customer } from '#domain/customer'
import type { JournalRow } from '#domain/event'
import type { MaintenanceId } from '#domain/ids'
import type { ProbeReading } from '#domain/measurement'
import type { Sha256 } from '#domain/merkle'
import { assemble, disclose, openTree, type Part, type PrunedTree, type SealedRow } from '#domain/seal'
import type { HeadLink, JournalKey, SignedHead } from '#domain/tree-head'
import { customerStories, originsOf } from './decide.ts'
import { disclosureOf } from './disclose.ts'
import { MASK, redactFor } from './redact.ts'
import { type Sentence, sentencesOf } from './summary.ts'

export const EVIDENCE_FORMAT = 'coulisse/evidence@1'

export type EvidenceEntry = {
  readonly seq: number
  /** Where it stands among all rows of the journal, counted from 0. */
  readonly index: number
  readonly inclusion: readonly string[]
  readonly tree: PrunedTree
}

/** One measured figure: the parts of its entry that hold it, opened by themselves. */
export type EvidenceSample = { readonly id: string; readonly entry: number; readonly tree: PrunedTree }

export type Evidence = {
  readonly format: typeof EVIDENCE_FORMAT
  readonly maintenance: MaintenanceId
  readonly customer: Pick<Customer, 'id' | 'name' | 'language' | 'timeZone'>
  readonly hoster: string
  /** Figures come from the lab. */
  readonly simulated: boolean
  readonly sentences: readonly Sentence[]
  readonly samples: readonly EvidenceSample[]
  readonly entries: readonly EvidenceEntry[]
  readonly head: SignedHead
  /** Heads before it, newest last, each proven to be the beginning of the next: whoever kept one of them can compare. */
  readonly before: { readonly heads: readonly SignedHead[]; readonly links: readonly HeadLink[] }
  readonly keys: readonly JournalKey[]
  /** By the head's key, over all of the above. */
  readonly signature: string
}

export type EvidenceFacts = Pick<Evidence, 'hoster' | 'simulated' | 'head' | 'before' | 'keys'> & {
  readonly customer: Customer
  /** All who are told: what names one of them is kept from the others. */
  readonly customers: readonly Customer[]
  readonly rows: readonly JournalRow[]
  readonly proofOf: (row: JournalRow) => { readonly index: number; readonly inclusion: readonly string[] }
}

/** undefined: no row names a guest of his. Rows that were written before there were seals cannot be shown in part, and are left out. */
export function gatherEvidence(facts: EvidenceFacts, sha256: Sha256): Omit<Evidence, 'signature'> | undefined {
  const { customer, customers, rows, head, before, keys, hoster, simulated } = facts
  const first = rows[0]
  const origins = originsOf(rows)
  const guests = new Set(origins.filter((origin) => origin.customer === customer.id).map(({ vmid }) => vmid))
  if (first === undefined || guests.size === 0) return undefined
  const own = { customer: customer.id, guests, redact: redactFor(customer, customers, origins) }
  const entries: EvidenceEntry[] = []
  const samples: EvidenceSample[] = []
  for (const row of rows) {
    const disclosure = disclosureOf(row, own)
    if (disclosure === undefined || !isSealed(row)) continue
    entries.push({ seq: row.seq, ...facts.proofOf(row), tree: disclose(row, disclosure.shows, sha256) })
    for (const { id, shows } of disclosure.samples) {
      samples.push({ id, entry: row.seq, tree: disclose(row, shows, sha256) })
    }
  }
  const { id, name, language, timeZone } = customer
  const told = { customer: { id, name, language, ...(timeZone !== undefined && { timeZone }) }, entries, samples }
  return {
    format: EVIDENCE_FORMAT,
    maintenance: first.maintenance,
    ...told,
    hoster,
    simulated,
    sentences: sentencesIn(told, sha256),
    head,
    before,
    keys,
  }
}

const isSealed = (row: JournalRow): row is JournalRow & SealedRow => row.seal !== undefined

type Told = Pick<Evidence, 'customer' | 'entries' | 'samples'>

/** What the opened entries and samples say, told by the same words as page and mail. Throws where they say nothing that can be told. */
export function sentencesIn({ customer, entries, samples }: Told, sha256: Sha256): readonly Sentence[] {
  const rows = entries.map(({ seq, tree }) => {
    const own = samples.filter(({ entry }) => entry === seq)
    const parts = [tree, ...own.map((sample) => sample.tree)].flatMap((one) => openTree(one, sha256).parts)
    return rowOf(parts)
  })
  const [story] = customerStories(rows, [customer])
  return story === undefined ? [] : sentencesOf(story)
}

/** A row as far as it is shown. What is hidden and would be told reads '[…]'; nothing that is told reads the rest. */
function rowOf(parts: readonly Part[]): JournalRow {
  const row = assemble(parts) as JournalRow
  return { ...row, key: '', prevHash: '', hash: '', event: withMasks(row.event) }
}

function withMasks(event: JournalRow['event']): JournalRow['event'] {
  switch (event.kind) {
    case 'maintenance-opened':
      return { ...event, finding: { ...event.finding, part: event.finding.part ?? MASK } }
    case 'work-order-answered': {
      const { by = MASK, found = MASK, did = [] } = event.answer
      return { ...event, answer: { ...event.answer, by, found, did } }
    }
    case 'probe-read':
      return { ...event, readings: (event.readings ?? []).map(withReason) }
    case 'origins-recorded':
      return { ...event, origins: event.origins.map((origin) => ({ ...origin, name: origin.name ?? MASK })) }
    default:
      return event
  }
}

const withReason = (reading: ProbeReading): ProbeReading =>
  reading.is === 'unmeasured' ? { ...reading, reason: reading.reason ?? MASK } : reading

/** His sentences as far as the evidence carries them: one whose sample or entry is missing says that nobody measured it. */
export function carriedSentences({ sentences, samples, entries }: Evidence): readonly Sentence[] {
  const ids = new Set(samples.map(({ id }) => id))
  const seqs = new Set(entries.map(({ seq }) => seq))
  const isCarried = ({ rests }: Sentence) =>
    rests.samples.every((id) => ids.has(id)) && rests.entries.every((seq) => seqs.has(seq))
  return sentences.map((sentence) => (isCarried(sentence) ? sentence : { ...sentence, text: sentence.unmeasured }))
}
