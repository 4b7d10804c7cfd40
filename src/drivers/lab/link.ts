/** The lab's control URL, seen from the control plane: its time, its prober, its ears for what the journal intends. */
import { setTimeout as realSleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { DriverError } from '#domain/driver-error'

const CALL_LIMIT_MS = 10_000
const CONNECTIONS_LIMIT = 32

export type LabLink = {
  get<T>(path: string): Promise<T>
  post<T>(path: string, body: unknown): Promise<T>
}

export function labLink(controlUrl: string): LabLink {
  const agent = new Agent({ connections: CONNECTIONS_LIMIT, headersTimeout: CALL_LIMIT_MS, bodyTimeout: CALL_LIMIT_MS })
  const call = async <T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> => {
    try {
      const answer = await request(`${controlUrl}${path}`, {
        method,
        dispatcher: agent,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      const text = await answer.body.text()
      if (answer.statusCode >= 400) throw new DriverError('lab', `${method} ${path}`, { retry: 'never', text })
      return (text === '' ? {} : JSON.parse(text)) as T
    } catch (cause) {
      if (cause instanceof DriverError) throw cause
      throw new DriverError('lab', `${method} ${path}`, { retry: 'later', cause })
    }
  }
  return { get: (path) => call('GET', path), post: (path, body) => call('POST', path, body) }
}

const AWAY_LIMIT_MS = 60_000
const AWAY_LOOK_EVERY_MS = 200

/** Asks again while the lab is away for a moment; world time stands meanwhile, so nothing is missed. */
export async function untilItAnswers<T>(ask: () => Promise<T>): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += AWAY_LOOK_EVERY_MS) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof DriverError) || error.retry === 'never' || waitedMs >= AWAY_LIMIT_MS) throw error
      await realSleep(AWAY_LOOK_EVERY_MS)
    }
  }
}
