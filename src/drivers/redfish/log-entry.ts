/** One Redfish log entry read as a signal. Makers word the same edge in many ways; what they agree on is little. Pure. */
import { z } from 'zod'
import type { BmcSignal, PartKind, PartState } from '#domain/signal'

/** iDRAC 7 and 8 write [{"Member": "Assert"}] where the schema has a word. */
const words = z
  .union([
    z.string(),
    z.array(z.object({ Member: z.string() })).transform((list) => list.map(({ Member }) => Member).join(' ')),
  ])
  .nullish()

/** iLO's own part: a record that is over is marked, one that repeats is counted, and both say when. */
const hpe = z.object({ Repaired: z.boolean().nullish(), Updated: z.string().nullish() }).nullish()

export const logEntryAnswer = z.object({
  Id: z.string(),
  Created: z.string().optional(),
  Severity: z.string().nullish(),
  Message: z.string().nullish(),
  MessageId: z.string().nullish(),
  MessageArgs: z.array(z.string()).nullish(),
  SensorType: words,
  EntryCode: words,
  Resolved: z.boolean().nullish(),
  Modified: z.string().nullish(),
  OriginOfCondition: z.object({ '@odata.id': z.string() }).nullish(),
  Oem: z.object({ Hpe: hpe }).nullish().catch(undefined),
  Links: z.object({ OriginOfCondition: z.object({ '@odata.id': z.string() }).nullish() }).nullish(),
})

export type LogEntry = z.infer<typeof logEntryAnswer>

export type LogRecord = {
  readonly id: number
  /** When it was last changed in place, where that is told. */
  readonly changedMs?: number
  /** It tells of something that is over: iLO and newer services write no second record. */
  readonly isOver?: true
  /** As the BMC wrote it: with the id it names a record. */
  readonly created: string
  readonly atMs: number | 'unknown'
  readonly part: string
  readonly kind: PartKind
  readonly state: PartState
  readonly edge: 'assert' | 'deassert'
  readonly value?: number
  readonly unit?: string
  readonly about: 'part' | Extract<BmcSignal['event'], 'log-cleared' | 'log-full'>
}

const KINDS: readonly (readonly [words: RegExp, kind: PartKind])[] = [
  [/\bfan|cooling|RPM\b/i, 'fan'],
  [/\bpsu|power ?suppl/i, 'psu'],
  [/temp|thermal/i, 'temperature'],
  [/\bdimm|memory|\becc\b/i, 'memory'],
  [/\bdrive|disk|\bssd\b|\bhdd\b/i, 'disk'],
  [/\bnic\b|\blink\b|ethernet/i, 'link'],
]

/** Before a BMC's clock is set it writes 1970 or 2000: no time at all. */
const CLOCK_IS_SET_AFTER_MS = Date.UTC(2015, 0, 1)

/** Entries whose Id is no number are not of an event log that we can follow: undefined. */
export function toRecord(entry: LogEntry): LogRecord | undefined {
  if (!/^\d+$/.test(entry.Id)) return undefined
  const created = entry.Created ?? ''
  const createdMs = Date.parse(created)
  const words = [entry.SensorType, entry.EntryCode, entry.MessageId, entry.Message].filter(Boolean).join(' ')
  const changedMs = Date.parse(entry.Modified ?? entry.Oem?.Hpe?.Updated ?? '')
  const isOver = entry.Resolved === true || entry.Oem?.Hpe?.Repaired === true
  const kind = KINDS.find(([pattern]) => pattern.test(entry.SensorType || words))?.[1] ?? 'other'
  return {
    id: Number(entry.Id),
    created,
    atMs: createdMs > CLOCK_IS_SET_AFTER_MS ? createdMs : 'unknown',
    part: partOf(entry),
    kind,
    // What is over has a severity of OK by now, and was worse.
    state: isOver ? worse(stateOf(words, '')) : stateOf(words, entry.Severity ?? ''),
    edge: edgeOf(words, isOver ? '' : (entry.Severity ?? '')),
    ...(Number.isNaN(changedMs) ? {} : { changedMs }),
    ...(isOver ? { isOver } : {}),
    ...readingOf(entry.Message ?? ''),
    about: aboutOf(words),
  }
}

const worse = (state: PartState): PartState => (state === 'ok' ? 'warning' : state)

function aboutOf(words: string): LogRecord['about'] {
  if (/log (area )?(was |has been )?(reset|cleared)|LogCleared|IML Cleared|clear(ed)? the .*log/i.test(words))
    return 'log-cleared'
  return /log (is )?(almost )?full|LogFull/i.test(words) ? 'log-full' : 'part'
}

/** A sensor's name: the first argument, the origin's last word, or the message's first word with a figure in it. */
function partOf({ MessageArgs, OriginOfCondition, Links, Message }: LogEntry): string {
  const argument = MessageArgs?.[0]
  if (argument !== undefined && /^[\w .#/-]{1,40}$/.test(argument) && !/^\d+$/.test(argument)) return argument
  const origin = (OriginOfCondition ?? Links?.OriginOfCondition)?.['@odata.id'].split(/[/#]/).at(-1)
  if (origin) return origin
  const named = /\b((?:fan|psu|dimm|temp)\w*[ _-]?\w*\d\w*)\b/i.exec(Message ?? '')?.[1]
  return named ?? 'unknown'
}

function stateOf(words: string, severity: string): PartState {
  if (/absent|removed/i.test(words)) return 'absent'
  if (/non-?recoverable|fatal/i.test(words)) return 'non-recoverable'
  if (/non-?critical|caution|warning/i.test(words)) return 'warning'
  if (/critical|failure|failed|\blost\b/i.test(words)) return 'critical'
  if (/^critical$/i.test(severity)) return 'critical'
  return /^warning$/i.test(severity) ? 'warning' : 'ok'
}

/**
 * Deasserted: IPMI's word; DMTF's SensorEvent registry ("ReadingAboveLowerCritical…" is good news); OpenBMC's "LowGoingHigh";
 * plain words; or a severity of OK.
 */
function edgeOf(words: string, severity: string): 'assert' | 'deassert' {
  if (
    /deassert|no ?longer|restored|normal ?range|returned to|AboveLower|BelowUpper|LowGoingHigh|HighGoingLow/i.test(
      words,
    )
  ) {
    return 'deassert'
  }
  return /^ok$/i.test(severity) ? 'deassert' : 'assert'
}

function readingOf(message: string): { readonly value?: number; readonly unit?: string } {
  const found = /reading[ =:]*(-?\d+(?:\.\d+)?)\s*(RPM|degrees C|Watts|Volts|%)?/i.exec(message)
  if (found === null) return {}
  return { value: Number(found[1]), ...(found[2] === undefined ? {} : { unit: found[2] }) }
}
