/** What an answer of Proxmox's API may look like: its envelope, its 0/1 booleans, its numbers written as strings. */

import { z } from 'zod'
import type { Retry } from '#domain/driver-error'
import type { WireAnswer } from './transport.ts'

/** 0, 1, '0', '1', true, false, '' and null (recorded: `quorate: "1"`, `safe: true`, `ha.managed: 0`). */
export const flag = z
  .union([z.boolean(), z.number(), z.string(), z.null()])
  .transform((value) => value === true || Number(value) === 1)

/** A number, or a number written as a string (recorded: osd ids, nodeid, quorum_votes). '1e999' is none. */
export const numeric = z
  .union([z.number(), z.string().regex(/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i)])
  .transform(Number)
  .refine(Number.isFinite, 'no number')

/** Of what cannot be less than none: bytes, cores, times, guests' numbers. */
export const amount = numeric.refine((value) => value >= 0, 'less than none')

/** Some texts come as numbers when they look like one: a pool named 12, a tag 7. */
export const words = z.union([z.string(), z.number()]).transform(String)

/** Null stands for absent here and there. */
export const maybe = <T extends z.ZodType>(schema: T) =>
  schema
    .nullable()
    .optional()
    .transform((value) => value ?? undefined)

export const nothing = z.unknown().transform(() => undefined)

/** A "no" that Proxmox itself said: answered, so nothing is in doubt. */
export type Refusal = { readonly is: 'refused'; readonly status: number; readonly text: string }
export type Reply<T> = { readonly is: 'data'; readonly data: T } | Refusal

type Unanswered = {
  readonly is: 'unanswered'
  readonly retry: Retry
  readonly notSent: boolean
  /** The proxy's word about the node behind it: the entry point itself is well. */
  readonly isProxied?: boolean
  readonly text: string
}

const envelope = z.looseObject({
  data: z.unknown().optional(),
  message: z.string().nullable().optional(),
  errors: z.unknown().optional(),
})

/** The proxy's own: the node behind it is dead (595) or slow (596); 502 to 504 come from a balancer in front. */
const PROXY_STATUSES = new Set([595, 596, 502, 503, 504])
const SHOWN_LENGTH = 300

export type Answer<T> = Reply<T> | Unanswered

export function parseAnswer<T>(answer: WireAnswer, schema: z.ZodType<T>): Answer<T> {
  if (answer.is === 'not-sent') {
    return { is: 'unanswered', retry: answer.pinned ? 'later' : 'never', notSent: true, text: answer.text }
  }
  if (answer.is === 'lost') {
    return { is: 'unanswered', retry: answer.isHopeless ? 'never' : 'later', notSent: false, text: answer.text }
  }
  if (PROXY_STATUSES.has(answer.status)) {
    const isProxied = answer.status === 595 || answer.status === 596
    return {
      is: 'unanswered',
      retry: 'later',
      notSent: false,
      isProxied,
      text: `${answer.status} ${shown(answer.reason)}`,
    }
  }
  if (answer.status < 200 || answer.status > 299) {
    return { is: 'refused', status: answer.status, text: refusalText(answer.reason, answer.body) }
  }
  return parseData(answer.body, schema)
}

function parseData<T>(body: string, schema: z.ZodType<T>) {
  const garbled = (text: string) => ({ is: 'unanswered', retry: 'later', notSent: false, text }) as const
  const json = parseJson(body)
  const whole = envelope.safeParse(json)
  if (!whole.success) return garbled(`the answer is not Proxmox's JSON: ${shown(body) || 'empty'}`)
  // Success carries data alone; a 200 with words beside no data is something in front that hides a refusal.
  const { message, errors } = whole.data
  const isEmpty = whole.data.data === undefined || whole.data.data === null
  const words = `${message ?? ''}${errors === undefined || errors === null ? '' : ` ${JSON.stringify(errors)}`}`
  if (isEmpty && words.trim() !== '') return garbled(`200, and an error inside: ${shown(words)}`)
  const data = schema.safeParse(whole.data.data)
  if (data.success) return { is: 'data', data: data.data } as const
  const first = data.error.issues[0]
  return garbled(`the answer has an unknown shape at ${first?.path.join('.') ?? ''}: ${first?.message ?? ''}`)
}

/** The reason phrase holds the first line; `errors` names the parameters. The proxy's own 401 has neither body nor errors. */
function refusalText(reason: string, body: string): string {
  const parsed = envelope.safeParse(parseJson(body))
  const errors = parsed.success && parsed.data.errors !== undefined ? ` ${JSON.stringify(parsed.data.errors)}` : ''
  const message = reason !== '' ? reason : parsed.success ? (parsed.data.message ?? '') : body
  return `${shown(message)}${shown(errors)}`
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** One line, of a length that fits a log. */
function shown(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trimEnd()
  return line.length > SHOWN_LENGTH ? `${line.slice(0, SHOWN_LENGTH)}…` : line
}
