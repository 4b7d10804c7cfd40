/** PDF by typst's compiler, in this process: no browser, no network, the fonts that it brings itself, so that equal documents give equal bytes. */
import { NodeCompiler, PdfStandard } from '@myriaddreamin/typst-ts-node-compiler'
import { DriverError } from '#domain/driver-error'
import type { Printer } from '#ports/printer'
import { TEMPLATE } from './template.ts'

const MAIN = '/document.typ'
/** Results that nobody asked for in this many documents are forgotten: a month's reports of thousands must not fill the memory. */
const CACHE_AGE_LIMIT = 10

/** @throws DriverError 'never' with typst's own words where the document cannot be set */
export function pdfPrinter(): Printer {
  let compiler: NodeCompiler | undefined
  return {
    async print(document) {
      compiler ??= withTemplate()
      const doing = `set "${document.title}" as PDF`
      const inputs = { document: JSON.stringify({ ...document, day: dayOf(document.atMs) }) }
      const compiled = compiler.compile({ mainFilePath: MAIN, inputs })
      if (compiled.result === null || compiled.hasError()) {
        const text = wordsOf(compiled.takeError()?.shortDiagnostics ?? [])
        throw new DriverError('typst', doing, { retry: 'never', text })
      }
      try {
        const seconds = Math.floor(document.atMs / 1000)
        return compiler.pdf(compiled.result, { pdfStandard: PdfStandard.UA_1, creationTimestamp: seconds })
      } catch (cause) {
        throw new DriverError('typst', doing, { retry: 'never', cause })
      } finally {
        compiler.evictCache(CACHE_AGE_LIMIT)
      }
    },
  }
}

function withTemplate(): NodeCompiler {
  const compiler = NodeCompiler.create({ workspace: '/' })
  compiler.addSource(MAIN, TEMPLATE)
  return compiler
}

function dayOf(atMs: number) {
  const at = new Date(atMs)
  return { year: at.getUTCFullYear(), month: at.getUTCMonth() + 1, day: at.getUTCDate() }
}

const wordsOf = (diagnostics: readonly unknown[]) =>
  diagnostics.map((one) => (one as { message?: string }).message ?? String(one)).join('; ')
