/** Looks at everything that a maintenance will need, before there is one. It changes nothing, anywhere. */
import { dirname } from 'node:path'
import type { Check, CheckArea } from '#domain/check'
import { DriverError } from '#domain/driver-error'
import { examineProxmox } from '#drivers/proxmox/examine'
import { readConfig } from '../config/read.ts'
import type { Config } from '../config/schema.ts'
import { type Drivers, entryPointsOf, makeDrivers } from '../drivers.ts'
import { examineNetboxOf } from '../places-of-config.ts'
import { examineMail, examineNodeAccess, examineStorage, examineStore } from './areas.ts'
import { examineBmcs } from './bmcs.ts'
import { examineConfiguration } from './configuration.ts'
import { examineInventory } from './inventory.ts'
import { examineMonitoring } from './monitoring.ts'
import { examineWatchdog } from './watchdog.ts'

/** Longer than the slowest area's own deadlines together: what is not done by then is said, not waited for. */
const AREA_LIMIT_MS = 90_000

type Area = { readonly area: CheckArea; readonly look: () => Promise<readonly Check[]> }

/** In the order in which a person mends: what everything else needs first. Throws BadInput for a bad configuration. */
export async function examine(path: string): Promise<readonly Check[]> {
  const config = readConfig(path)
  const drivers = makeDrivers(config, path)
  try {
    const seen = await Promise.all(areasOf(config, path, drivers).map(lookWithin))
    return byArea(seen.flat())
  } finally {
    await drivers.close()
  }
}

function areasOf(config: Config, path: string, drivers: Drivers): readonly Area[] {
  return [
    { area: 'configuration', look: async () => examineConfiguration(config, path) },
    { area: 'database', look: () => examineStore(config, path) },
    {
      area: 'proxmox',
      look: () =>
        examineProxmox({
          entryPoints: entryPointsOf(config, dirname(path)),
          clock: drivers.clock,
          cephByApi: config.ceph === 'proxmox',
        }),
    },
    { area: 'ha-manager', look: () => examineNodeAccess(config, path) },
    { area: 'ceph', look: () => examineStorage(config, path, drivers) },
    { area: 'bmc', look: () => examineBmcs(config, drivers.bmc) },
    { area: 'prometheus', look: async () => examineMonitoring(config, path, await drivers.clock.nowMs()) },
    { area: 'inventory', look: async () => examineInventory(config, await drivers.hypervisor.observe()) },
    { area: 'inventory', look: () => examineNetboxOf(config, path) },
    { area: 'mail', look: () => examineMail(config, path) },
    { area: 'watchdog', look: async () => examineWatchdog(config, path, await drivers.clock.nowMs()) },
  ]
}

/** Each area together, in the order in which the first of it was looked at. */
function byArea(checks: readonly Check[]): readonly Check[] {
  const areas = [...new Set(checks.map(({ area }) => area))]
  return areas.flatMap((area) => checks.filter((check) => check.area === area))
}

async function lookWithin({ area, look }: Area): Promise<readonly Check[]> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<readonly Check[]>((resolve) => {
    const text = `no end of looking within ${AREA_LIMIT_MS / 1000} s`
    timer = setTimeout(() => resolve([{ area, subject: area, outcome: 'missing', text }]), AREA_LIMIT_MS)
  })
  try {
    return await Promise.race([look(), late])
  } catch (error) {
    // What somebody else's check will name too: here is what it costs this area.
    if (!(error instanceof DriverError)) throw error
    return [{ area, subject: area, outcome: 'missing', text: `cannot be looked at: ${error.message}` }]
  } finally {
    clearTimeout(timer)
  }
}
