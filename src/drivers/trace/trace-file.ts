/** Reads a recorded trace, one JSON a line (docs: contracts, Trace), as signals. Bad lines are counted, never fatal. */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { DriverError } from '#domain/driver-error'
import { nodeName } from '#domain/ids'
import type { Signal } from '#domain/signal'

const Base = { at: z.string().optional(), receivedAt: z.string().optional(), node: z.string().min(1) }

const PartLine = z.object({
  ...Base,
  source: z.enum(['sel', 'poll', 'redfish', 'alert', 'operator']),
  part: z.string().min(1),
  kind: z.enum(['fan', 'psu', 'temperature', 'memory', 'disk', 'link', 'other']).catch('other'),
  state: z.enum(['ok', 'warning', 'critical', 'non-recoverable', 'absent', 'unreadable']),
  edge: z.enum(['assert', 'deassert']).nullish(),
  value: z.number().nullish(),
  unit: z.string().nullish(),
  recordId: z.number().int().nonnegative().nullish(),
  model: z.string().nullish(),
})

const BmcLine = z.object({
  ...Base,
  event: z.enum(['reset', 'log-cleared', 'log-full', 'unreachable', 'reachable']),
})

export type TraceLine =
  | { readonly is: 'signal'; readonly signal: Signal }
  | { readonly is: 'bad'; readonly why: string }

/** A clock that is not set writes no time ("Pre-Init"): then ours stands in for it. A line without any time is bad. */
function timesOf(line: { at?: string | undefined; receivedAt?: string | undefined }) {
  const at = Date.parse(line.at ?? '')
  const received = Date.parse(line.receivedAt ?? line.at ?? '')
  const receivedAtMs = Number.isNaN(received) ? at : received
  return { atMs: Number.isNaN(at) || at < 0 ? receivedAtMs : at, receivedAtMs }
}

/** One line of a trace. Unknown fields are ignored. */
export function parseTraceLine(text: string): TraceLine {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return { is: 'bad', why: 'not JSON' }
  }
  const isEvent = typeof json === 'object' && json !== null && 'event' in json
  const parsed = isEvent ? BmcLine.safeParse(json) : PartLine.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return { is: 'bad', why: `$.${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unreadable'}` }
  }
  const times = timesOf(parsed.data)
  if (Number.isNaN(times.receivedAtMs)) return { is: 'bad', why: '$.at: no time' }
  if (times.receivedAtMs < 0) return { is: 'bad', why: '$.at: before 1970' }
  return { is: 'signal', signal: signalOf(parsed.data, times) }
}

function signalOf(
  line: z.infer<typeof PartLine> | z.infer<typeof BmcLine>,
  times: { readonly atMs: number; readonly receivedAtMs: number },
): Signal {
  const node = nodeName(line.node)
  if ('event' in line) return { is: 'bmc', ...times, node, event: line.event }
  const { source, part, kind, state, edge, value, unit, recordId, model } = line
  return {
    is: 'part',
    ...times,
    node,
    source,
    part,
    kind,
    state,
    edge: edge ?? null,
    ...(value != null && { value }),
    ...(unit != null && { unit }),
    ...(recordId != null && { recordId }),
    ...(model != null && { model }),
  }
}

export type TraceBatch = {
  readonly signals: readonly Signal[]
  readonly bad: readonly { readonly line: number; readonly why: string }[]
}

const BATCH_LINES = 4096

/** The file in batches, in its own order. Throws DriverError (never) where the file cannot be read. */
export async function* readTrace(path: string): AsyncGenerator<TraceBatch> {
  const input = createReadStream(path, { encoding: 'utf8' })
  let signals: Signal[] = []
  let bad: { line: number; why: string }[] = []
  let lineCount = 0
  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      lineCount++
      if (text.trim() === '') continue
      const read = parseTraceLine(text)
      if (read.is === 'signal') signals.push(read.signal)
      else bad.push({ line: lineCount, why: read.why })
      if (signals.length + bad.length < BATCH_LINES) continue
      yield { signals, bad }
      signals = []
      bad = []
    }
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause
    throw new DriverError('trace', `read ${path}`, { retry: 'never', cause })
  }
  yield { signals, bad }
}
