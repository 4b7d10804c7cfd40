/** Drivers that can be replaced while sagas hold on to them: each call goes to the present ones. */
import type { Config } from './config/schema.ts'
import type { Drivers } from './drivers.ts'

export type Replaceable = {
  /** Stays the same object through every replacement. */
  readonly drivers: Drivers
  config(): Config
  replace(config: Config): void
  close(): Promise<void>
}

/** Longer than the longest call's deadline: what is under way with the old drivers ends with them. */
const RETIRED_LIMIT_MS = 120_000

/** @param make throws for a configuration that makes no drivers; then the present ones stay. */
export function replaceableDrivers(first: Config, make: (config: Config) => Drivers): Replaceable {
  let config = first
  let present = make(first)
  const retired = new Map<Drivers, NodeJS.Timeout>()
  const retire = (old: Drivers) => {
    const end = () => {
      retired.delete(old)
      old.close().catch(() => {})
    }
    retired.set(old, setTimeout(end, RETIRED_LIMIT_MS).unref())
  }
  return {
    drivers: {
      clock: through(() => present.clock),
      hypervisor: through(() => present.hypervisor),
      storage: through(() => present.storage),
      bmc: through(() => present.bmc),
      probe: through(() => present.probe),
      notifier: through(() => present.notifier),
      inventory: through(() => present.inventory),
      publisher: through(() => present.publisher),
      pages: through(() => present.pages),
      lab: present.lab,
      close: () => present.close(),
    },
    config: () => config,
    replace: (next) => {
      const old = present
      present = make(next)
      config = next
      retire(old)
    },
    close: async () => {
      for (const timer of retired.values()) clearTimeout(timer)
      await Promise.all([present, ...retired.keys()].map((drivers) => drivers.close()))
    },
  }
}

/** Ports are records of functions and plain values: each is looked up in the present one at every use. */
const through = <T extends object>(present: () => T): T =>
  new Proxy({} as T, {
    get: (_, key) => Reflect.get(present(), key),
    has: (_, key) => Reflect.has(present(), key),
  })
