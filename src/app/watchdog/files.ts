/** What the watchdog leaves behind between two looks: who was told what, and the metrics. Replaced in one step, never half written. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { EMPTY_LEDGER, type Ledger } from '#story/watchdog/ledger'
import { ALERT_KINDS } from '#story/watchdog/observation'

const ledgerSchema = z.object({
  version: z.literal(1),
  lastLookMs: z.number(),
  standing: z.record(
    z.string(),
    z.object({
      alert: z.object({
        kind: z.enum(ALERT_KINDS),
        subject: z.string(),
        severity: z.enum(['critical', 'warning']),
        text: z.string(),
        mend: z.string(),
      }),
      firstMs: z.number(),
      goneMs: z.number().optional(),
      toldMs: z.object({ mail: z.number().optional(), webhook: z.number().optional() }),
    }),
  ),
})

export type KeptLedger = { readonly ledger: Ledger; readonly lastLookMs: number | undefined }

/** One that cannot be read is none: then all that stands is told once more, which is better than never. */
export function readLedger(path: string, log: (text: string) => void = () => {}): KeptLedger {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return { ledger: EMPTY_LEDGER, lastLookMs: undefined }
  }
  try {
    const { standing, lastLookMs } = ledgerSchema.parse(JSON.parse(text))
    return { ledger: { standing: standing as Ledger['standing'] }, lastLookMs }
  } catch {
    log(`${path} cannot be understood: what stands is told anew`)
    return { ledger: EMPTY_LEDGER, lastLookMs: undefined }
  }
}

export function writeLedger(path: string, { standing }: Ledger, lastLookMs: number): void {
  mkdirSync(dirname(path), { recursive: true })
  replace(path, `${JSON.stringify({ version: 1, lastLookMs, standing }, null, 1)}\n`, 0o600)
}

/** For node_exporter, which may run under another account. */
export const writeTextfile = (path: string, text: string): void => replace(path, text, 0o644)

function replace(path: string, text: string, mode: number): void {
  const fresh = `${path}.${process.pid}.new`
  writeFileSync(fresh, text, { mode })
  renameSync(fresh, path)
}
