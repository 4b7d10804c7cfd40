/** The command line: finds the command's module, loads that one alone, and turns bad input into exit 2. */
import { Command, CommanderError } from 'commander'
import { BadInput } from '#app/bad-input'
import { COMMANDS } from './commands.ts'

const BAD_INPUT = 2
const FAILED = 1

/** Loading every module would cost each start what only one command needs: only help wants them all. */
async function programFor(name: string | undefined): Promise<Command> {
  const program = new Command('coulisse')
    .description('Takes a failing node out of a Proxmox VE + Ceph cluster, gets it repaired and puts it back.')
    .exitOverride()
  const known = COMMANDS.filter(({ names }) => name !== undefined && names.includes(name))
  for (const { load } of known.length > 0 ? known : COMMANDS) {
    const add = await load()
    add(program)
  }
  for (const command of program.commands) quietly(command)
  return program
}

/** Sub-commands do not inherit the override of those that were added as finished commands. */
function quietly(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) quietly(child)
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : BAD_INPUT
  if (error instanceof BadInput) {
    for (const fault of error.faults) process.stderr.write(`${fault}\n`)
    return BAD_INPUT
  }
  const text = error instanceof Error ? error.message : String(error)
  const stack = process.env.COULISSE_DEBUG === undefined || !(error instanceof Error) ? '' : `\n${error.stack}`
  process.stderr.write(`coulisse: ${text}${stack}\n`)
  return FAILED
}

/** A reader that went away (`| head`) ends the command, and is no fault of ours. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : FAILED))

try {
  const program = await programFor(process.argv[2])
  await program.parseAsync(process.argv)
} catch (error) {
  process.exitCode = exitCodeOf(error)
}
