/**
 * A night's script: what people type and what goes wrong, one line each.
 *
 *   +1h30m: fault {"kind":"node-dead","node":"pve4"}
 *   after plan-proposed +2m: approve lift reserve-unmet
 *   each work-order-refused +10m: answer
 *
 * `+…` counts from the night's beginning; `after KIND [words] [+…]` from the first journal entry of that kind whose sentence has
 * the words; `each` from every one. Lines that begin with # are remarks.
 */
import { type BlockerKind, isBlockerKind } from '#domain/blocker'

export type When =
  | { readonly is: 'at'; readonly afterStartMs: number }
  | {
      readonly is: 'event'
      readonly kind: string
      readonly words: string
      readonly delayMs: number
      readonly every: boolean
    }

export type Command =
  | { readonly is: 'fault'; readonly fault: Readonly<Record<string, unknown>> }
  | { readonly is: 'start'; readonly node: string; readonly part: string; readonly reason: string }
  | { readonly is: 'approve'; readonly by: string; readonly lifted: readonly BlockerKind[] }
  | { readonly is: 'reject'; readonly reason: string }
  | { readonly is: 'lift'; readonly lifted: readonly BlockerKind[] }
  | { readonly is: 'pause'; readonly cancelRunning: boolean }
  | { readonly is: 'resume' }
  | { readonly is: 'abort'; readonly reason: string }
  /** The control plane dies; after so many moments at which it could have: between any two awaits. */
  | { readonly is: 'crash'; readonly afterAwaits: number }
  /** Says once more what was said last: the same message twice, or a late one. */
  | { readonly is: 'again'; readonly what: 'message' | 'answer'; readonly how: 'same' | 'late' }
  /** A person takes over from what is stuck, so that the next may begin. */
  | { readonly is: 'release' }
  | { readonly is: 'watch' }

export type ScriptLine = { readonly when: When; readonly command: Command; readonly line: number }

/** Throws an Error with the line's number for what it does not understand. */
export function parseScript(text: string): readonly ScriptLine[] {
  return text.split('\n').flatMap((raw, index) => {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) return []
    const parts = /^([^:{]*):\s*(.+)$/.exec(line)
    if (parts === null) throw new Error(`line ${index + 1}: "WHEN: COMMAND" expected, not "${line}"`)
    const [, when = '', command = ''] = parts
    try {
      return [{ when: parseWhen(when.trim()), command: parseCommand(command.trim()), line: index + 1 }]
    } catch (error) {
      throw new Error(`line ${index + 1}: ${error instanceof Error ? error.message : error}`)
    }
  })
}

function parseWhen(text: string): When {
  if (text.startsWith('+')) return { is: 'at', afterStartMs: parseSpanMs(text) }
  const parts = /^(after|each)\s+([a-z-]+)((?:\s+(?!\+)\S+)*)(?:\s+(\+\S+))?$/.exec(text)
  if (parts === null) throw new Error(`"${text}" is no time: +10m, or after KIND [words] [+10m]`)
  const [, how, kind = '', words = '', delay] = parts
  const delayMs = delay === undefined ? 0 : parseSpanMs(delay)
  return { is: 'event', kind, words: words.trim(), delayMs, every: how === 'each' }
}

const UNITS_MS = { h: 3_600_000, m: 60_000, s: 1_000 } as const

/** '+1h30m', '+45s'. */
function parseSpanMs(text: string): number {
  const parts = [...text.matchAll(/(\d+)([hms])/g)]
  if (parts.length === 0 || `+${parts.map(([all]) => all).join('')}` !== text)
    throw new Error(`"${text}" is no span: +1h30m`)
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS], 0)
}

function parseCommand(text: string): Command {
  const [verb = '', ...words] = text.split(/\s+/)
  const rest = words.join(' ')
  switch (verb) {
    case 'fault':
      return { is: 'fault', fault: JSON.parse(rest) as Record<string, unknown> }
    case 'start': {
      const [node = '', part = 'node', ...reason] = words
      return { is: 'start', node, part, reason: reason.join(' ') }
    }
    case 'approve': {
      const by = words[0] === 'as' ? (words[1] ?? 'olga') : 'olga'
      const at = words.indexOf('lift')
      return { is: 'approve', by, lifted: at < 0 ? [] : parseKinds(words.slice(at + 1)) }
    }
    case 'reject':
      return { is: 'reject', reason: rest }
    case 'lift':
      return { is: 'lift', lifted: parseKinds(words) }
    case 'pause':
      return { is: 'pause', cancelRunning: words.includes('cancel-running') }
    case 'resume':
      return { is: 'resume' }
    case 'abort':
      return { is: 'abort', reason: rest === '' ? 'the operator said so' : rest }
    case 'crash':
      return { is: 'crash', afterAwaits: words[0] === 'after' ? parseCount(words[1]) : 0 }
    case 'again':
      return {
        is: 'again',
        what: words.includes('answer') ? 'answer' : 'message',
        how: words.includes('late') ? 'late' : 'same',
      }
    case 'release':
      return { is: 'release' }
    case 'watch':
      return { is: 'watch' }
    default:
      throw new Error(`no such command: ${verb}`)
  }
}

function parseCount(text = ''): number {
  if (!/^\d{1,6}$/.test(text)) throw new Error(`"${text}" is no count: crash after 120`)
  return Number(text)
}

function parseKinds(words: readonly string[]): readonly BlockerKind[] {
  return words.map((word) => {
    if (!isBlockerKind(word)) throw new Error(`no such blocker: ${word}`)
    return word
  })
}
