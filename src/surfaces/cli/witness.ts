/** `coulisse witness`: probes guests from wherever it stands, and sends what it saw, signed. */
import { constants, setPriority } from 'node:os'
import type { Command } from 'commander'
import { untilSignal } from '#app/until-signal'
import { readWitnessConfig, runWitness } from '#app/witness/run-witness'

export function addWitnessCommand(program: Command): void {
  program
    .command('witness')
    .description('probe what the control plane orders, from this machine, and send the samples, signed')
    .requiredOption('--config <file>', 'name, stateDir, control')
    .action(async ({ config: path }: { config: string }) => {
      const config = readWitnessConfig(path)
      beforeOthers()
      const stop = new AbortController()
      void untilSignal().then(() => stop.abort())
      await runWitness(config, {
        signal: stop.signal,
        log: (text) => process.stderr.write(`${new Date().toISOString()} ${text}\n`),
        onReady: (publicKey) => {
          const { name, control } = config
          process.stdout.write(`${JSON.stringify({ ready: true, name, control, publicKey, pid: process.pid })}\n`)
        },
      })
      process.exit(0)
    })
}

/** Who sends late sees gaps that are his own. Where he may not, he goes on as he is. */
function beforeOthers(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST)
  } catch {}
}
