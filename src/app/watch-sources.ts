/** The part of a round of the watch that asks sources of many nodes: a source that is away costs its own signals only. */
import { DriverError } from '#domain/driver-error'
import type { Signal } from '#domain/signal'
import type { SignalSource } from '#ports/signal-source'

type Cursors = Readonly<Record<string, string>>
type Heard = { readonly signals: readonly Signal[]; readonly cursors: Cursors }

/** No node can have such a name. */
const keyOf = ({ name }: SignalSource) => `source:${name}`

/** Adds to what was heard before. `stored`: to be called when the new cursors are stored. */
export async function readSources(
  { sources = [], log }: { readonly sources?: readonly SignalSource[]; readonly log: (text: string) => void },
  before: Heard,
): Promise<Heard & { stored(): Promise<void> }> {
  const signals = [...before.signals]
  const cursors: Record<string, string> = { ...before.cursors }
  const heard: SignalSource[] = []
  for (const source of sources) {
    try {
      const told = await source.signals(cursors[keyOf(source)] ?? '')
      signals.push(...told.signals)
      cursors[keyOf(source)] = told.cursor
      for (const note of told.notes) log(note)
      heard.push(source)
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      log(`${source.name} was not read: ${error.message}`)
    }
  }
  return {
    signals: signals.sort((a, b) => a.receivedAtMs - b.receivedAtMs),
    cursors,
    stored: async () => {
      for (const source of heard) await source.stored?.(cursors[keyOf(source)] ?? '')
    },
  }
}
