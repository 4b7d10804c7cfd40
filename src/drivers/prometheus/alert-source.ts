/** Alerts that Alertmanager sent and that wait in a durable queue, as a source of signals. */
import { z } from 'zod'
import type { SignalSource } from '#ports/signal-source'
import { type AlertMemory, alertEdges } from './alert-edges.ts'
import type { KeptAlert } from './webhook.ts'

/** The queue, as far as it is read here. */
export type WaitingAlerts = {
  waiting(limit: number): Promise<readonly { readonly id: number; readonly message: KeptAlert }[]>
  remove(ids: readonly number[]): Promise<void>
}

const ROUND_LIMIT = 2_000

const cursorSchema = z.object({
  /** Rows whose edges are told already, though they may still lie in the queue. */
  taken: z.array(z.number()),
  memory: z.record(
    z.string(),
    z.object({ startsAtMs: z.number(), status: z.enum(['firing', 'resolved']), heardAtMs: z.number() }),
  ),
})

type Cursor = { readonly taken: readonly number[]; readonly memory: AlertMemory }

export function alertSource(queue: WaitingAlerts): SignalSource {
  return {
    name: 'alertmanager',
    signals: async (text) => {
      const before = parseCursor(text)
      const known = new Set(before.taken)
      const rows = await queue.waiting(ROUND_LIMIT)
      const fresh = rows.filter(({ id }) => !known.has(id))
      const { memory, signals } = alertEdges(
        before.memory,
        fresh.map(({ message }) => message),
      )
      const cursor: Cursor = { taken: rows.map(({ id }) => id), memory }
      return { signals, cursor: JSON.stringify(cursor), notes: [] }
    },
    stored: (text) => queue.remove(parseCursor(text).taken),
  }
}

function parseCursor(text: string): Cursor {
  const none: Cursor = { taken: [], memory: {} }
  if (text === '') return none
  try {
    const parsed = cursorSchema.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : none
  } catch {
    return none
  }
}
