/** `coulisse verify`: checks a journal export or a customer's evidence offline; asks nobody. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { z } from 'zod'
import { BadInput } from '#app/bad-input'
import type { JournalRow } from '#domain/event'
import { chainProblems } from '#domain/journal-chain'
import type { Sha256 } from '#domain/merkle'
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

const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')

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

export function addVerifyCommand(program: Command): void {
  program
    .command('verify')
    .description('check the hash chain of an exported journal, offline')
    .argument('<bundle>', 'JSON file, from: coulisse journal export ID')
    .option('--json', 'print { ok, entries, problems }')
    .action(async (file: string, { json }: { json?: boolean }) => {
      const text = await readFile(file, 'utf8').catch((error: Error) => {
        throw new BadInput([`${file}: cannot be read: ${error.message}`])
      })
      const verdict = verifyRows(parseBundle(text, file))
      process.stdout.write(json ? `${JSON.stringify(verdict)}\n` : verdictText(verdict))
      process.exitCode = verdict.ok ? 0 : 1
    })
}

function verdictText({ ok, entries, problems }: Verdict): string {
  if (ok) return `${entries} entries, the chain is whole\n`
  return `${problems.join('\n')}\n${entries} entries, ${problems.length} problems\n`
}
