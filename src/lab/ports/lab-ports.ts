/** All ports over one simulated world, in memory. Journal and clock are the caller's. */
import type { LabWorld } from '#lab/world/lab-world'
import type { Ports } from '#ports/all'
import { labBmc } from './bmc.ts'
import { labHypervisor } from './hypervisor.ts'
import { labInventory } from './inventory.ts'
import { labNotifier } from './notifier.ts'
import { labProbe } from './probe.ts'
import { labPublisher } from './publisher.ts'
import { labStorage, type StorageOptions } from './storage.ts'

/** Join a journal to the world too: `journal.onRow((row) => noteJournal(lab.state, row.event))`. */
export function labPorts(lab: LabWorld, options: Partial<StorageOptions> = {}): Omit<Ports, 'journal' | 'clock'> {
  return {
    hypervisor: labHypervisor(lab),
    storage: labStorage(lab, { nooutScope: 'host', mayStopOsds: true, ...options }),
    bmc: labBmc(lab),
    probe: labProbe(lab),
    notifier: labNotifier(lab),
    inventory: labInventory(lab),
    publisher: labPublisher(lab),
  }
}
