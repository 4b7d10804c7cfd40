/** At the start of a control plane: what Proxmox's side lacks is in the log before the first maintenance needs it. */
import { dirname } from 'node:path'
import { examineProxmox } from '#drivers/proxmox/examine'
import type { Clock } from '#ports/clock'
import type { Config } from './config/schema.ts'
import { entryPointsOf } from './drivers.ts'

/** Beside the start, never in its way: a cluster that does not answer yet is no reason not to run. */
export async function logWhatIsWrong(
  config: Config,
  configPath: string,
  { clock, log }: { readonly clock: Clock; readonly log: (text: string) => void },
): Promise<void> {
  const checks = await examineProxmox({
    entryPoints: entryPointsOf(config, dirname(configPath)),
    clock,
    cephByApi: config.ceph === 'proxmox',
  })
  for (const { subject, outcome, text, stages = [], mend } of checks) {
    if (outcome === 'fine') continue
    const where = stages.length === 0 ? '' : ` (${stages.join(', ')})`
    log(`${outcome}: ${subject}: ${text}${where}${mend === undefined ? '' : `; mend: ${mend}`}`)
  }
}
