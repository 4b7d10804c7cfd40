/** Everything that the story needs from outside, in one bundle: app/ fills it with drivers, the lab with its world. */
import type { Bmc } from './bmc.ts'
import type { Clock } from './clock.ts'
import type { Hypervisor } from './hypervisor.ts'
import type { Inventory } from './inventory.ts'
import type { Journal } from './journal.ts'
import type { Notifier } from './notifier.ts'
import type { Probe } from './probe.ts'
import type { Publisher } from './publisher.ts'
import type { Solver } from './solver.ts'
import type { Storage } from './storage.ts'

export type Ports = {
  readonly hypervisor: Hypervisor
  readonly storage: Storage
  readonly bmc: Bmc
  readonly probe: Probe
  readonly notifier: Notifier
  readonly inventory: Inventory
  readonly publisher: Publisher
  readonly journal: Journal
  readonly clock: Clock
  /** Absent: plans say what is not proved. The lab's nights go without, for an answer depends on how fast the machine is. */
  readonly solver?: Solver
}
