/** `coulisse serve`: the control plane, until a signal. */
import type { Command } from 'commander'
import { serveControlPlane } from '#app/serving'
import { buildAlertServer } from '../api/routes-alerts.ts'
import { buildServer } from '../api/server.ts'

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('run the control plane for one cluster, until a signal')
    .requiredOption('--config <FILE>', 'the configuration (YAML)')
    .action(async (options: { config: string }) => {
      await serveControlPlane(
        options.config,
        (controlPlane, publicHosts) => buildServer(controlPlane, { publicHosts, freshKey: () => crypto.randomUUID() }),
        buildAlertServer,
      )
    })
}
