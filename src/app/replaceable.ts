/** Drivers that can be replaced while sagas hold on to them: each call goes to the present ones. */
import type { NodeName } from '#domain/ids'
import type { Config } from './config/schema.ts'
import type { Drivers } from './drivers.ts'

export type Replaceable = {
  /** Stays the same object through every replacement. */
  readonly drivers: Drivers
  config(): Config
  replace(config: Config): void
  /** Events of the BMCs, from now on and through every replacement. */
  listen(onEvent: (node: NodeName) => void, log: (text: string) => void): Promise<void>
  close(): Promise<void>
}

/** Longer than the longest call's deadline: what is under way with the old drivers ends with them. */
const RETIRED_LIMIT_MS = 120_000

/** @param make throws for a configuration that makes no drivers; then the present ones stay. */
export function replaceableDrivers(first: Config, make: (config: Config) => Drivers): Replaceable {
  let config = first
  let present = make(first)
  let hears: Parameters<Replaceable['listen']> | undefined
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
      solver: through(() => present.solver),
      lab: present.lab,
      close: () => present.close(),
    },
    config: () => config,
    replace: (next) => {
      const old = present
      present = make(next)
      config = next
      retire(old)
      if (hears !== undefined) void passOn(hears, old, present)
    },
    listen: async (...how) => {
      hears = how
      await present.bmc.listen(...how)
    },
    close: async () => {
      for (const timer of retired.values()) clearTimeout(timer)
      await Promise.all([present, ...retired.keys()].map((drivers) => drivers.close()))
    },
  }
}

/** One after the other: both would want the same port. Without events each node is still looked at in every round. */
async function passOn(how: Parameters<Replaceable['listen']>, from: Drivers, to: Drivers): Promise<void> {
  const [, log] = how
  try {
    await from.bmc.stopListening()
    await to.bmc.listen(...how)
  } catch (error) {
    log(`BMCs send no events since the configuration was read again: ${error instanceof Error ? error.message : error}`)
  }
}

/** Ports are records of functions and plain values: each is looked up in the present one at every use. */
const through = <T extends object>(present: () => T): T =>
  new Proxy({} as T, {
    get: (_, key) => Reflect.get(present(), key),
    has: (_, key) => Reflect.has(present(), key),
  })
