/** What customers are told, in the form and language that somebody needs now. A client of the API. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { BadInput } from '#app/bad-input'
import { DRAFT_FORMS, MONTH_FORMS, REPORT_FORMS } from '#app/report-query'
import { type Common, clientFor, command } from './client.ts'

type ReportOptions = Common & {
  readonly maintenance?: string
  readonly month?: string
  readonly customer?: string
  readonly public?: boolean
  readonly format: string
  readonly lang?: string
  readonly out?: string
}

export function addReportCommand(program: Command): void {
  command(program, 'report', 'what customers are told: of one maintenance, or of a month')
    .option('--customer <id>', 'whose report; with --month and without it: everybody’s')
    .option('--maintenance <id>', 'of which maintenance; left out: the one that runs')
    .addOption(new Option('--month <month>', 'the monthly report of invisible work: 2026-11').conflicts('maintenance'))
    .option(
      '--public',
      'instead: an anonymised draft for blog and social accounts, md or svg (the card); nothing is posted',
    )
    .addOption(
      new Option('--format <form>', 'in which form')
        .choices([...REPORT_FORMS, 'svg'])
        .default('html', 'html; public: md'),
    )
    .addOption(new Option('--lang <language>', 'left out: the customer’s own').choices(['en', 'fr', 'es']))
    .option('--out <path>', 'a file instead of stdout; with --month a folder')
    .action((options: ReportOptions) => (options.month === undefined ? reportOne(options) : reportMonth(options)))
}

async function reportOne({ customer, maintenance, format, lang, out, ...options }: ReportOptions): Promise<void> {
  const client = await clientFor(options)
  const idOf = async () => maintenance ?? (await client.find(undefined)).id
  const inLanguage: Record<string, string> = lang === undefined ? {} : { language: lang }
  let bytes: Uint8Array
  if (options.public === true) {
    const form = format === 'html' ? 'md' : format
    if (!DRAFT_FORMS.some((one) => one === form)) throw new BadInput([`--format: the public draft has no ${format}`])
    bytes = await client.publicDraft(await idOf(), new URLSearchParams({ form, ...inLanguage }))
  } else {
    if (customer === undefined) throw new BadInput(['--customer: say whose report, or --public'])
    if (!REPORT_FORMS.some((one) => one === format)) throw new BadInput([`--format: a report has no ${format}`])
    bytes = await client.report(await idOf(), customer, new URLSearchParams({ form: format, ...inLanguage }))
  }
  if (out === undefined) return void process.stdout.write(bytes)
  await writeFile(out, bytes)
  process.stderr.write(`written: ${out} (${bytes.length} bytes)\n`)
}

async function reportMonth({ month = '', customer, format, lang, out, ...options }: ReportOptions): Promise<void> {
  if (!MONTH_FORMS.some((form) => form === format)) throw new BadInput([`--format: a month has no ${format}`])
  if (customer === undefined && out === undefined)
    throw new BadInput(['--out: say in which folder everybody’s reports go'])
  const client = await clientFor(options)
  const query = new URLSearchParams({
    form: format,
    ...(customer !== undefined && { customer }),
    ...(lang !== undefined && { language: lang }),
  })
  let count = 0
  for await (const { name, bytes } of client.monthReports(month, query)) {
    count++
    if (out === undefined) process.stdout.write(bytes)
    else {
      await mkdir(out, { recursive: true })
      await writeFile(join(out, name), bytes)
      process.stderr.write(`${count}: ${join(out, name)}\n`)
    }
  }
  if (count === 0) process.stderr.write(`no maintenance of ${month} concerned a customer\n`)
}
