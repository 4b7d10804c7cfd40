/** The way to the control plane: orders come, signed samples go. HTTP(S); private authorities by NODE_EXTRA_CA_CERTS. */
import { gzipSync } from 'node:zlib'
import { DriverError } from '#domain/driver-error'
import { canonicalJson } from '#domain/json'
import type { ProbeOrders, SampleChunk } from '#domain/probing'

export type Signer = { readonly publicKey: string; sign(text: string): string }

const ORDERS_REQUEST_FORMAT = 'coulisse/probe-orders-request@1'
const ANSWER_LIMIT_MS = 15_000
const PASSING = [401, 403, 404, 408, 429]

export type WitnessLink = {
  /** DriverError 'later' when nobody answers, 'never' when we are not known there. */
  orders(): Promise<ProbeOrders>
  /** `madeAgoMs`: how long they have waited; absent where nobody knows any more. The same chunks again are taken once. */
  send(chunks: readonly SampleChunk[], madeAgoMs?: number): Promise<void>
}

export function witnessLink(control: string, key: Signer): WitnessLink {
  const post = async (doing: string, path: string, body: string, headers: Record<string, string>) => {
    try {
      const signal = AbortSignal.timeout(ANSWER_LIMIT_MS)
      const answer = await fetch(new URL(path, control), {
        method: 'POST',
        body: bytesIn(body, headers),
        headers,
        signal,
      })
      const text = await answer.text()
      if (answer.ok) return text
      // What is wrong with what we sent does not pass by itself; that nobody knows us yet may.
      const retry = answer.status >= 400 && answer.status < 500 && !PASSING.includes(answer.status) ? 'never' : 'later'
      throw new DriverError('witness', doing, { retry, text: `${answer.status}: ${text.slice(0, 300)}` })
    } catch (cause) {
      if (cause instanceof DriverError) throw cause
      throw new DriverError('witness', doing, { retry: 'later', cause })
    }
  }
  const JSON_TYPE = { 'content-type': 'application/json' }
  return {
    async orders() {
      const request = { format: ORDERS_REQUEST_FORMAT, key: key.publicKey, atMs: Date.now() }
      const signed = { ...request, signature: key.sign(canonicalJson(request)) }
      return JSON.parse(
        await post('ask for orders', '/api/witness/orders', JSON.stringify(signed), JSON_TYPE),
      ) as ProbeOrders
    },
    async send(chunks, madeAgoMs) {
      const body = JSON.stringify({
        format: 'coulisse/sample-sending@1',
        ...(madeAgoMs !== undefined && { madeAgoMs }),
        chunks,
      })
      await post('send samples', '/api/witness/samples', body, { 'content-type': GZIP_TYPE })
    },
  }
}

/** Figures that are much alike: a tenth of their size goes over the line. */
const GZIP_TYPE = 'application/gzip'

const bytesIn = (body: string, headers: Record<string, string>) =>
  headers['content-type'] === GZIP_TYPE ? gzipSync(body) : body
