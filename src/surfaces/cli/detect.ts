/** `coulisse detect`: findings from a recorded trace. */
import type { Command } from 'commander'
import { BadInput } from '#app/bad-input'
import { detectOverTrace, findingLine } from '#app/detect-files'
import { DriverError } from '#domain/driver-error'

export function addDetectCommand(program: Command): void {
  program
    .command('detect')
    .description('find failing parts in a recorded trace')
    .requiredOption('--trace <file>', 'signals, one JSON a line')
    .option('--fleet <file>', 'the nodes and their parts, as JSON')
    .option('--json', 'one finding a line')
    .action(async (options: { trace: string; fleet?: string; json?: boolean }) => {
      process.exitCode = await detect(options)
    })
}

async function detect({
  json,
  ...files
}: {
  readonly trace: string
  readonly fleet?: string
  readonly json?: boolean
}): Promise<number> {
  try {
    const summary = await detectOverTrace(files, (finding) => {
      const text = `${new Date(finding.atMs).toISOString()} ${finding.level}: ${finding.text}`
      process.stdout.write(`${json ? findingLine(finding) : text}\n`)
    })
    const { signalCount, badLineCount, firstBad, noticed } = summary
    if (firstBad) {
      process.stderr.write(
        `${files.trace}: ${badLineCount} of ${signalCount + badLineCount} lines left out; the first is line ${firstBad.line}: ${firstBad.why}\n`,
      )
    }
    for (const { count, first } of Object.values(noticed)) {
      process.stderr.write(`${files.trace}: ${first}${count > 1 ? `, and ${count - 1} more of this sort` : ''}\n`)
    }
    return 0
  } catch (error) {
    if (!(error instanceof BadInput || error instanceof DriverError)) throw error
    process.stderr.write(`${error.message}\n`)
    return 2
  }
}
