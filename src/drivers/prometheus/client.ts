/** Asks one Prometheus (or what speaks its API: Thanos, Mimir, VictoriaMetrics). Never changes anything there. */
import type { Secret } from '#domain/secret'
import { basicAuthorization, jsonService, type Trust } from '#drivers/tls/json-service'
import { type Answer, readMatrix, readScalar, readVersion, type Sample, type Series } from './answers.ts'

export type PrometheusConfig = {
  /** 'https://prometheus.example/prefix' */
  readonly url: string
  readonly trust: Trust
  readonly signIn:
    | { readonly is: 'none' }
    | { readonly is: 'basic'; readonly user: string; readonly password: Secret }
    | { readonly is: 'bearer'; readonly token: Secret }
  readonly deadlineMs?: number
}

export type Told<T> = { readonly data: T; readonly warnings: readonly string[] }

export type PrometheusClient = {
  /** Raw samples of the last `windowMs`, with the times of their scrapes. */
  range(doing: string, selector: string, windowMs: number): Promise<Told<readonly Series[]>>
  /** Its own clock. */
  time(): Promise<Sample>
  version(): Promise<string>
  close(): Promise<void>
}

/** The server gives up by itself a second before us, and then says why. */
const DEADLINE_MS = 15_000
const SERVER_GIVES_UP_EARLIER_MS = 1_000
/** 200 nodes with 60 sensors, 12 samples each, are about 20 MB. */
const BODY_LIMIT_BYTES = 64 * 1024 * 1024

export function prometheusClient(config: PrometheusConfig): PrometheusClient {
  const deadlineMs = config.deadlineMs ?? DEADLINE_MS
  const { signIn } = config
  const service = jsonService({
    driver: 'prometheus',
    url: config.url,
    trust: config.trust,
    ...(signIn.is === 'none'
      ? {}
      : {
          authorization: () =>
            signIn.is === 'basic'
              ? basicAuthorization(signIn.user, signIn.password.reveal())
              : `Bearer ${signIn.token.reveal()}`,
        }),
    deadlineMs,
    bodyLimitBytes: BODY_LIMIT_BYTES,
  })
  async function ask<T>(doing: string, path: string, read: (status: number, json: unknown) => Answer<T>) {
    const { status, json } = await service.get(doing, path)
    const answer = read(status, json)
    if (answer.is === 'refused') throw service.fail(doing, answer.retry, answer.text)
    return answer
  }
  const query = (text: string) => {
    const timeoutMs = Math.max(SERVER_GIVES_UP_EARLIER_MS, deadlineMs - SERVER_GIVES_UP_EARLIER_MS)
    return `/api/v1/query?${new URLSearchParams({ query: text, timeout: `${timeoutMs}ms` })}`
  }
  return {
    range: (doing, selector, windowMs) => ask(doing, query(`${selector}[${Math.ceil(windowMs / 1000)}s]`), readMatrix),
    time: async () => (await ask('read its clock', query('time()'), readScalar)).data,
    version: async () => (await ask('read its version', '/api/v1/status/buildinfo', readVersion)).data,
    close: () => service.close(),
  }
}
