/** What customers are told, in the form and language that somebody needs now. A client of the API. */
import { writeFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { REPORT_FORMS } from '#app/report-query'
import { type Common, clientFor, command } from './client.ts'

type ReportOptions = Common & {
  readonly maintenance?: string
  readonly customer: string
  readonly format: string
  readonly lang?: string
  readonly out?: string
}

export function addReportCommand(program: Command): void {
  command(program, 'report', 'what one customer is told of a maintenance, as page, PDF, JSON, calendar or Markdown')
    .requiredOption('--customer <id>', 'whose report')
    .option('--maintenance <id>', 'of which maintenance; left out: the one that runs')
    .addOption(new Option('--format <form>', 'in which form').choices(REPORT_FORMS).default('html'))
    .addOption(new Option('--lang <language>', 'left out: the customer’s own').choices(['en', 'fr', 'es']))
    .option('--out <file>', 'instead of stdout')
    .action(async ({ customer, maintenance, format, lang, out, ...options }: ReportOptions) => {
      const client = await clientFor(options)
      const id = maintenance ?? (await client.find(undefined)).id
      const query = new URLSearchParams({ form: format, ...(lang !== undefined && { language: lang }) })
      const bytes = await client.report(id, customer, query)
      if (out === undefined) process.stdout.write(bytes)
      else {
        await writeFile(out, bytes)
        process.stderr.write(`written: ${out} (${bytes.length} bytes)\n`)
      }
    })
}
