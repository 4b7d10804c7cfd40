/** Answers in Proxmox's form: data in an envelope; a refusal in the reason phrase, the message and, for parameters, `errors`. */

export type PveAnswer = {
  readonly status: number
  readonly reason: string
  /** Empty for the proxy's own 401 and for 595/596. */
  readonly body: string
}

const EMPTY_BODIES = new Set([401, 595, 596])

export const data = (value: unknown, beside: Readonly<Record<string, unknown>> = {}): PveAnswer => ({
  status: 200,
  reason: 'OK',
  body: JSON.stringify({ ...beside, data: value }),
})

export function refusal(status: number, text: string): PveAnswer {
  if (EMPTY_BODIES.has(status)) return { status, reason: text, body: '' }
  return { status, reason: text, body: JSON.stringify({ message: `${text}\n`, data: null }) }
}

/** Recorded: 400 with one text a parameter. */
export const wrongParameters = (errors: Readonly<Record<string, string>>): PveAnswer => ({
  status: 400,
  reason: 'Parameter verification failed.',
  body: JSON.stringify({ errors, message: 'Parameter verification failed.\n', data: null }),
})

/** Recorded without the line feed that other messages end in. */
export function notImplemented(method: string, path: string): PveAnswer {
  const message = `Method '${method} ${path}' not implemented`
  return { status: 501, reason: message, body: JSON.stringify({ message, data: null }) }
}

/** Booleans are 0 and 1 nearly everywhere. */
export const bit = (value: boolean): 0 | 1 => (value ? 1 : 0)

export const inSeconds = (ms: number): number => Math.floor(ms / 1000)
