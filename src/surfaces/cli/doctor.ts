/** `coulisse doctor`: what is fine, missing or dangerous before there is a maintenance, and what mends it. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { examine } from '#app/doctor/doctor'
import type { Check, CheckOutcome } from '#domain/check'
import { tableOf, worstOf } from './doctor-text.ts'

const EXIT_CODES: Readonly<Record<CheckOutcome, number>> = { fine: 0, missing: 1, dangerous: 2 }
const WIDTH_WITHOUT_TERMINAL = 120

const HELP = `
Looks at everything that a maintenance will need, and changes nothing.

  fine        as it should be
  missing     a stage cannot be done, or is blind, until it is mended
  dangerous   something would go wrong, or more is allowed than is needed

Exit: 0 all is fine; 1 something is missing; 2 something is dangerous, or the configuration itself cannot be read.`

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description(
      'check configuration, rights, certificates, BMCs, Ceph, clocks and mail; say what mends what is not fine',
    )
    .requiredOption('--config <FILE>', 'the configuration (YAML)')
    .option('--json', 'print a list of { area, subject, outcome, text, stages?, mend? }')
    .addHelpText('after', HELP)
    .action(async ({ config, json = false }: { config: string; json?: boolean }) => {
      const checks = await examine(resolve(config))
      process.stdout.write(json ? `${JSON.stringify(checks)}\n` : doctorText(checks))
      process.exitCode = EXIT_CODES[worstOf(checks)]
    })
}

export const doctorText = (checks: readonly Check[]) =>
  tableOf(checks, process.stdout.columns ?? WIDTH_WITHOUT_TERMINAL, process.stdout.isTTY === true)
