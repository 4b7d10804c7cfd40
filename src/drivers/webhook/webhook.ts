/** Posts JSON to an address that an operator named: limits on time, size and tries, and errors that say what to do. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from 'undici'
import { DriverError, type Retry } from '#domain/driver-error'
import type { Secret } from '#domain/secret'
import { pinnedConnector, WrongCertificate } from '#drivers/tls/pinned-connector'
import { readLimited } from '#drivers/tls/read-limited'

export type WebhookConfig = {
  /** Many hide a token in its path. */
  readonly url: Secret
  readonly token?: Secret
  /** SHA-256 of the one certificate that it must show; or PEM of the authority; or neither: those of the system. */
  readonly trust?: { readonly fingerprint256?: string; readonly ca?: string }
  readonly deadlineMs?: number
  readonly waitMs?: number
}

const DEADLINE_MS = 10_000
const CONNECT_LIMIT_MS = 5_000
const TRIES_LIMIT = 3
const FIRST_WAIT_MS = 1_000
const BODY_LIMIT_BYTES = 256 * 1024
const ANSWER_LIMIT_BYTES = 64 * 1024

/** @param key the same for the same news, so that a receiver can drop the second. @throws DriverError after the last try. */
export async function postJson(config: WebhookConfig, key: string, body: unknown): Promise<void> {
  const text = JSON.stringify(body)
  const bytes = Buffer.byteLength(text)
  if (bytes > BODY_LIMIT_BYTES) throw failed(config, 'never', `${bytes} bytes are too many`)
  const agent = new Agent({ connections: 1, connect: connectorOf(config) })
  try {
    for (let tries = 1; ; tries++) {
      try {
        return await postOnce(config, agent, { key, text })
      } catch (error) {
        if (!(error instanceof DriverError) || error.retry === 'never' || tries >= TRIES_LIMIT) throw error
        await sleep((config.waitMs ?? FIRST_WAIT_MS) * 2 ** (tries - 1))
      }
    }
  } finally {
    await agent.destroy()
  }
}

function connectorOf({ trust }: WebhookConfig) {
  if (trust?.fingerprint256 !== undefined) return pinnedConnector(trust.fingerprint256, CONNECT_LIMIT_MS)
  return { timeout: CONNECT_LIMIT_MS, ...(trust?.ca === undefined ? {} : { ca: trust.ca }) }
}

async function postOnce(config: WebhookConfig, agent: Agent, { key, text }: { key: string; text: string }) {
  const { origin, pathname, search } = new URL(config.url.reveal())
  const { token, deadlineMs = DEADLINE_MS } = config
  const answer = await send().catch((cause: unknown) => {
    throw failed(config, cause instanceof WrongCertificate ? 'never' : 'later', wordsOf(cause, deadlineMs), cause)
  })
  if (answer >= 200 && answer < 300) return
  const isAway = answer >= 500 || answer === 408 || answer === 429
  const elsewhere = answer >= 300 && answer < 400 ? ': it sends us elsewhere; name the right address instead' : ''
  throw failed(config, isAway ? 'later' : 'never', `answered ${answer}${elsewhere}`)

  async function send(): Promise<number> {
    const response = await agent.request({
      origin,
      path: `${pathname}${search}`,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': key,
        ...(token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }),
      },
      body: text,
      signal: AbortSignal.timeout(deadlineMs),
    })
    // Read to its end, so that what is on the line is known to be whole.
    await readLimited(response.body, ANSWER_LIMIT_BYTES)
    return response.statusCode
  }
}

/** No more of the address than whose it is: the rest may be a token. */
function failed({ url }: WebhookConfig, retry: Retry, text: string, cause?: unknown): DriverError {
  return new DriverError('webhook', `post to ${new URL(url.reveal()).origin}`, {
    retry,
    text,
    ...(cause === undefined ? {} : { cause }),
  })
}

function wordsOf(cause: unknown, deadlineMs: number): string {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.name === 'TimeoutError') return `no answer within ${deadlineMs} ms`
  if (cause instanceof AggregateError) return cause.errors.map((one) => wordsOf(one, deadlineMs)).join('; ')
  return cause.message || cause.name
}
