/** `coulisse verify`: checks a journal export or a customer's evidence offline; asks nobody. */
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { z } from 'zod'
import { BadInput } from '#app/bad-input'
import { sha256 } from '#app/evidence/crypto'
import { type EvidenceVerdict, isEvidence, readRoots, verifyEvidence } from '#app/evidence/read-evidence'
import type { JournalRow } from '#domain/event'
import { chainProblems } from '#domain/journal-chain'
import { faultsOf } from './zod-faults.ts'

const Row = z.looseObject({
  maintenance: z.string(),
  seq: z.int().positive(),
  key: z.string(),
  atMs: z.number(),
  event: z.looseObject({ kind: z.string() }),
  prevHash: z.string(),
  hash: z.string(),
})

/** What `coulisse journal export` writes. */
export const JOURNAL_FORMAT = 'coulisse/journal@1'
const Bundle = z.looseObject({ format: z.literal(JOURNAL_FORMAT), rows: z.array(Row) })

export type Verdict = { readonly ok: boolean; readonly entries: number; readonly problems: readonly string[] }

/** An empty chain proves nothing, so it is a problem. The end may have been cut off: only a later export can show that. */
export function verifyRows(rows: readonly JournalRow[]): Verdict {
  const problems = [...chainProblems(rows, sha256)]
  if (rows.length === 0) problems.push('there is no entry')
  if (new Set(rows.map(({ maintenance }) => maintenance)).size > 1) problems.push('rows of several maintenances')
  return { ok: problems.length === 0, entries: rows.length, problems }
}

export function parseBundle(text: string, source: string): readonly JournalRow[] {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new BadInput([`${source}: is not JSON: ${error instanceof Error ? error.message : error}`])
  }
  const parsed = Bundle.safeParse(json)
  if (!parsed.success) throw faultsOf(source, parsed.error)
  // The hash binds the event's content: whatever was written is checked, known kind or not.
  return parsed.data.rows as unknown as readonly JournalRow[]
}

type Options = { readonly json?: boolean; readonly root: readonly string[] }

export function addVerifyCommand(program: Command): void {
  program
    .command('verify')
    .description('check a customer’s evidence, or an exported journal, offline')
    .argument('<bundle>', 'JSON file, from: coulisse evidence CUSTOMER, or: coulisse journal export ID')
    .option('--root <file>', 'roots that you kept from the public page (roots.json); may be given again', gather, [])
    .option('--json', 'print { ok, entries, problems }')
    .action(async (file: string, { json, root }: Options) => {
      const text = await textOf(file)
      if (!isEvidence(text)) {
        if (root.length > 0)
          throw new BadInput([`${file}: is an exported journal; --root goes with a customer’s evidence`])
        return say(verifyRows(parseBundle(text, file)), json, verdictText)
      }
      const kept = await Promise.all(root.map(async (path) => readRoots(await textOf(path), path)))
      say(verifyEvidence(text, file, kept), json, evidenceText)
    })
}

const gather = (value: string, before: readonly string[]) => [...before, value]

const textOf = (file: string) =>
  readFile(file, 'utf8').catch((error: Error) => {
    throw new BadInput([`${file}: cannot be read: ${error.message}`])
  })

function say<V extends Verdict>(verdict: V, json: boolean | undefined, textFor: (verdict: V) => string): void {
  process.stdout.write(json ? `${JSON.stringify(verdict)}\n` : textFor(verdict))
  process.exitCode = verdict.ok ? 0 : 1
}

function verdictText({ ok, entries, problems }: Verdict): string {
  if (ok) return `${entries} entries, the chain is whole\n`
  return `${problems.join('\n')}\n${entries} entries, ${problems.length} problems\n`
}

function evidenceText({ ok, entries, problems, proves, doesNotProve, simulated }: EvidenceVerdict): string {
  const list = (items: readonly string[]) => items.map((item) => `  - ${item}`).join('\n')
  const lab = simulated ? ' Simulated: it comes from a laboratory.' : ''
  const verdict = ok ? `ok: ${entries} entries.${lab}` : `NOT ok: ${problems.length} problems.${lab}\n${list(problems)}`
  const proven = proves.length === 0 ? '' : `\nIt proves:\n${list(proves)}`
  return `${verdict}${proven}\nIt does not prove:\n${list(doesNotProve)}\n`
}
