/** Prometheus as a source of signals: a few queries a round for all nodes together. */
import { z } from 'zod'
import type { Clock } from '#ports/clock'
import type { SignalSource } from '#ports/signal-source'
import type { PrometheusClient } from './client.ts'
import type { Placing } from './placing.ts'
import { newReadingMemory, type ReadingMemory, readingEdges } from './reading-edges.ts'
import { readSeries, SELECTORS } from './readings.ts'

/** The first look: enough to see what is bad now. */
const FIRST_WINDOW_MS = 5 * 60_000
/** A scrape of a slow BMC is written when it ends, under the time when it began. */
const OVERLAP_MS = 90_000
/** After a longer silence of ours what lies further back is lost: the query would be too large. */
const WINDOW_LIMIT_MS = 60 * 60_000

const cursorSchema = z.object({
  readAtMs: z.number(),
  memory: z.object({
    scrapesMs: z.record(z.string(), z.number()),
    bad: z.record(z.string(), z.enum(['ok', 'warning', 'critical', 'non-recoverable', 'absent', 'unreadable'])),
    figures: z.record(z.string(), z.number()),
    silent: z.array(z.string()),
  }),
})

type Cursor = { readonly readAtMs: number | undefined; readonly memory: ReadingMemory }

export function prometheusSource(options: {
  readonly client: PrometheusClient
  readonly placing: Placing
  readonly clock: Clock
}): SignalSource {
  const { client, placing, clock } = options
  let told: ReadonlySet<string> = new Set()
  return {
    name: 'prometheus',
    signals: async (text) => {
      const { readAtMs, memory } = parseCursor(text)
      const nowMs = await clock.nowMs()
      const windowMs = windowOf(readAtMs, nowMs)
      // One after the other: a fleet's answer is large, and Prometheus is there for others too.
      const answers = []
      for (const selector of SELECTORS) answers.push(await client.range('read the fleet’s series', selector, windowMs))
      const series = readSeries(
        answers.flatMap(({ data }) => data),
        placing,
      )
      const edges = readingEdges(memory, series, nowMs)
      const notes = new Set([
        ...answers.flatMap(({ warnings }) => warnings.map((one) => `prometheus answers in part only: ${one}`)),
        ...strangersIn(series.strangers),
      ])
      const fresh = [...notes].filter((note) => !told.has(note))
      told = notes
      return {
        signals: edges.signals,
        cursor: JSON.stringify({ readAtMs: nowMs, memory: edges.memory }),
        notes: fresh,
      }
    },
  }
}

const NAMES_SHOWN = 10

/** A Prometheus holds much that is not ours: one line, however many. */
function strangersIn(names: readonly string[]): readonly string[] {
  if (names.length === 0) return []
  const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : ''
  return [`prometheus: targets of no node of ours: ${[...names].sort().slice(0, NAMES_SHOWN).join(', ')}${more}`]
}

export function windowOf(readAtMs: number | undefined, nowMs: number): number {
  if (readAtMs === undefined) return FIRST_WINDOW_MS
  return Math.min(WINDOW_LIMIT_MS, Math.max(0, nowMs - readAtMs) + OVERLAP_MS)
}

/** What cannot be read is the first time: the same scrapes are told once more, which a debounce forgives. */
function parseCursor(text: string): Cursor {
  const none: Cursor = { readAtMs: undefined, memory: newReadingMemory() }
  if (text === '') return none
  try {
    const parsed = cursorSchema.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : none
  } catch {
    return none
  }
}
