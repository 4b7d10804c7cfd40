/** An HTTP(S) probe: the expected status is an answer; a wrong certificate, another status or silence is none. */
import { Pool } from 'undici'
import { ANSWER_LIMIT_MS } from '#domain/probing'

/** While answers hang, each new probe needs a connection of its own: as many as can hang at once. */
const CONNECTIONS_LIMIT = 20

export class HttpProbes {
  readonly #pools = new Map<string, Pool>()

  send({ url, status }: { readonly url: string; readonly status: number }, answered: (atMs: number) => void): void {
    const { origin, pathname, search } = new URL(url)
    void this.#poolOf(origin)
      .request({ path: `${pathname}${search}`, method: 'GET' })
      .then(async (answer) => {
        if (answer.statusCode === status) answered(performance.now())
        await answer.body.dump()
      })
      .catch(() => {})
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()))
  }

  #poolOf(origin: string): Pool {
    const known = this.#pools.get(origin)
    if (known !== undefined) return known
    const limits = {
      headersTimeout: ANSWER_LIMIT_MS,
      bodyTimeout: ANSWER_LIMIT_MS,
      connect: { timeout: ANSWER_LIMIT_MS },
    }
    const made = new Pool(origin, {
      connections: CONNECTIONS_LIMIT,
      pipelining: 1,
      keepAliveTimeout: 30_000,
      ...limits,
    })
    this.#pools.set(origin, made)
    return made
  }
}
