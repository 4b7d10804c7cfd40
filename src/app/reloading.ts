/** SIGHUP: the configuration is read again, and taken where it may change under a running control plane. */
import { BadInput } from './bad-input.ts'
import { readConfig } from './config/read.ts'
import { reloadOf } from './config/reload.ts'
import type { Replaceable } from './replaceable.ts'

/** A configuration that is bad, or changes what cannot be changed, leaves the old one in force as a whole. */
export function reload(current: Replaceable, configPath: string, log: (text: string) => void): void {
  try {
    const after = readConfig(configPath)
    const outcome = reloadOf({ before: current.config(), after })
    if (outcome.is === 'refused') {
      log(
        `the configuration was read again and not taken: ${outcome.keys.join(', ')} cannot change while we run; restart for that`,
      )
      return
    }
    current.replace(after)
    const changed =
      outcome.changed.length === 0 ? 'the same but for its secrets' : `changed: ${outcome.changed.join(', ')}`
    log(`the configuration was read again, and taken; ${changed}`)
  } catch (error) {
    if (!(error instanceof BadInput)) throw error
    log('the configuration was read again and not taken, the old one stays:')
    for (const fault of error.faults) log(`  ${fault}`)
  }
}
